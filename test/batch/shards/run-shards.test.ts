import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { batchSpec } from '#domain/job.ts';
import { runJob } from '#batch/runner/run.ts';
import { type ShardStatus, writeStatus } from '#batch/runner/shards/files.ts';
import type { RunOrder } from '#domain/job-run.ts';
import { systemClock } from '#lib/clock.ts';
import { until } from '#test/until.ts';

/** What a job makes of what its shards say; here the test says it. */

const ROWS = 1000;

let folder: string;
let order: RunOrder;
/** Rows of which the job has told. */
let done: number;
let end: Promise<unknown>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rouse-run-shards-'));
  await writeFile(
    join(folder, 'in.csv'),
    ['x', ...Array.from({ length: ROWS }, (_, id) => id)].join('\n'),
  );
  order = {
    namespace: 'default',
    id: 'job',
    spec: batchSpec.parse({
      model: 'm',
      input: { location: join(folder, 'in.csv') },
      output: { path: join(folder, 'out.csv'), columns: ['x'] },
      map: { x: ['x'] },
      shards: 2,
    }),
    model: {
      url: 'http://127.0.0.1:1/',
      proxyProtocol: false,
      headers: {},
      inputs: [],
      outputs: [],
      binary: false,
      timeoutMs: 1000,
    },
    folder: join(folder, 'jobs', 'job'),
    bounds: { closed: [join(folder, 'jobs')], within: folder },
  };
  done = 0;
  end = runJob(order, {
    clock: systemClock,
    roll: Math.random,
    tell: ({ rows }) => void (done = rows.done),
    onSlots: () => {},
    onShards: () => {},
  }).catch((error: unknown) => error);
});

afterEach(() => rm(folder, { recursive: true }));

async function say(
  index: number,
  all: number,
  failed: number,
  more: Pick<ShardStatus, 'failure' | 'failures'> = {},
): Promise<void> {
  await writeStatus(order.folder, index, {
    rows: { done: all, failed },
    rowsPerSecond: 1,
    batchSize: 1,
    ...more,
  });
}

test('that none of the first rows of one shard can be scored says nothing of the others', async () => {
  await say(1, 150, 150);
  await until('it is told', () => done === 150);
  await say(0, 1, 0);
  await until('it is told', () => done === 151);
  await say(0, 1, 0, { failure: { code: 'invalid', message: 'it is over', problems: [] } });
  expect(await end).toMatchObject({ message: 'shard 0: it is over' });
});

test('it ends when no shard can score a row', async () => {
  await say(1, 150, 150, { failures: { 'it is odd': 150 } });
  await say(0, 1, 1, { failures: { 'it is too long': 1 } });
  const message = 'none of the first 151 rows could be scored: it is odd';
  expect(await end).toMatchObject({ message });
});

test('the reason that it tells is the most frequent one of all shards together', async () => {
  await say(1, 110, 110, { failures: { 'it is odd': 60, 'it is too long': 50 } });
  await say(0, 70, 70, { failures: { 'it is too long': 40, 'it is red': 30 } });
  const message = 'none of the first 180 rows could be scored: it is too long';
  expect(await end).toMatchObject({ message });
});

test('it ends with a reason also where the shard with most failed rows has told none', async () => {
  await say(1, 150, 150);
  await say(0, 1, 1, { failures: { 'it is too long': 1 } });
  const message = 'none of the first 151 rows could be scored: it is too long';
  expect(await end).toMatchObject({ message });
});
