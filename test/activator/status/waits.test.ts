import { expect, test } from 'vitest';
import type { Gate, Waiter } from '#activator/gate/gate.ts';
import { GRANT, HOLD } from '#policies/admission.ts';
import { NamedRequests } from '#activator/status/named.ts';
import { type RevisionRoute, Routes } from '#activator/routes.ts';
import type { InstanceRoute } from '#activator/upstream/instance-route.ts';
import { makeStatus } from '#activator/status/status.ts';
import { retryAfterOf, waitsOf } from '#activator/status/waits.ts';
import { NORMAL } from '#policies/priority.ts';
import { makeInstance, makeModel, makeRevision } from '../harness.ts';
import { QueueFields } from '../gate/queue-fields.ts';

/** One revision of concurrency 1, whose time passes when the test says so. */
function createWorld() {
  const world = { now: 1_000_000, wakes: 0 };
  const routes = new Routes(
    { domain: 'localhost' },
    {
      onWake: () => {
        world.wakes += 1;
      },
      onQuiet: () => {},
      onReleased: () => {},
      onDrained: () => {},
      onClosed: () => {},
      now: () => world.now,
      roll: () => 0,
    },
  );
  const change = {
    full: false,
    models: [makeModel({ revisions: [makeRevision({ concurrency: 1, coldStartSeconds: 3 })] })],
    instances: [],
    keys: [],
    removedModels: [],
    removedInstances: [],
    removedKeys: [],
  };
  routes.apply(change);
  const [route] = routes.allRevisions();
  if (!route) throw new Error('no revision');
  return {
    world,
    route,
    start: () => routes.apply({ ...change, models: [], instances: [makeInstance(1)] }),
    stop: () => routes.apply({ ...change, models: [], removedInstances: [makeInstance(1).id] }),
  };
}

function makeWaiter(
  arrivedAt: number,
  callerId = 'a',
): Waiter<InstanceRoute> & { instance: InstanceRoute | undefined } {
  return Object.assign(new QueueFields(), {
    callerId,
    priority: NORMAL,
    arrivedAt,
    heldBytes: 0,
    instance: undefined as InstanceRoute | undefined,
    onGranted(instance: InstanceRoute) {
      this.instance = instance;
    },
    onRefused() {},
  });
}

function waitNow(route: RevisionRoute, now: number): number | null {
  return makeStatus(route, now, [waitsOf(route)]).expectedWaitSeconds;
}

test('the next in line waits for the one that runs, by what requests have taken; Retry-After says the same', () => {
  const { world, route, start } = createWorld();
  start();
  const first = makeWaiter(world.now);
  expect(waitNow(route, world.now), 'a free instance').toBe(0);
  expect(route.gate.enter(first, 60_000)).toBe(GRANT);
  expect(waitNow(route, world.now), 'nothing was measured').toBe(null);
  world.now += 7000;
  route.gate.leave(first.instance!);
  expect(waitNow(route, world.now)).toBe(0);
  expect(route.gate.enter(makeWaiter(world.now), 60_000)).toBe(GRANT);
  expect(waitNow(route, world.now)).toBe(7);
  expect(retryAfterOf(route)).toBe(7);
  expect(route.gate.enter(makeWaiter(world.now), 60_000)).toBe(HOLD);
  expect(waitNow(route, world.now)).toBe(14);
  expect(retryAfterOf(route)).toBe(14);
});

test('what one data plane has measured counts for the slots of another', () => {
  const { world, route } = createWorld();
  const one = { waiting: 2, inFlight: 0, warm: true, hasRoom: false };
  const told = [
    { ...one, capacity: 0, serviceSeconds: 2 },
    { ...one, inFlight: 1, capacity: 1, ahead: 1 },
  ];
  expect(makeStatus(route, world.now, told, 'x')).toMatchObject({
    waiting: 4,
    inFlight: 1,
    expectedWaitSeconds: 10,
    request: { position: 3, expectedWaitSeconds: 6 },
  });
  const [first, second] = told;
  const moving = [first!, { ...second!, capacity: 0 }];
  expect(makeStatus(route, world.now, moving).expectedWaitSeconds, 'a slot moves').toBe(10);
});

