import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new folder for a test, and a function that removes it. */
export async function stateFolder(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'rouse-state-'));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}
