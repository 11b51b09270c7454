import { expect, test } from 'vitest';
import { RETENTION_DEFAULTS } from '#domain/retention.ts';
import { until } from '#test/until.ts';
import { ADMIN, program, rest } from '../harness.ts';
import { createFakeRunner, makeBatch } from '../jobs/fake-runner.ts';
import { createWorld, type World } from '../retention/world.ts';

const HOUR = 3_600_000;
/** Calls of the store between the time and the job's being told: a few more than there are. */
const MOST_STEPS = 25;

async function pass(world: World, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await rest();
    world.clock.advance(1000);
  }
  await rest();
}

async function deploy(world: World): Promise<void> {
  const { useCases } = world.life.control;
  const apiVersion = 'rouse.dev/v1alpha1';
  await useCases.applyModel(ADMIN, {
    apiVersion,
    kind: 'Model',
    metadata: { name: 'm' },
    spec: { revision: program() },
  });
  await until('it is Ready', async () => {
    await rest();
    world.clock.advance(100);
    return (await world.store.get('revision', 'default/m/00001'))?.value.state === 'Ready';
  });
  const output = { path: '/out-{run}.csv' };
  const batch = { model: 'm', input: { location: '/in.csv' }, output };
  await useCases.applySchedule(ADMIN, {
    apiVersion,
    kind: 'Schedule',
    metadata: { name: 'hourly' },
    spec: { schedule: '0 * * * *', concurrencyPolicy: 'Replace', batch },
  });
}

test('killed before, between and after any two steps, each time has one run and one job', async () => {
  const runner = createFakeRunner();
  const world = await createWorld(RETENTION_DEFAULTS, { batch: makeBatch(runner, () => 'x') });
  await deploy(world);
  const begunAt = Math.floor(world.clock.now() / HOUR);
  for (let steps = 0; steps < MOST_STEPS; steps++) {
    const next = (begunAt + steps + 1) * HOUR;
    world.clock.advance(next - world.clock.now() - 2000);
    await rest();
    world.life.killable.killAfter(steps);
    await pass(world, 6);
    world.life.killable.killAfter(0);
    await world.begin();
    await pass(world, 4);
  }
  const runs = (await world.store.list('scheduleRun')).map(({ value }) => value);
  const jobs = (await world.store.list('job')).map(({ value }) => value);
  const events = await world.store.events({ type: 'JobCreated', limit: 1000 });
  expect(events.length).toBe(MOST_STEPS);
  expect(jobs.length).toBe(MOST_STEPS);
  // Each was replaced by the next one, for which the last one waits.
  const open = jobs.filter(({ state }) => state === 'Running' || state === 'Pending');
  expect(open.map(({ id }) => id)).toEqual([runs.at(-1)?.id]);
  expect(runs.filter(({ state }) => state === 'Running').map(({ job }) => job)).toEqual([
    open[0]?.id,
  ]);
  expect((await world.store.get('schedule', 'default/hourly'))?.value.missed).toBe(0);
  await world.close();
});
