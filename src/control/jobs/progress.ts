import type { JobProgress } from '#domain/job.ts';
import type { RunProgress } from '#domain/job-run.ts';

/** More than this is done only when all rows are counted. */
const MOST_ESTIMATED = 0.99;

/** How far a batch is. Of an input with more rows than were estimated nobody knows when it ends. */
export function makeProgress(news: RunProgress, instances: number): JobProgress {
  const { rows, estimatedRows, rowsPerSecond, batchSize } = news;
  const { total, done } = rows;
  const all = total ?? estimatedRows;
  const about = { rowsPerSecond, batchSize, instances };
  if (all === undefined || all <= 0) return about;
  const left = all - done;
  const isKnown = rowsPerSecond > 0 && (total !== undefined || left > 0);
  return {
    ...about,
    fraction: Math.min(done / all, total === undefined ? MOST_ESTIMATED : 1),
    ...(isKnown && { etaSeconds: left / rowsPerSecond }),
  };
}
