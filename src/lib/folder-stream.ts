import { Fault } from './fault.ts';
import type { FolderManifest } from './folder-manifest.ts';

/**
 * A folder as one stream of bytes: its manifest, which is one line, a newline, then the bytes of its files in the
 * manifest's order.
 */

type Bytes = AsyncIterable<Uint8Array>;

const NEWLINE = 0x0a;

export async function* packFolder(
  manifest: Bytes,
  read: (digest: string) => Bytes,
): AsyncGenerator<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of manifest) parts.push(part);
  const text = Buffer.concat(parts);
  const { files }: FolderManifest = JSON.parse(text.toString());
  yield text;
  yield Buffer.of(NEWLINE);
  for (const { digest } of files) yield* read(digest);
}

export interface Unpacking {
  /** Of the manifest. */
  readonly maxBytes: number;
  /** Throws a Fault when it is none. */
  parse(text: string): FolderManifest;
  /** Reads `content` to its end. */
  take(file: FolderManifest['files'][number], content: Bytes): Promise<unknown>;
}

/** Resolves to the text of the manifest. A stream that ends early is Fault `unavailable`. */
export async function unpackFolder(stream: Bytes, to: Unpacking): Promise<string> {
  const source = stream[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);

  async function fill(): Promise<void> {
    const next = await source.next();
    if (next.done) throw new Fault('unavailable', 'the content of the folder ends early');
    rest = next.value;
  }

  async function readLine(): Promise<string> {
    const parts: Uint8Array[] = [];
    let size = 0;
    for (;;) {
      const end = rest.indexOf(NEWLINE);
      const part = end < 0 ? rest : rest.subarray(0, end);
      size += part.length;
      if (size > to.maxBytes) {
        throw new Fault('too_large', `the manifest has more than ${to.maxBytes} bytes`);
      }
      parts.push(part);
      if (end >= 0) rest = rest.subarray(end + 1);
      if (end >= 0) return Buffer.concat(parts).toString();
      await fill();
    }
  }

  async function* readBytes(count: number): AsyncGenerator<Uint8Array> {
    for (let left = count; left > 0;) {
      if (rest.length === 0) await fill();
      const part = rest.subarray(0, left);
      rest = rest.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  try {
    const text = await readLine();
    for (const file of to.parse(text).files) await to.take(file, readBytes(file.size));
    return text;
  } finally {
    await source.return?.();
  }
}
