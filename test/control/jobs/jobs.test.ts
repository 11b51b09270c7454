import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BatchRequest, JobReport } from '#domain/job.ts';
import { until } from '#test/until.ts';
import { ADMIN, createHarness, deployed, type Harness, rest } from '../harness.ts';
import {
  createFakeRunner,
  endRun,
  type FakeRun,
  type FakeRunner,
  makeBatch,
} from './fake-runner.ts';

const REPORT: Omit<JobReport, 'instanceSeconds'> = {
  rows: { total: 10, done: 10, failed: 0 },
  failures: [],
  seconds: 1,
  rowsPerSecond: 10,
  requests: 1,
  retries: 0,
  latency: { p50: 1, p95: 1, p99: 1, max: 1 },
  batchSize: 10,
  outputs: [],
};

let runner: FakeRunner;
let harness: Harness;
let count = 0;

beforeEach(async () => {
  runner = createFakeRunner();
  harness = await createHarness({ batch: makeBatch(runner, () => `${++count}`) });
  await deployed(harness);
});

afterEach(() => harness.close());

function request(part: Partial<BatchRequest> = {}): BatchRequest {
  const output = { path: `/out-${count}.csv` };
  return { model: 'm', input: { location: '/in.csv' }, output, ...part };
}

async function create(part: Partial<BatchRequest> = {}): Promise<string> {
  const job = await harness.control.useCases.createJob(ADMIN, 'default', request(part));
  return job.value.id;
}

const get = (id: string) => harness.control.useCases.getJob(ADMIN, 'default', id);
const act = (id: string, action: 'pause' | 'resume' | 'cancel') =>
  harness.control.useCases.actOnJob(ADMIN, 'default', id, action);

async function reaches(id: string, state: string): Promise<void> {
  await until(`job ${id} is ${state}`, async () => {
    if ((await get(id)).value.state === state) return true;
    await harness.pass(1);
    return false;
  });
}

/** The runner of the only job that runs. */
async function running(): Promise<FakeRun> {
  await until('there is a runner', async () => {
    if (runner.living().length > 0) return true;
    await harness.pass(1);
    return false;
  });
  return runner.living()[0]!;
}

function progress(run: FakeRun, done: number): void {
  const rows = { total: 10, done, failed: 0 };
  run.events.onMessage({ type: 'progress', rows, rowsPerSecond: 2, batchSize: 1 });
}

const names = async (ofJobs: boolean): Promise<string[]> =>
  (await harness.control.useCases.listModels(ADMIN, undefined, { ofJobs })).map(({ name }) => name);

const envOf = async (model: string): Promise<unknown> =>
  (await harness.control.useCases.getRevision(ADMIN, `default/${model}/00001`)).value.spec.env;

