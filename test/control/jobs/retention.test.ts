import { describe, expect, test } from 'vitest';
import type { ProgramEnd } from '#control/jobs/program-runner.ts';
import type { BatchRequest, JobRequest } from '#domain/job.ts';
import { RETENTION_DEFAULTS, type RetentionDefaults } from '#domain/retention.ts';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';
import { ADMIN, createHarness, deployed, type Harness, program, rest } from '../harness.ts';
import { createWorld, type World } from '../retention/world.ts';
import { createFakePrograms, type FakePrograms } from './fake-programs.ts';
import { createFakeRunner, makeBatch } from './fake-runner.ts';

/** The record of a job that has ended is kept for a while, and for as long as something refers to it. */

const SECONDS = 60;
const RULES: RetentionDefaults = { ...RETENTION_DEFAULTS, jobs: { unusedFor: SECONDS * 1000 } };

const teardown = useTeardown();

interface Started {
  readonly harness: Harness;
  readonly programs: FakePrograms;
}

async function start(retention = RULES): Promise<Started> {
  let count = 0;
  const programs = createFakePrograms();
  const batch = { ...makeBatch(createFakeRunner(), () => `${++count}`), programs };
  const harness = await createHarness({ memory: true, batch, retention });
  teardown(() => harness.close());
  return { harness, programs };
}

function makeRequest(path: string): BatchRequest {
  return { model: 'm', input: { location: '/in.csv' }, output: { path } };
}

async function create(harness: Harness, request: JobRequest): Promise<string> {
  return (await harness.control.useCases.createJob(ADMIN, 'default', request)).value.id;
}

async function cancelled(harness: Harness, path = '/out.csv'): Promise<string> {
  const id = await create(harness, makeRequest(path));
  await harness.control.useCases.actOnJob(ADMIN, 'default', id, 'cancel');
  return id;
}

async function isThere({ store }: Harness, id: string): Promise<boolean> {
  return (await store.get('job', `default/${id}`)) !== undefined;
}

async function goes(harness: Harness, id: string): Promise<void> {
  await until(`job ${id} has gone`, async () => {
    if (!(await isThere(harness, id))) return true;
    await harness.pass(1);
    return false;
  });
}

/** What would become of jobs now, by their keys. */
async function plan(harness: Harness, namespace?: string): Promise<Record<string, string>> {
  const { rows } = await harness.control.useCases.planCollection(ADMIN, namespace);
  const jobs = rows.filter(({ kind }) => kind === 'job');
  return Object.fromEntries(jobs.map(({ key, why }) => [key, why]));
}

test('one that has ended goes in its time, and that is told; one that has not stays', async () => {
  const { harness } = await start();
  await deployed(harness);
  const paused = await create(harness, makeRequest('/a.csv'));
  await harness.control.useCases.actOnJob(ADMIN, 'default', paused, 'pause');
  const ended = await cancelled(harness, '/b.csv');
  const { endedAt = 0 } = (await harness.control.useCases.getJob(ADMIN, 'default', ended)).value;
  await harness.pass(SECONDS - 1);
  expect(await plan(harness)).toEqual({ [`default/${ended}`]: 'ended 59s ago (goes after 60s)' });
  expect(await plan(harness, 'other')).toEqual({});
  const { rows } = await harness.control.useCases.planCollection(ADMIN, 'default');
  expect(rows.find(({ kind }) => kind === 'job')).toMatchObject({
    keep: true,
    goesAt: endedAt + SECONDS * 1000,
  });

  await goes(harness, ended);
  expect(harness.clock.now()).toBeGreaterThanOrEqual(endedAt + SECONDS * 1000);
  const events = await harness.events('JobDeleted');
  expect(events).toHaveLength(1);
  expect(events[0]).toMatchObject({ model: 'm', actor: { id: 'system:retention' } });
  expect(events[0]?.why).toMatch(
    new RegExp(`^job ${ended}: ended [0-9.ms ]+ ago \\(goes after 60s\\)`),
  );
  expect(await harness.control.metrics()).toContain(
    'rouse_policy_decisions_total{policy="retention",decision="job"} 1',
  );
  await harness.pass(2 * SECONDS);
  expect(await isThere(harness, paused)).toBe(true);
});

test('what may go goes at once when somebody asks for it, in that namespace', async () => {
  const { harness } = await start({ ...RULES, jobs: { unusedFor: 0 } });
  await deployed(harness);
  const id = await cancelled(harness);
  const { useCases } = harness.control;
  expect(await useCases.collect(ADMIN, 'other')).toEqual([]);
  expect(await useCases.collect(ADMIN, 'default')).toEqual([
    { kind: 'job', key: `default/${id}`, why: expect.stringContaining('ago (goes after 0') },
  ]);
  expect(await isThere(harness, id)).toBe(false);
});

test('who deletes it by hand is named', async () => {
  const { harness } = await start();
  await deployed(harness);
  const id = await cancelled(harness);
  await harness.control.useCases.deleteJob(ADMIN, 'default', id);
  expect(await harness.events('JobDeleted')).toMatchObject([
    { why: `job ${id}: deleted by local`, actor: { id: 'local' } },
  ]);
});

