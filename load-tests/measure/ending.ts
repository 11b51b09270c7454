import type { ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a benchmark has made ends with it, also when it is told to end. */

const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const;

/** A folder for the time of `use`. */
export async function withFolder<T>(
  benchmark: string,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), `rouse-${benchmark}-`));
  const remove = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  // Not once: the next one would end it while it still removes things.
  for (const signal of SIGNALS) {
    process.on(signal, () => process.exit(128 + constants.signals[signal]));
  }
  process.once('exit', remove);
  try {
    return await use(folder);
  } finally {
    process.off('exit', remove);
    remove();
  }
}

/** It is killed at the latest when the benchmark ends, and before its folder is removed. */
export function endWithBenchmark(child: ChildProcess): void {
  const kill = (): unknown => child.kill('SIGKILL');
  process.prependOnceListener('exit', kill);
  child.once('exit', () => process.off('exit', kill));
}
