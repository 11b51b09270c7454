import { mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { runJob } from '#batch/runner/run.ts';
import { readStatus } from '#batch/runner/shards/files.ts';
import type { RunnerProcess } from '#control/jobs/job-runner.ts';
import { type BatchRequest, type JobReport, batchSpec } from '#domain/job.ts';
import type { FromRunner, RunOrder } from '#domain/job-run.ts';
import { systemClock } from '#lib/clock.ts';
import { createJobRunner, SHARD } from '#serve/jobs/job-runner.ts';
import { createRandom } from '#test/fuzz/random.ts';
import { reservePort } from '#test/reserved-port.ts';
import { until } from '#test/until.ts';
import { type Doubler, startDoubler } from './doubler.ts';
import { keepShards, type KeptShards } from './keep-shards.ts';

/** A job with shards, all of them real processes: what a cluster adds is to begin them again. */

const SEED = Date.now() % 1_000_000_000;
const ROWS = 1600;
const COUNT = 4;
/** Rows that the model does not take; two of them stand in one request. */
const BAD = new Set([17, 400, 401, 1203, 1599]);

let model: Doubler;
let folder: string;
let shards: KeptShards | undefined;
let present: RunnerProcess | undefined;

beforeAll(async () => {
  model = await startDoubler();
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rouse-shards-'));
  const rows = Array.from({ length: ROWS }, (_, id) => `${id},${BAD.has(id) ? -id : id / 4}`);
  await writeFile(join(folder, 'in.csv'), ['id,x', ...rows].join('\n'));
});

afterEach(async () => {
  model.onRequest(() => {});
  model.release();
  await present?.end();
  await shards?.close();
  shards = undefined;
  await rm(folder, { recursive: true });
});

afterAll(() => model.close());

type Said = Extract<FromRunner, { type: 'done' | 'failed' }>;

function makeOrder(name: string, part: Partial<BatchRequest> = {}): RunOrder {
  return {
    namespace: 'default',
    id: name,
    spec: batchSpec.parse({
      model: 'm',
      input: { location: join(folder, 'in.csv') },
      output: { path: join(folder, `${name}.csv`), columns: ['id'] },
      map: { x: ['x'] },
      batchSize: 8,
      ...part,
    }),
    model: {
      url: model.url,
      proxyProtocol: false,
      headers: {},
      inputs: [],
      outputs: [],
      binary: false,
      timeoutMs: 10_000,
    },
    folder: join(folder, 'jobs', 'default', name),
    bounds: { closed: [join(folder, 'jobs')], within: folder },
  };
}

/** Runs it, as control does, to what it says last; one that ends without a word is begun again. */
async function run(order: RunOrder): Promise<Said> {
  const runner = createJobRunner({ jobs: join(folder, 'jobs') });
  const said = Promise.withResolvers<Said>();
  const start = (): void => {
    present = runner.start(order, {
      onMessage(message) {
        if (message.type === 'shards') follow(message.count, order.folder);
        else if (message.type === 'done' || message.type === 'failed') said.resolve(message);
      },
      onEnd: (how) => how.includes('SIGKILL') && begin(),
    });
    present.slots(4);
  };
  let begin = start;
  start();
  const last = await said.promise;
  begin = () => {};
  return last;
}

/** Those that run already go on. */
function follow(count: number, job: string): void {
  if (count === 0) return;
  shards ??= keepShards({ command: [...SHARD.command, job], env: SHARD.env, count });
}

function reportOf(said: Said): Omit<JobReport, 'instanceSeconds'> {
  if (said.type === 'done') return said.report;
  throw new Error(`it failed: ${said.message}`);
}

const outputOf = (name: string): Promise<string> => readFile(join(folder, `${name}.csv`), 'utf8');
const failedOf = (name: string): Promise<string> =>
  readFile(join(folder, `${name}.csv.failed.jsonl`), 'utf8');

test(`writes what one process writes, though shards and the runner are killed, seed ${SEED}`, async () => {
  const calm = reportOf(await run(makeOrder('calm')));
  const random = createRandom(SEED, 0);
  const requests = ROWS / 8;
  const kills = Array.from({ length: 5 }, (_, kill) => ((kill + random.next()) * requests) / 6);
  let killed = 0;
  model.onRequest((count) => {
    if (count < (kills[0] ?? Infinity)) return;
    kills.shift();
    killed++;
    if (killed === 3) void present?.end();
    else shards?.kill(random.pick(shards.indexes()));
  });
  const report = reportOf(await run(makeOrder('sharded', { shards: COUNT })));
  expect(killed).toBe(5);
  expect(await shards?.ended).toBe('complete');
  expect(await outputOf('sharded')).toBe(await outputOf('calm'));
  expect(await failedOf('sharded')).toBe(await failedOf('calm'));
  expect(report.rows).toEqual({ total: ROWS, done: ROWS, failed: BAD.size });
  expect(report.failures).toHaveLength(calm.failures.length);
  expect(report.outputs[0]).toMatchObject({
    name: 'y',
    count: ROWS - BAD.size,
    mean: expect.closeTo(calm.outputs[0]?.mean ?? 0) as number,
  });
}, 300_000);

test('shards of columns are put together as a whole file of them', async () => {
  const path = join(folder, 'sharded.parquet');
  const output = { path, columns: ['id'] };
  expect(reportOf(await run(makeOrder('sharded', { shards: 3, output }))).rows.done).toBe(ROWS);
  const csv = join(folder, 'again.csv');
  const again = {
    input: { location: path },
    map: { x: ['y'] },
    output: { path: csv, columns: ['id', 'y'] },
  };
  expect(reportOf(await run(makeOrder('again', again))).rows.failed).toBe(0);
  const ids = (await readFile(csv, 'utf8')).trimEnd().split('\n').slice(1);
  const expected = Array.from({ length: ROWS }, (_, id) => id).filter((id) => !BAD.has(id));
  expect(ids.map((line) => Number(line.split(',')[0]))).toEqual(expected);
});

test('there are no more shards than requests', async () => {
  const report = reportOf(await run(makeOrder('sharded', { shards: 64, batchSize: 1000 })));
  expect(report.rows.done).toBe(ROWS);
  expect((await outputOf('sharded')).trimEnd().split('\n')).toHaveLength(ROWS - BAD.size + 1);
  expect(await shards?.ended).toBe('complete');
});

test('a shard waits for a data plane that nobody can reach', async () => {
  const port = await reservePort();
  const order = makeOrder('sharded', { shards: 2 });
  const said = run({ ...order, model: { ...order.model, url: `http://127.0.0.1:${port}/` } });
  for (const index of [0, 1]) {
    await until(
      `shard ${index} has begun`,
      async () => (await readStatus(order.folder, index)) !== undefined,
    );
  }
  const back = createProxy(model.port).listen(port, '127.0.0.1');
  const { rows } = reportOf(await said);
  back.close();
  expect(rows.done).toBe(ROWS);
  expect(shards?.failures).toEqual([]);
});

/** Passes bytes on. */
function createProxy(to: number): Server {
  return createServer((caller) => {
    const callee = connect(to, '127.0.0.1');
    pipeline(caller, callee, caller, () => {});
  });
}

test('rows that fail are counted over all shards, and end the job', async () => {
  const said = await run(makeOrder('sharded', { shards: COUNT, maxFailed: '3' }));
  expect(said).toMatchObject({
    type: 'failed',
    message: expect.stringMatching(
      /^[45] of \d+ rows have failed, at most 3 may: -\d+ is negative$/,
    ) as string,
  });
});

test('what is done is told, also when nothing more comes for now', async () => {
  const held = model.holdAfter(2);
  let done = 0;
  const running = runJob(makeOrder('told'), {
    clock: systemClock,
    roll: Math.random,
    tell: ({ rows }) => void (done = rows.done),
    onSlots: (set) => set(1),
    onShards: () => {},
  });
  await held;
  await until('all of it is told', () => done === 2 * 8);
  model.release();
  expect(await running).toMatchObject({ rows: { done: ROWS } });
});

test('an input that was changed since is no input of a shard', async () => {
  const order = makeOrder('sharded', { shards: 2, batchSize: 1 });
  const held = model.holdAfter(3);
  const said = run(order);
  await held;
  // From now on what a shard opens is another file than the one that was counted.
  await utimes(join(folder, 'in.csv'), 1, 1);
  for (const index of shards?.indexes() ?? []) shards?.kill(index);
  model.release();
  expect(await said).toMatchObject({
    type: 'failed',
    code: 'conflict',
    message: expect.stringMatching(/^shard \d: the input has been changed/) as string,
  });
});