describe('a job', () => {
  test('runs on a model of its own, which is there as long as it is', async () => {
    const id = await create();
    const run = await running();
    expect(run.order).toMatchObject({
      id,
      folder: `/jobs/default/${id}`,
      model: { url: `http://127.0.0.1:8080/models/default/job-${id}/v2/models/m/`, binary: false },
    });
    expect(await names(false)).toEqual(['m']);
    expect(await names(true)).toEqual([`job-${id}`, 'm']);
    expect(harness.outlet.models.get(`default/job-${id}`)).toMatchObject({ ofJob: true });
    // Who asks is its owner, and is told what it failed with.
    expect(await envOf(`job-${id}`)).toEqual({ ROUSE_TELL_FAILURES: '1' });
    expect(await envOf('m')).toBeUndefined();
    expect(harness.outlet.models.get('default/m')).not.toHaveProperty('ofJob');
    progress(run, 4);
    expect(await get(id)).toMatchObject({
      value: { state: 'Running', rows: { done: 4 } },
      progress: { rowsPerSecond: 2, etaSeconds: 3 },
    });
    run.events.onMessage({ type: 'done', report: REPORT });
    await reaches(id, 'Succeeded');
    await harness.pass(2);
    expect(await names(true)).toEqual(['m']);
    expect(runner.removed).toContain(`/jobs/default/${id}`);
    expect((await get(id)).value.report).toMatchObject({ rows: { done: 10 } });
    const types = (await harness.events()).map(({ type }) => type);
    expect(types.filter((type) => type.startsWith('Job'))).toEqual([
      'JobCreated',
      'JobStarted',
      'JobSucceeded',
    ]);
  });

  test('keeps its revision, whatever becomes of the model', async () => {
    const id = await create();
    await running();
    await harness.control.useCases.deleteModel(ADMIN, 'default', 'm', { now: true });
    await harness.restart();
    const run = await running();
    expect(run.order.id).toBe(id);
  });

  test('may send as many requests as its ready instances take', async () => {
    const id = await create();
    const run = await running();
    expect(run.slots).toEqual([8]);
    harness.outlet.say({
      type: 'wake',
      revision: `default/job-${id}/00001`,
      queued: 20,
      inFlight: 0,
    });
    await harness.pass(3);
    expect(run.slots.at(-1)).toBe(16);
  });

  test('is refused when its input cannot be read, and leaves nothing', async () => {
    runner.refusal = 'no column "pixels"';
    await expect(create()).rejects.toThrow('no column "pixels"');
    expect(await names(true)).toEqual(['m']);
    expect(runner.removed.length).toBe(1);
  });

  test('is refused when it asks for shards where there are none', async () => {
    await expect(create({ shards: 2 })).rejects.toThrow(
      'shards: found 2, expected none: shards are pods',
    );
    expect(runner.runs).toEqual([]);
  });

  test('is refused when another one writes the same file', async () => {
    const first = await create({ output: { path: '/same.csv' } });
    await expect(create({ output: { path: '/a/.././same.csv' } })).rejects.toThrow(
      `job ${first} is to write /same.csv`,
    );
    await act(first, 'cancel');
    await create({ output: { path: '/same.csv' } });
  });

  test('that is done stays so, though it is noted at that moment how far it is', async () => {
    const id = await create();
    const run = await running();
    progress(run, 3);
    const { startedAt = 0 } = (await get(id)).value;
    while (harness.clock.now() < startedAt + 9000) await harness.pass(1);
    run.events.onMessage({ type: 'done', report: REPORT });
    harness.clock.advance(1000);
    await harness.pass(3);
    expect((await get(id)).value.state).toBe('Succeeded');
  });

  test('is looked at with few others at a time, however many are asked for', async () => {
    const start = runner.start.bind(runner);
    const counts: number[] = [];
    runner.start = (...given) => {
      const begun = start(...given);
      counts.push(runner.runs.filter(({ isCheck, ended }) => isCheck && !ended).length);
      return begun;
    };
    const paths = Array.from({ length: 12 }, (_, index) => `/${index}.csv`);
    await Promise.all(paths.map((path) => create({ output: { path } })));
    expect(Math.max(...counts)).toBe(4);
  });

  test('is looked at however many dry runs wait for a model that never answers', async () => {
    const start = runner.start.bind(runner);
    let tries = 0;
    runner.start = (order, events, tryRows) => {
      if (!tryRows) return start(order, events, tryRows);
      tries++;
      return { slots: () => undefined, end: async () => undefined };
    };
    for (let each = 0; each < 12; each++) {
      void harness.control.useCases.tryJob(ADMIN, 'default', request());
    }
    await rest();
    expect(tries).toBe(4);
    expect((await get(await create())).value.state).toBe('Pending');
  });

  test('needs the right to deploy', async () => {
    const { useCases } = harness.control;
    const invoker = { id: 'key:aaaaaaaa', role: 'invoke' } as const;
    await expect(useCases.createJob(invoker, 'default', request())).rejects.toThrow('needs deploy');
  });

  test.each([
    ['a model that is not there', { model: 'x' }, 'there is no model default/x'],
    ['a revision that is not there', { revision: 'v9' }, 'has no revision v9, but 00001'],
  ])('is refused for %s', async (_, part, why) => {
    await expect(create(part)).rejects.toThrow(why);
  });
});

describe('a runner that ends', () => {
  test('is started again, and the job fails when none gets further', async () => {
    const id = await create();
    for (let round = 0; round < 5; round++) {
      const run = await running();
      if (round === 0) progress(run, 0);
      endRun(run, 'ended by signal SIGKILL');
      await harness.pass(40);
    }
    expect((await get(id)).value).toMatchObject({
      state: 'Failed',
      reason: 'its runner ended by signal SIGKILL, 5 times without getting further',
    });
    expect(runner.living()).toEqual([]);
  });

  test('is started again for ever as long as it gets further', async () => {
    const id = await create();
    for (let round = 1; round <= 9; round++) {
      const run = await running();
      progress(run, round);
      endRun(run, 'ended by signal SIGKILL');
      await harness.pass(5);
    }
    expect((await get(id)).value.state).toBe('Running');
  });

  test('what it says cannot be done ends the job at once', async () => {
    const id = await create();
    const run = await running();
    const message = '11 of 100 rows have failed, at most 10 may';
    run.events.onMessage({ type: 'failed', code: 'invalid', message, problems: [] });
    await reaches(id, 'Failed');
    expect((await get(id)).value.reason).toBe(message);
  });

  test('a full disk is waited for', async () => {
    await create();
    const run = await running();
    const message = 'no space left';
    run.events.onMessage({ type: 'failed', code: 'storage_full', message, problems: [] });
    endRun(run, 'exited with status 0');
    await harness.pass(3);
    expect(runner.living().length).toBe(1);
    const [event] = await harness.events('JobRunnerEnded');
    expect(event?.why).toContain('no space left');
  });
});

