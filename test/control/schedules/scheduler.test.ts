import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { JobReport } from '#domain/job.ts';
import type { ScheduleInput } from '#domain/schedule.ts';
import type { ScheduleRun } from '#domain/schedule-run.ts';
import { until } from '#test/until.ts';
import { ADMIN, createHarness, deployed, type Harness, rest } from '../harness.ts';
import { createFakeRunner, type FakeRunner, makeBatch } from '../jobs/fake-runner.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const REPORT: Omit<JobReport, 'instanceSeconds'> = {
  rows: { total: 1, done: 1, failed: 0 },
  failures: [],
  seconds: 1,
  rowsPerSecond: 1,
  requests: 1,
  retries: 0,
  latency: { p50: 1, p95: 1, p99: 1, max: 1 },
  batchSize: 1,
  outputs: [],
};

let runner: FakeRunner;
let harness: Harness;

beforeEach(async () => {
  runner = createFakeRunner();
  let count = 0;
  harness = await createHarness({ batch: makeBatch(runner, () => `${++count}`) });
  await deployed(harness);
});

afterEach(() => harness.close());

function hourly(part: Partial<ScheduleInput['spec']> = {}): ScheduleInput {
  const output = { path: '/out-{date}-{time}.csv' };
  return {
    apiVersion: 'rouse.dev/v1alpha1',
    kind: 'Schedule',
    metadata: { name: 'hourly' },
    spec: {
      schedule: '0 * * * *',
      batch: { model: 'm', input: { location: '/in.csv' }, output },
      ...part,
    },
  };
}

const apply = (part: Partial<ScheduleInput['spec']> = {}) =>
  harness.control.useCases.applySchedule(ADMIN, hourly(part));
const get = () => harness.control.useCases.getSchedule(ADMIN, 'default', 'hourly');
const run = () => harness.control.useCases.runSchedule(ADMIN, 'default', 'hourly');
/** Newest first. */
const runs = (): Promise<ScheduleRun[]> =>
  harness.control.useCases.listRuns(ADMIN, 'default', 'hourly');
const jobs = async (): Promise<string[]> =>
  (await harness.control.useCases.listJobs(ADMIN, 'default')).map(({ value }) => value.id);

/** Fast, but second by second where something is due. */
async function passHours(hours: number): Promise<void> {
  const { clock } = harness;
  const end = clock.now() + hours * HOUR;
  for (let hour = nextHour(clock.now()); hour <= end; hour += HOUR) {
    clock.advance(Math.max(0, hour - clock.now() - 2000));
    await harness.pass(4);
  }
  clock.advance(Math.max(0, end - clock.now()));
  await harness.pass(1);
}

const nextHour = (now: number): number => (Math.floor(now / HOUR) + 1) * HOUR;

async function reaches(state: string, index = 0): Promise<ScheduleRun> {
  await until(`run ${index} is ${state}`, async () => {
    if ((await runs())[index]?.state === state) return true;
    await harness.pass(1);
    return false;
  });
  return (await runs())[index]!;
}

/** All rows of all jobs that run. */
async function finish(): Promise<void> {
  for (const one of runner.living()) {
    one.events.onMessage({ type: 'done', report: REPORT });
    one.ended = true;
  }
  await harness.pass(3);
}

const shape = (all: readonly ScheduleRun[]): string[] =>
  all.map(({ trigger, state, scheduledAt }) => {
    const time = new Date(scheduledAt).toISOString().slice(11, 16);
    return `${time} ${trigger} ${state}`;
  });

