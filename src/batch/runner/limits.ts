import { type BatchSpec, type JobRows, mostFailed } from '#domain/job.ts';
import { Fault } from '#lib/fault.ts';

/** When none of so many could be scored, all others will fail, too. */
const HOPELESS_ROWS = 100;
/** Of fewer rows a share says little. */
const LEAST_OF_SHARE = 1000;

/** Throws the Fault that ends a job of which more rows have failed than may. `isAll`: all rows were looked at. */
export function checkFailed({ maxFailed }: BatchSpec, rows: JobRows, isAll: boolean): void {
  const { total, done, failed } = rows;
  if (failed === done && (done >= HOPELESS_ROWS || (isAll && done > 0))) {
    throw new Fault('invalid', `none of the first ${done} rows could be scored`);
  }
  if (!isAll && total === undefined && done < LEAST_OF_SHARE && maxFailed?.endsWith('%')) return;
  const most = mostFailed(maxFailed, total ?? done);
  if (failed <= most) return;
  throw new Fault('invalid', `${failed} of ${done} rows have failed, at most ${maxFailed} may`);
}
