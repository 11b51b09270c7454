import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Instance } from '#runtime/runtime.ts';
import { until } from '#test/until.ts';
import { ADMIN, createHarness, deployed, type Harness, program } from './harness.ts';

/** Control ends and comes back while the instances live on. */

let harness: Harness;
let key: string;
beforeEach(async () => {
  harness = await createHarness();
  const revision = program({ concurrency: 1 });
  const keepAlive = { policy: 'fixed', idle: '10s' } as const;
  key = await deployed(harness, { revision, keepAlive, scaling: { max: 3 } });
});
afterEach(async () => {
  await harness.close();
});

function ready(): Instance[] {
  return harness.runtime.instances(key).filter(({ state }) => state === 'ready');
}

async function wakeThree(): Promise<string[]> {
  harness.outlet.say({ type: 'wake', revision: key, queued: 3 });
  await harness.pass(2, busy);
  expect(ready()).toHaveLength(3);
  return ready().map(({ id }) => id);
}

function busy(): void {
  harness.load({ inFlight: 3, concurrency: 3, arrivals: 3 });
}

test('the first that data planes hear names all that runs, with its state', async () => {
  await wakeThree();
  await harness.restartControl();
  const [first] = harness.outlet.updates;
  expect(first?.models).toHaveLength(1);
  expect(first?.instances?.map(({ id, state }) => [id, state])).toEqual(
    ready().map(({ id }) => [id, 'ready']),
  );
});

test('what is in use stays, and as many; nothing is started or stopped', async () => {
  const ids = await wakeThree();
  await harness.restartControl();
  await harness.pass(40, busy);
  expect(ready().map(({ id }) => id)).toEqual(ids);
  expect(harness.runtime.instances()).toHaveLength(3);
  await harness.pass(90, () => harness.load({ inFlight: 1, concurrency: 1, arrivals: 1 }));
  expect(ready().length).toBeLessThan(3);
});

test('what is not used goes after its idle time, counted anew', async () => {
  await wakeThree();
  await harness.restartControl();
  await harness.pass(8);
  expect(ready()).toHaveLength(3);
  await harness.pass(4);
  expect(ready()).toHaveLength(0);
});

test('what was deleted meanwhile is stopped', async () => {
  await wakeThree();
  const { runtime } = harness;
  const keep = runtime.want.bind(runtime);
  // As if control had died between the two: deleted in the store, and the order never given.
  runtime.want = async () => {};
  await harness.control.useCases.deleteModel(ADMIN, 'default', 'm');
  await harness.restartControl();
  expect(runtime.instances()).toHaveLength(3);
  runtime.want = keep;
  await harness.restartControl();
  await until('all drain or have gone', () => ready().length === 0);
});

test('of what was deleted meanwhile and has no instances nothing shall run, if its model is still there', async () => {
  await harness.close();
  let made: string[] = [];
  const routes = {
    models: () => ['default/m'],
    revisions: () => made,
    route: () => {},
    forget: async () => {},
  };
  harness = await createHarness({ routes });
  key = await deployed(harness, { revision: program(), keepAlive: { policy: 'fixed' } });
  const ordered: [string, number][] = [];
  harness.runtime.want = async (workload, { max }) => void ordered.push([workload.key, max]);
  made = [key, 'default/m/v9', 'default/gone/v1'];
  await harness.restartControl();
  expect(ordered.filter(([ordered]) => ordered !== key)).toEqual([['default/m/v9', 0]]);
});

test('what drains is let go when every process that lives has let go of it', async () => {
  await wakeThree();
  await harness.control.useCases.deleteModel(ADMIN, 'default', 'm');
  const draining = harness.runtime.instances();
  expect(draining.map(({ state }) => state)).toEqual(['draining', 'draining', 'draining']);
  let tell: (alive: readonly string[]) => void = () => {};
  await harness.restartControl((listener) => {
    tell = listener;
    listener(['plane-1', 'plane-2']);
  });
  const { outlet, runtime } = harness;
  for (const { id } of draining) outlet.say({ type: 'drained', instance: id }, 'plane-1');
  // Its link has gone; whether it still holds something, nobody knows.
  outlet.leave('plane-2');
  await harness.pass(1);
  expect(runtime.instances()).toHaveLength(3);
  outlet.say({ type: 'drained', instance: draining[0]?.id ?? '' }, 'plane-2');
  await until('one is let go', () => runtime.instances().length === 2);
  tell(['plane-1', 'plane-3']);
  await until('all are let go', () => runtime.instances().length === 0);
});