describe('a run', () => {
  test('is a job at its time, with the paths of that time', async () => {
    await apply();
    expect(await get()).toMatchObject({ nextAt: Date.UTC(2030, 0, 1, 1) });
    await passHours(1);
    const one = await reaches('Running');
    expect(one).toMatchObject({
      trigger: 'time',
      scheduledAt: Date.UTC(2030, 0, 1, 1),
      job: one.id,
    });
    const { value } = await harness.control.useCases.getJob(ADMIN, 'default', one.id);
    expect(value.spec).toMatchObject({ output: { path: '/out-2030-01-01-01-00.csv' } });
    await finish();
    expect(await reaches('Succeeded')).toMatchObject({ reason: '1 rows in 1.0 s' });
    const types = (await harness.events()).map(({ type }) => type);
    expect(types.filter((type) => type.startsWith('Schedule'))).toEqual([
      'ScheduleCreated',
      'ScheduleRunStarted',
      'ScheduleRunSucceeded',
    ]);
  });

  test('that cannot be done has failed, and says why', async () => {
    await apply();
    runner.refusal = 'no column "pixels"';
    await passHours(1);
    expect(await reaches('Failed')).toMatchObject({ reason: 'no column "pixels"' });
    expect(await jobs()).toEqual([]);
  });

  test('ends as its job does', async () => {
    await apply();
    await passHours(1);
    const { id } = await reaches('Running');
    await harness.control.useCases.actOnJob(ADMIN, 'default', id, 'cancel');
    expect(await reaches('Cancelled')).toMatchObject({ reason: 'cancelled by local' });
  });

  test('comes later by the same share of its jitter each time', async () => {
    const { nextAt = 0 } = await apply({ jitter: '10m' });
    const delay = nextAt - Date.UTC(2030, 0, 1, 1);
    expect(delay).toBeGreaterThan(0);
    expect(delay).toBeLessThan(10 * MINUTE);
    await passHours(1.5);
    expect((await runs())[0]).toMatchObject({ scheduledAt: Date.UTC(2030, 0, 1, 1) });
    expect((await get()).nextAt).toBe(Date.UTC(2030, 0, 1, 2) + delay);
  });
});

describe('while the one before has not ended', () => {
  test('Allow: both run', async () => {
    await apply();
    await passHours(2);
    await reaches('Running');
    expect(shape(await runs())).toEqual(['02:00 time Running', '01:00 time Running']);
  });

  test('Forbid: it is skipped, and says for which', async () => {
    await apply({ concurrencyPolicy: 'Forbid' });
    await passHours(2);
    const [second, first] = await runs();
    expect(shape([second!, first!])).toEqual(['02:00 time Skipped', '01:00 time Running']);
    expect(second?.reason).toBe(`run ${first?.id} has not ended`);
    await expect(run()).rejects.toThrow('concurrencyPolicy is Forbid');
    await finish();
    await run();
    await reaches('Running');
  });

  test('Allow: only so many run, whoever asks for them', async () => {
    const output = { path: '/out-{run}.csv' };
    await apply({ suspend: true, batch: { ...hourly().spec.batch!, output } });
    for (let count = 0; count < 20; count++) await run();
    await expect(run()).rejects.toThrow('20 of its runs have not ended');
    expect((await runs()).length).toBe(20);
  });

  test('Replace: it ends, and the new one runs', async () => {
    await apply({ concurrencyPolicy: 'Replace' });
    await passHours(2);
    const second = await reaches('Running');
    const first = await reaches('Cancelled', 1);
    expect(first.reason).toBe(`replaced by run ${second.id}`);
    const job = await harness.control.useCases.getJob(ADMIN, 'default', first.id);
    expect(job.value.state).toBe('Cancelled');
    expect(runner.living().length).toBe(1);
  });
});

