import { open } from 'node:fs/promises';

/** Brings to the disk what a file holds, or which names stand in a folder. */
export async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