test('what is left of a cold start is the same at the status and in Retry-After', () => {
  const { world, route } = createWorld();
  expect([waitNow(route, world.now), retryAfterOf(route)]).toEqual([3, 3]);
  route.gate.enter(makeWaiter(world.now), 60_000);
  world.now += 1500;
  const first = makeStatus(route, world.now, [{ ...waitsOf(route), waiting: 0 }]);
  expect([first.expectedWaitSeconds, retryAfterOf(route)]).toEqual([1.5, 2]);
  expect(waitNow(route, world.now), 'behind another, of unknown duration').toBeNull();
  world.now += 1600;
  expect([waitNow(route, world.now), retryAfterOf(route)], 'longer than usual').toEqual([null, 1]);
});

test('a model that was awake and sleeps again is not starting, however many waited before', () => {
  const { world, route, start, stop } = createWorld();
  const waiters = Array.from({ length: 6 }, () => makeWaiter(world.now));
  for (const waiter of waiters) route.gate.enter(waiter, 60_000);
  start();
  for (const waiter of waiters) route.gate.leave(waiter.instance!);
  stop();
  world.now += 5000;
  expect(makeStatus(route, world.now, [waitsOf(route)])).toMatchObject({
    state: 'asleep',
    expectedWaitSeconds: 3,
  });
});

test('the places of all who are followed cost one look at the queue', () => {
  const { world, route } = createWorld();
  const waiters = Array.from({ length: 2000 }, (_, i) => makeWaiter(world.now, `caller ${i % 7}`));
  for (const waiter of waiters) route.gate.enter(waiter, 60_000);
  const named = new NamedRequests();
  for (const [i, waiter] of waiters.entries()) named.add(`n/m/${i}`, route, waiter);
  let steps = 0;
  const { gate } = route;
  const inOrder = gate.inOrder.bind(gate);
  gate.inOrder = function* counted(this: Gate<InstanceRoute>) {
    for (const waiter of inOrder()) {
      steps += 1;
      yield waiter;
    }
  };
  const order = [...inOrder()];
  for (const [i, waiter] of waiters.entries()) {
    expect(named.ask(`n/m/${i}`, world.now)).toEqual({ ahead: order.indexOf(waiter) });
  }
  expect(steps).toBe(waiters.length);
  gate.cancel(order[0]!);
  const [next] = inOrder();
  const name = `n/m/${waiters.findIndex((waiter) => waiter === next)}`;
  expect(named.ask(name, world.now + 300)).toEqual({ ahead: 0 });
});

test('what became of a request is known for a while to who asked for it, and its name is free again', () => {
  const { world, route } = createWorld();
  const named = new NamedRequests();
  const [first, second, third] = [1, 2, 3].map(() => makeWaiter(world.now));
  for (const waiter of [first!, second!, third!]) route.gate.enter(waiter, 60_000);
  named.add('n/m/x', route, first!);
  expect(named.remove('n/m/x', first!, 'granted', world.now)).toBe(true);
  expect(named.ask('n/m/x', world.now), 'nobody had asked').toEqual({});
  named.add('n/m/x', route, first!);
  named.ask('n/m/x', world.now);
  named.remove('n/m/x', first!, 'granted', world.now);
  expect(named.ask('n/m/x', world.now)).toEqual({ ended: 'granted' });
  named.add('n/m/x', route, second!);
  expect(named.ask('n/m/x', world.now)).toEqual({ ahead: 1 });
  named.add('n/m/x', route, third!);
  expect(named.remove('n/m/x', second!, 'refused', world.now), 'it has lost the name').toBe(false);
  expect(named.ask('n/m/x', world.now)).toEqual({ ahead: 2 });
  named.remove('n/m/x', third!, 'refused', world.now);
  expect(named.ask('n/m/x', world.now + 3000)).toEqual({});
});