describe('what was missed while nobody was there', () => {
  async function sleep(hours: number): Promise<void> {
    await harness.restart(() => harness.clock.advance(hours * HOUR));
    await harness.pass(3);
  }

  test('is caught up once, and the others are counted', async () => {
    await apply();
    await passHours(0.5);
    await sleep(3);
    await reaches('Running');
    expect(shape(await runs())).toEqual(['03:00 catchUp Running']);
    expect((await get()).schedule.value.missed).toBe(2);
    expect(await harness.control.metrics()).toContain(
      'rouse_schedule_missed_total{namespace="default",schedule="hourly"} 2',
    );
  });

  test('is skipped when it is later than its deadline', async () => {
    await apply({ startingDeadline: '10m' });
    await passHours(0.5);
    await sleep(3);
    expect(shape(await runs())).toEqual(['03:00 time Skipped']);
    expect(runner.runs).toEqual([]);
  });

  test('a run that was going on is the same one', async () => {
    await apply();
    await passHours(1);
    const before = await reaches('Running');
    await harness.restart();
    await harness.pass(3);
    expect(await runs()).toEqual([before]);
    await finish();
    await reaches('Succeeded');
    expect((await jobs()).length).toBe(1);
  });
});

describe('who has a schedule', () => {
  test('runs it at once, though it is suspended', async () => {
    await apply({ suspend: true });
    await passHours(2);
    expect(await runs()).toEqual([]);
    expect((await get()).nextAt).toBeUndefined();
    const made = await run();
    expect(made).toMatchObject({ trigger: 'manual', reason: 'asked for by local' });
    expect(await reaches('Running')).toMatchObject({ id: made.id });
  });

  test('resumes it: what passed meanwhile does not come', async () => {
    await apply({ suspend: true });
    await passHours(3);
    await apply({ suspend: false });
    await harness.pass(3);
    expect(await runs()).toEqual([]);
    await passHours(1);
    await reaches('Running');
    expect((await get()).schedule.value.missed).toBe(0);
  });

  test('changes its times: those of the past are none of the new ones', async () => {
    await apply({ schedule: '0 5 * * *' });
    await passHours(2.5);
    await apply({ schedule: '0 2 * * *' });
    await harness.pass(5);
    expect(await runs()).toEqual([]);
    expect((await get()).nextAt).toBe(Date.UTC(2030, 0, 2, 2));
  });

  test('deletes it with its history; its job goes on', async () => {
    await apply();
    await passHours(1);
    const { id } = await reaches('Running');
    await harness.control.useCases.deleteSchedule(ADMIN, 'default', 'hourly');
    await passHours(2);
    await expect(get()).rejects.toThrow('there is no schedule default/hourly');
    expect(await harness.store.list('scheduleRun')).toEqual([]);
    expect(await jobs()).toEqual([id]);
    expect(runner.living().length).toBe(1);
  });

  test('writes the same document again, and nothing changes', async () => {
    expect(await apply()).toMatchObject({ outcome: 'created' });
    const { schedule } = await get();
    expect(await apply()).toMatchObject({
      outcome: 'unchanged',
      schedule: { version: schedule.version },
    });
    expect(await apply({ history: 3 })).toMatchObject({ outcome: 'changed' });
    await expect(
      harness.control.useCases.applySchedule(ADMIN, hourly(), schedule.version),
    ).rejects.toMatchObject({ code: 'precondition_failed' });
  });

  test('needs the right to deploy, and a model that there is', async () => {
    const { useCases } = harness.control;
    const invoker = { id: 'key:aaaaaaaa', role: 'invoke' } as const;
    await expect(useCases.applySchedule(invoker, hourly())).rejects.toThrow('needs deploy');
    const batch = { ...hourly().spec.batch!, model: 'x' };
    await expect(apply({ batch })).rejects.toThrow('spec.batch.model: found "x"');
  });
});

test('only so many runs are remembered, of the newest', async () => {
  await apply({ history: 2 });
  for (let hour = 1; hour <= 4; hour++) {
    await passHours(1);
    await finish();
  }
  await rest();
  expect(shape(await runs())).toEqual(['04:00 time Succeeded', '03:00 time Succeeded']);
  expect((await harness.store.list('scheduleRun')).length).toBe(2);
});

test('a model that a schedule names stays, though nobody asks for it', async () => {
  await apply();
  const { rows } = await harness.control.useCases.planCollection(ADMIN, 'default');
  expect(rows.find(({ key }) => key === 'default/m')?.why).toContain('schedule hourly needs it');
});
