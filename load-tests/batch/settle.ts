import type { BatchAnswer } from '#domain/read-views.ts';
import { pause } from '../measure/until.ts';
import type { Job } from './job.ts';

/** Until then it has its instances, and knows how large its requests are. */
const SETTLE_MS = 5000;

/** A job that was begun or resumed, when it is at full speed. */
export async function settle(job: Job): Promise<BatchAnswer> {
  const { rows } = await job.get();
  await job.until((now) => now.state === 'Running' && now.rows.done > rows.done);
  await pause(SETTLE_MS);
  return await job.get();
}
