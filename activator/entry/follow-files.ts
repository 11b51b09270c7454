import { createHash } from 'node:crypto';
import { type FSWatcher, readFileSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock, Timer } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';

/** A certificate and its key are written one after the other: what is between them is no pair. */
const SETTLE_MS = 500;

/**
 * Calls `onChange` soon after what is in the files has changed. Their folders are watched, not the files: those
 * are replaced by renaming, and by moving a link to another folder. So much else may happen there, the log that
 * `onChange` writes included, and only what the files hold counts.
 */
export function followFiles(
  files: readonly string[],
  clock: Clock,
  onChange: () => void,
): { close(): void } {
  let known = contentOf(files);
  let timer: Timer | undefined;

  function look(): void {
    timer = undefined;
    const content = contentOf(files);
    if (content === known) return;
    known = content;
    onChange();
  }

  const watchers = [...new Set(files.map((file) => dirname(file)))].map((folder): FSWatcher => {
    const watcher = watch(folder, { persistent: false }, () => {
      timer ??= clock.after(SETTLE_MS, look);
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

/** A hash of what they hold, or why they can't be read. */
function contentOf(files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) {
    try {
      hash.update(readFileSync(file));
    } catch (error) {
      hash.update(messageOf(error));
    }
    hash.update('\0');
  }
  return hash.digest('hex');
}
