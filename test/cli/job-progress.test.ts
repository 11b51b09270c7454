import { expect, test } from 'vitest';
import { createClient } from '#cli/client.ts';
import { followJob } from '#cli/jobs.ts';
import type { BatchAnswer } from '#domain/read-views.ts';
import { systemClock } from '#lib/clock.ts';
import { createCapture } from './world.ts';

const JOB: BatchAnswer = {
  id: 'digits-1',
  namespace: 'default',
  state: 'Running',
  reason: 'it runs',
  createdAt: 0,
  createdBy: { id: 'local', role: 'admin' },
  spec: {
    model: 'digits',
    input: { location: '/in.csv' },
    output: { path: '/out.csv', columns: [], replace: false },
  },
  revision: 'v1',
  rows: { done: 41, failed: 0 },
  instanceSeconds: 0,
};
const progress = { rowsPerSecond: 10.2, batchSize: 4, instances: 1 };

/** What stands on a terminal. */
async function shown(part: Partial<BatchAnswer>): Promise<string> {
  const stderr = createCapture(true);
  const client = createClient({ server: 'http://127.0.0.1:9', fetch, clock: systemClock });
  const io = { clock: systemClock, signal: AbortSignal.abort(), stderr };
  await followJob(client, { ...JOB, ...part }, io);
  return stderr.text().replace('\r\u001b[2K', '').trimEnd();
}

test.each([
  [
    { total: 100, done: 41, failed: 3 },
    { fraction: 0.41, etaSeconds: 5.9 },
    '██████████░░░░░░░░░░░░░░ 41 %  41/100 rows  10/s  1 instance  3 failed  5.9s left',
  ],
  [
    { done: 41, failed: 0 },
    { fraction: 0.41, etaSeconds: 5.9 },
    '██████████░░░░░░░░░░░░░░ about 41 %  41 rows  10/s  1 instance  about 5.9s left',
  ],
  [{ done: 41, failed: 0 }, {}, '41 rows  10/s  1 instance'],
])('a bar for %j, %j', async (rows, known, bar) => {
  expect(await shown({ rows, progress: { ...progress, ...known } })).toBe(bar);
});
