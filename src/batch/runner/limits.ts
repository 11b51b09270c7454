import type { BatchSpec, JobRows } from '#domain/job.ts';
import { mostFailed } from '#domain/batch-rules.ts';
import { Fault } from '#lib/fault.ts';

/** When none of so many could be scored, all others will fail, too. */
const HOPELESS_ROWS = 100;
/** Of fewer rows a share says little. */
const LEAST_OF_SHARE = 1000;

/** The most frequent reason of rows that have failed; undefined: none has told it yet. */
type Why = () => string | undefined;

/** Throws the Fault that ends a job of which more rows have failed than may. `isAll`: all rows were looked at. */
export function checkFailed(spec: BatchSpec, rows: JobRows, isAll: boolean, why: Why): void {
  checkHopeless(rows, isAll, why);
  checkMost(spec, rows, isAll, why);
}

/** Where all rows looked at have failed, so many that all others will. */
export function checkHopeless({ done, failed }: JobRows, isAll: boolean, why: Why): void {
  if (failed !== done || done === 0) return;
  if (!isAll && done < HOPELESS_ROWS) return;
  throw ended(`none of the first ${done} rows could be scored`, why);
}

/** Where there are more than may. */
export function checkMost({ maxFailed }: BatchSpec, rows: JobRows, isAll: boolean, why: Why): void {
  const { total, done, failed } = rows;
  if (!isAll && total === undefined && done < LEAST_OF_SHARE && maxFailed?.endsWith('%')) return;
  const most = mostFailed(maxFailed, total ?? done);
  if (failed <= most) return;
  throw ended(`${failed} of ${done} rows have failed, at most ${maxFailed} may`, why);
}

function ended(what: string, why: Why): Fault {
  const reason = why();
  return new Fault('invalid', reason === undefined ? what : `${what}: ${reason}`);
}