test('time in which Rouse does not run does not count', async () => {
  const { harness } = await start();
  await deployed(harness);
  const id = await cancelled(harness);
  await harness.pass(10);
  await harness.restart(() => harness.clock.advance(100 * SECONDS * 1000));
  await harness.pass(SECONDS / 2);
  expect(await isThere(harness, id)).toBe(true);
  await goes(harness, id);
});

describe('one that is referred to stays', () => {
  test('by the revision that it has made, as long as that is there or can be restored', async () => {
    const undo = 3 * SECONDS * 1000;
    const { harness, programs } = await start({ ...RULES, undo });
    const source = await harness.upload('first');
    await deployed(harness, { revision: program({ source }), selection: { strategy: 'manual' } });
    await harness.pass(2);
    const id = await create(harness, { kind: 'program', args: ['./train'], model: 'm' });
    await until('it runs', async () => {
      await harness.pass(1);
      return programs.started.length > 0;
    });
    programs.started[0]?.end(await makeDone(harness));
    await harness.pass(2 * SECONDS);
    const key = 'default/m/00002';
    expect(await plan(harness)).toEqual({
      [`default/${id}`]: 'it has made revision 00002 of model m',
    });

    const { useCases } = harness.control;
    await useCases.deleteRevision(ADMIN, key);
    await harness.pass(2 * SECONDS);
    expect(await plan(harness)).toEqual({
      [`default/${id}`]: 'it has made revision 00002 of model m, which can be restored',
    });
    await useCases.restoreRevision(ADMIN, key);
    await harness.pass(2 * SECONDS);
    expect(await isThere(harness, id)).toBe(true);

    await useCases.deleteRevision(ADMIN, key, { now: true });
    await goes(harness, id);
  });

  test('by the schedule that shows its run', async () => {
    const { harness } = await start();
    await deployed(harness);
    const { useCases } = harness.control;
    await useCases.applySchedule(ADMIN, {
      apiVersion: 'rouse.dev/v1alpha1',
      kind: 'Schedule',
      metadata: { name: 'nightly' },
      spec: { schedule: '@yearly', batch: makeRequest('/out-{run}.csv') },
    });
    const { id } = await useCases.runSchedule(ADMIN, 'default', 'nightly');
    await harness.pass(3);
    await useCases.actOnJob(ADMIN, 'default', id, 'cancel');
    await harness.pass(2 * SECONDS);
    expect(await plan(harness)).toEqual({ [`default/${id}`]: 'it is a run of schedule nightly' });
    await useCases.deleteSchedule(ADMIN, 'default', 'nightly');
    await goes(harness, id);
  });
});

async function makeDone(harness: Harness): Promise<ProgramEnd> {
  const digest = (await harness.upload('second')).slice('sha256:'.length);
  const artifact = { digest, size: 6, name: 'model.bin', kind: 'file' } as const;
  const figures = { seconds: 1, cpuSeconds: 1, memoryBytes: 1000 };
  return {
    kind: 'done',
    result: { ...figures, made: { artifact, metrics: {}, parent: {} } },
  };
}

/** Calls of the store while a job goes, and what else happens then: a few more than there are. */
const MOST_STEPS = 12;

test('killed before, between and after any two steps, each goes once, and none before its time', async () => {
  let count = 0;
  const batch = makeBatch(createFakeRunner(), () => `${++count}`);
  const world = await createWorld(RULES, { batch });
  teardown(() => world.close());
  await world.life.control.useCases.applyModel(ADMIN, {
    apiVersion: 'rouse.dev/v1alpha1',
    kind: 'Model',
    metadata: { name: 'm' },
    spec: { revision: program() },
  });
  await passUntil(world, 'it is Ready', async () => {
    const stored = await world.store.get('revision', 'default/m/00001');
    return stored?.value.state === 'Ready';
  });
  for (let steps = 0; steps < MOST_STEPS; steps++) {
    const { useCases } = world.life.control;
    const { key } = await useCases.createJob(ADMIN, 'default', makeRequest('/out.csv'));
    await useCases.actOnJob(ADMIN, 'default', key.slice('default/'.length), 'cancel');
    await pass(world, SECONDS - 1);
    expect(await world.store.get('job', key)).toBeDefined();
    world.life.killable.killAfter(steps);
    await pass(world, 15);
    world.life.killable.killAfter(0);
    await world.begin();
    await passUntil(world, `${key} has gone`, async () => !(await world.store.get('job', key)));
  }
  const events = await world.store.events({ type: 'JobDeleted', limit: 1000 });
  expect(events).toHaveLength(MOST_STEPS);
});

async function pass(world: World, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await rest();
    world.clock.advance(1000);
  }
  await rest();
}

async function passUntil(world: World, what: string, holds: () => Promise<boolean>): Promise<void> {
  await until(what, async () => {
    if (await holds()) return true;
    await pass(world, 1);
    return false;
  });
}
