import { expect, test } from 'vitest';
import { reportLoad } from '#activator/link/load.ts';
import { RevisionMetrics } from '#activator/metrics/revision-metrics.ts';
import { Routes } from '#activator/routes.ts';
import { Timers } from '#lib/timers.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { makeInstance, makeModel } from '../harness.ts';

const KEY = 'default/digits/v1';
const SECOND = 1000;

function createWorld() {
  const clock = createFakeClock();
  const world = { linked: true };
  const told: [concurrency: number, busySeconds: number][] = [];
  const now = (): number => clock.now();
  const nothing = (): void => {};
  const routes = new Routes(
    { domain: 'localhost' },
    {
      onWake: nothing,
      onQuiet: nothing,
      onReleased: nothing,
      onDrained: nothing,
      onClosed: nothing,
      now,
      roll: () => 0,
    },
  );
  routes.apply({
    full: true,
    models: [makeModel()],
    instances: [makeInstance(1)],
    keys: [],
    removedModels: [],
    removedInstances: [],
    removedKeys: [],
  });
  reportLoad({
    routes,
    timers: new Timers(clock),
    now,
    isLinked: () => world.linked,
    send: ({ revisions }) =>
      told.push(...revisions.map((load): [number, number] => [load.concurrency, load.busySeconds])),
  });
  const route = routes.findRevision(KEY)!;
  /** So many requests at once for so long; with the first of all it becomes known. */
  function run(count: number, ms: number): void {
    route.metrics ??= new RevisionMetrics('default', 'digits', 'v1');
    const taken = Array.from({ length: count }, () => route.gate.take()!);
    route.metrics.arrived();
    clock.advance(ms);
    for (const instance of taken) route.gate.leave(instance);
  }
  return { clock, world, told, run };
}

test.each([
  ['the first requests of all', 0],
  ['the first requests after an idle time', 1],
])('%s count for the time since the last report, however long nothing came', (_, before) => {
  const { clock, told, run } = createWorld();
  if (before > 0) run(before, SECOND);
  clock.advance(3600 * SECOND);
  told.length = 0;
  run(8, SECOND / 2);
  clock.advance(SECOND / 2);
  expect(told).toEqual([[4, 4]]);
});

test('what nobody could be told is in the first report that somebody hears, over all of its time', () => {
  const { clock, world, told, run } = createWorld();
  world.linked = false;
  run(8, SECOND);
  clock.advance(SECOND);
  world.linked = true;
  clock.advance(2 * SECOND);
  expect(told).toEqual([[8 / 3, 8]]);
});