describe('who has a job', () => {
  test('pauses and resumes it: its runner goes, and another one comes', async () => {
    const id = await create();
    progress(await running(), 3);
    await act(id, 'pause');
    await harness.pass(2);
    expect(runner.living()).toEqual([]);
    expect((await get(id)).value).toMatchObject({ state: 'Paused', rows: { done: 3 } });
    await act(id, 'resume');
    expect((await running()).order.id).toBe(id);
  });

  test('cancels it: all goes but its record, and that when it is deleted', async () => {
    const id = await create();
    await running();
    await act(id, 'cancel');
    await harness.pass(2);
    expect([runner.living(), await names(true)]).toEqual([[], ['m']]);
    await harness.control.useCases.deleteJob(ADMIN, 'default', id);
    await expect(get(id)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('cannot delete it while it runs', async () => {
    const id = await create();
    await running();
    const { useCases } = harness.control;
    await expect(useCases.deleteJob(ADMIN, 'default', id)).rejects.toThrow('is Running: cancel it');
  });

  test('gives it a deadline, which holds while it is paused, too', async () => {
    const id = await create({ deadline: '1m' });
    await running();
    await act(id, 'pause');
    await harness.pass(62);
    expect((await get(id)).value).toMatchObject({
      state: 'Failed',
      reason: 'not done within its deadline of 60s',
    });
  });

  test('cannot change the model that belongs to it', async () => {
    const id = await create();
    await rest();
    const { useCases } = harness.control;
    await expect(useCases.deleteModel(ADMIN, 'default', `job-${id}`)).rejects.toThrow(
      `belongs to job ${id}`,
    );
  });
});

test('two jobs run at a time, the others wait in their order', async () => {
  const ids = [await create(), await create(), await create(), await create()];
  await harness.pass(3);
  const states = async (): Promise<string[]> =>
    await Promise.all(ids.map(async (id) => (await get(id)).value.state));
  expect(await states()).toEqual(['Running', 'Running', 'Pending', 'Pending']);
  const run = runner.living().find(({ order }) => order.id === ids[1]);
  run?.events.onMessage({ type: 'done', report: REPORT });
  await harness.pass(3);
  expect(await states()).toEqual(['Running', 'Succeeded', 'Running', 'Pending']);
});

test('what of a job takes long to end holds up no other job', async () => {
  const stuck = await create();
  const other = await create();
  const next = await create();
  await harness.pass(3);
  const ofChecks = runner.removed.length;
  const cleared = Promise.withResolvers<void>();
  runner.clearing = cleared.promise;
  await act(stuck, 'cancel');
  await reaches(next, 'Running');
  await act(other, 'pause');
  await harness.pass(2);
  expect(runner.living().map(({ order }) => order.id)).toEqual([next]);
  expect(runner.removed.slice(ofChecks)).toEqual([]);
  cleared.resolve();
  await until('it is removed', () => runner.removed.length > ofChecks);
  await harness.pass(2);
  expect(runner.removed.slice(ofChecks)).toEqual([`/jobs/default/${stuck}`]);
});

test('after a restart jobs go on, and what ended ones have left goes', async () => {
  const id = await create();
  progress(await running(), 4);
  await harness.pass(12);
  const paused = await create();
  await act(paused, 'pause');
  await harness.restart();
  const run = await running();
  expect(run.order.id).toBe(id);
  expect((await get(id)).value).toMatchObject({ rows: { done: 4 } });
  expect(await names(true)).toEqual([`job-${id}`, `job-${paused}`, 'm']);
  expect((await get(paused)).value.state).toBe('Paused');
});

test('after a restart what many ended ones may have left is removed, a few at a time', async () => {
  const ids = [];
  for (let made = 0; made < 10; made++) {
    const id = await create();
    await act(id, 'cancel');
    ids.push(id);
  }
  const cleared = Promise.withResolvers<void>();
  await harness.restart(() => {
    runner.removed.length = 0;
    runner.clearing = cleared.promise;
  });
  await until('some are being removed', async () => {
    await harness.pass(1);
    return runner.clears >= 4;
  });
  await harness.pass(2);
  expect(runner.clears).toBe(4);
  cleared.resolve();
  await until('all are removed', () => runner.removed.length === ids.length);
  await harness.pass(2);
  expect(runner.removed.toSorted()).toEqual(ids.map((id) => `/jobs/default/${id}`).toSorted());
});
