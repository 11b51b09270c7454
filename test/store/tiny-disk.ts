import { execFileSync } from 'node:child_process';
import { mkdtemp, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'vitest';

/** A file system of 4 MiB for a test. Skips where none can be mounted, which takes root on Linux. */
export async function withTinyDisk(
  context: TestContext,
  use: (path: string) => Promise<void>,
): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'rouse-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', path], { stdio: 'ignore' });
  } catch {
    await rmdir(path);
    context.skip('needs the right to mount a tmpfs');
  }
  try {
    await use(path);
  } finally {
    execFileSync('umount', [path]);
    await rmdir(path);
  }
}
