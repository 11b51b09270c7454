import { type BatchSpec, type JobRows, mostFailed } from '#domain/job.ts';
import { Fault } from '#lib/fault.ts';

/** When none of so many could be scored, all others will fail, too. */
const HOPELESS_ROWS = 100;
/** Of fewer rows a share says little. */
const LEAST_OF_SHARE = 1000;

/** Throws the Fault that ends a job of which more rows have failed than may. `isAll`: all rows were looked at. */
export function checkFailed(spec: BatchSpec, rows: JobRows, isAll: boolean): void {
  checkHopeless(rows, isAll);
  checkMost(spec, rows, isAll);
}

/** Where all rows looked at have failed, so many that all others will. */
export function checkHopeless({ done, failed }: JobRows, isAll: boolean): void {
  if (failed !== done || done === 0) return;
  if (!isAll && done < HOPELESS_ROWS) return;
  throw new Fault('invalid', `none of the first ${done} rows could be scored`);
}

/** Where there are more than may. */
export function checkMost({ maxFailed }: BatchSpec, rows: JobRows, isAll: boolean): void {
  const { total, done, failed } = rows;
  if (!isAll && total === undefined && done < LEAST_OF_SHARE && maxFailed?.endsWith('%')) return;
  const most = mostFailed(maxFailed, total ?? done);
  if (failed <= most) return;
  throw new Fault('invalid', `${failed} of ${done} rows have failed, at most ${maxFailed} may`);
}
