import { constants, setPriority } from 'node:os';
import { SHARD_HOPELESS, SHARD_INDEX_ENV } from '#domain/job-run.ts';
import { systemClock } from '#lib/clock.ts';
import { Fault, FAULTS, messageOf } from '#lib/fault.ts';
import { writeStatus } from './runner/shards/files.ts';
import { runShard } from './runner/run-shard.ts';

/**
 * One shard of a batch job, as a program of its own: `node src/batch/shard.ts FOLDER`. It may be killed at any moment;
 * the next one goes on. Ends with 0 when its rows are on disk, with `SHARD_HOPELESS` when that will not come to pass.
 */

const [, , folder = ''] = process.argv;
const index = Number(process.env[SHARD_INDEX_ENV]);

function complain(error: unknown): void {
  console.error(messageOf(error));
}

async function leaveFailure(error: Fault): Promise<void> {
  const { code, message, problems } = error;
  await writeStatus(folder, index, {
    rows: { done: 0, failed: 0 },
    rowsPerSecond: 0,
    batchSize: 1,
    failure: { code, message, problems },
  });
}

// Its timers keep no process alive, and there is no parent's channel: it would end when all slots wait.
setInterval(() => {}, 2 ** 30);
// The first process of a container is not ended by a signal that it does not take.
process.once('SIGTERM', () => process.exit(143));
setPriority(constants.priority.PRIORITY_LOW);
try {
  await runShard(folder, index, { clock: systemClock, roll: Math.random, onError: complain });
  process.exit(0);
} catch (error) {
  complain(error);
  if (!(error instanceof Fault) || FAULTS[error.code].retryable) process.exit(1);
  await leaveFailure(error);
  process.exit(SHARD_HOPELESS);
}
