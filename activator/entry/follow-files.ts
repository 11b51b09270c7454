import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock, Timer } from '#lib/clock.ts';

/** A certificate and its key are written one after the other: what is between them is no pair. */
const QUIET_MS = 500;

/**
 * Calls `onChange` when files have changed and then been left alone for a moment. Their folders are
 * watched, not the files: those are replaced by renaming, and by moving a link to another folder.
 */
export function followFiles(
  files: readonly string[],
  clock: Clock,
  onChange: () => void,
): { close(): void } {
  let timer: Timer | undefined;
  const watchers = [...new Set(files.map((file) => dirname(file)))].map((folder): FSWatcher => {
    const watcher = watch(folder, { persistent: false }, () => {
      timer?.cancel();
      timer = clock.after(QUIET_MS, onChange);
    });
    // A folder that goes away is not watched any more; SIGHUP still works.
    watcher.on('error', () => watcher.close());
    return watcher;
  });
  return {
    close() {
      timer?.cancel();
      for (const watcher of watchers) watcher.close();
    },
  };
}
