import { afterEach, beforeEach, expect, test } from 'vitest';
import { RETENTION_DEFAULTS } from '#domain/retention.ts';
import { until } from '#test/until.ts';
import { ADMIN, program, rest } from '../harness.ts';
import { createWorld, type World } from './world.ts';

const MINUTE = 60_000;

let world: World;

beforeEach(async () => {
  world = await createWorld({ ...RETENTION_DEFAULTS, models: { unusedFor: 30 * MINUTE } });
});

afterEach(() => world.close());

async function pass(minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute++) {
    await rest();
    world.clock.advance(MINUTE);
  }
  await rest();
}

async function deploy(): Promise<void> {
  await world.life.control.useCases.applyModel(ADMIN, {
    apiVersion: 'rouse.dev/v1alpha1',
    kind: 'Model',
    metadata: { name: 'm' },
    spec: { revision: program() },
  });
  await until('it is Ready', async () => {
    await rest();
    world.clock.advance(100);
    return (await world.store.get('revision', 'default/m/00001'))?.value.state === 'Ready';
  });
}

function use(): void {
  const none = { inFlight: 0, queued: 0, concurrency: 0, coldArrivals: 0 };
  const load = {
    ...none,
    revision: 'default/m/00001',
    arrivals: 1,
    busySeconds: 0,
    coldSeconds: 0,
  };
  world.life.outlet.say({ type: 'load', at: world.clock.now(), revisions: [load] });
}

const isThere = async (): Promise<boolean> =>
  (await world.store.get('model', 'default/m')) !== undefined;

test('a use that was lost when control was killed still counts', async () => {
  await deploy();
  await pass(28);
  use();
  world.life.killable.killAfter(0);
  await world.begin();
  await pass(28);
  expect(await isThere()).toBe(true);
  await pass(4);
  expect(await isThere()).toBe(false);
});

test('an end in order loses no use, and no time', async () => {
  await deploy();
  await pass(10);
  use();
  await world.end();
  world.clock.advance(90 * MINUTE);
  await world.begin();
  await pass(28);
  expect(await isThere()).toBe(true);
  await pass(4);
  expect(await isThere()).toBe(false);
});

test('killed in the middle of clearing away, it goes on with it', async () => {
  await deploy();
  await pass(29);
  for (let steps = 1; (await isThere()) && steps < 40; steps++) {
    world.life.killable.killAfter(steps);
    await pass(32);
    if (!world.life.killable.isDead) break;
    const [models, revisions] = [
      await world.store.list('model'),
      await world.store.list('revision'),
    ];
    const tombstones = await world.store.list('tombstone');
    expect(revisions).toHaveLength(models.length);
    expect(tombstones).toHaveLength(models.length === 0 ? 2 : 0);
    await world.begin();
  }
  expect(await isThere()).toBe(false);
});
