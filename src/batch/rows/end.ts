import { open } from 'node:fs/promises';
import type { InputFile } from './locate.ts';

/** The last bytes of all that it is given, at most `most`. */
export function createEnd(most: number): { add(bytes: Uint8Array): void; bytes(): Uint8Array } {
  let kept: Uint8Array[] = [];
  let size = 0;
  const joined = (): Uint8Array => Buffer.concat(kept).subarray(-most);
  return {
    add(bytes) {
      kept.push(bytes);
      size += bytes.length;
      // Not each time: that would copy all of it each time.
      if (size <= 2 * most) return;
      kept = [joined()];
      size = most;
    },
    bytes: joined,
  };
}

/** The same of a file. */
export async function readEnd({ path, bytes }: InputFile, most: number): Promise<Uint8Array> {
  const handle = await open(path, 'r');
  try {
    const length = Math.min(bytes, most);
    const to = Buffer.alloc(length);
    const { bytesRead } = await handle.read(to, 0, length, bytes - length);
    return to.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
