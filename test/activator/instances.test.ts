import { describe, expect, test } from 'vitest';
import type { Waiter } from '#activator/gate/gate.ts';
import { Routes } from '#activator/routes.ts';
import type { InstanceRoute } from '#activator/upstream/instance-route.ts';
import type { StateChange } from '#bus/subscriber.ts';
import type { RoutingInstance } from '#domain/routing.ts';
import { GRANT } from '#policies/admission.ts';
import { NORMAL } from '#policies/priority.ts';
import { QueueFields } from './gate/queue-fields.ts';
import { makeInstance, makeModel, makeRevision } from './harness.ts';

/**
 * What becomes of an instance by what control tells of it, whatever of it was known before: between two links any number
 * of changes may have been missed.
 */

const MODEL = makeModel({ revisions: [makeRevision({ concurrency: 1 })] });
const NOTHING: StateChange = {
  full: false,
  models: [],
  instances: [],
  keys: [],
  removedModels: [],
  removedInstances: [],
  removedKeys: [],
};

type Told = RoutingInstance['state'];
type By = 'delta' | 'snapshot';

class Request extends QueueFields implements Waiter<InstanceRoute> {
  readonly callerId = 'a';
  readonly priority = NORMAL;
  readonly arrivedAt = 0;
  readonly heldBytes = 0;
  instance: InstanceRoute | undefined;

  onGranted(instance: InstanceRoute): void {
    this.instance = instance;
  }

  onRefused(): void {}
}

/** A data plane's knowledge of one instance, of concurrency 1. */
function createWorld() {
  let drained = 0;
  const routes = new Routes(
    { domain: 'localhost' },
    {
      onWake: () => {},
      onQuiet: () => {},
      onReleased: () => {},
      onDrained: () => (drained += 1),
      now: () => 0,
      roll: () => 0,
    },
  );
  const tell = (states: readonly Told[], by: By = 'delta'): void => {
    const instances = states.map((state) => makeInstance(1, { state }));
    if (by === 'delta') routes.apply({ ...NOTHING, instances });
    else routes.apply({ ...NOTHING, full: true, models: [MODEL], instances });
  };
  routes.apply({ ...NOTHING, full: true, models: [MODEL] });
  const [route] = routes.allRevisions();
  if (!route) throw new Error('no revision');
  return {
    tell,
    remove: () => routes.apply({ ...NOTHING, removedInstances: [makeInstance(1).id] }),
    takeDrained: () => {
      const before = drained;
      drained = 0;
      return before;
    },
    ask() {
      const request = new Request();
      return { request, isGranted: route.gate.enter(request, 1000) === GRANT };
    },
    end({ instance }: Request): void {
      if (!instance) throw new Error('it was not granted');
      instance.gate.leave(instance);
    },
    get parked() {
      return route.parked.length;
    },
    get inFlight() {
      return route.gate.inFlight;
    },
  };
}

type World = ReturnType<typeof createWorld>;

/** How an instance comes to be known; the request that runs there, if one does. */
const known: [string, (world: World) => Request | undefined | void][] = [
  ['unknown', () => undefined],
  ['parked', ({ tell }) => tell(['parked'])],
  ['ready', ({ tell }) => tell(['ready'])],
  [
    'woken',
    ({ tell }) => {
      tell(['parked']);
      tell(['ready']);
    },
  ],
  ['in use', use],
  [
    'drained',
    ({ tell }) => {
      tell(['ready']);
      tell(['draining']);
    },
  ],
  [
    'draining',
    (world) => {
      const request = use(world);
      world.tell(['draining']);
      return request;
    },
  ],
];

function use(world: World): Request {
  world.tell(['ready']);
  return world.ask().request;
}

describe.each(known)('an instance that was %s', (before, begin) => {
  describe.each(['delta', 'snapshot'] as const)('by a %s', (by) => {
    function start() {
      const world = createWorld();
      const running = begin(world);
      world.takeDrained();
      return { world, running };
    }

    test('and is ready serves, one request at a time', () => {
      const { world, running } = start();
      world.tell(['ready'], by);
      expect(world.parked).toBe(0);
      const { request, isGranted } = world.ask();
      expect(isGranted).toBe(running === undefined);
      if (running) world.end(running);
      expect(request.instance).toBeDefined();
      expect(world.inFlight).toBe(1);
      expect(world.takeDrained()).toBe(0);
      world.tell(['draining']);
      expect(world.takeDrained(), 'while it runs').toBe(0);
      world.end(request);
      expect(world.takeDrained(), 'when it has ended').toBe(1);
    });

    test('and is parked serves when it is woken, and not before', () => {
      const { world, running } = start();
      world.tell(['parked'], by);
      expect(world.parked).toBe(1);
      const { request, isGranted } = world.ask();
      expect(isGranted).toBe(false);
      if (running) world.end(running);
      expect(request.instance).toBeUndefined();
      world.tell(['ready'], by);
      expect(request.instance).toBeDefined();
      expect(world.parked).toBe(0);
      expect(world.inFlight).toBe(1);
      expect(world.takeDrained()).toBe(0);
    });

    test('and is draining gets nothing, and is told drained once nothing runs there', () => {
      const { world, running } = start();
      world.tell(['draining'], by);
      expect(world.parked).toBe(0);
      expect(world.ask().isGranted).toBe(false);
      if (running) {
        expect(world.takeDrained()).toBe(0);
        world.end(running);
      }
      expect(world.takeDrained()).toBe(before === 'drained' ? 0 : 1);
      expect(world.inFlight).toBe(0);
    });

    test('and has gone gets nothing, and nothing is told of it', () => {
      const { world, running } = start();
      if (by === 'snapshot') world.tell([], by);
      else world.remove();
      expect(world.parked).toBe(0);
      expect(world.ask().isGranted).toBe(false);
      if (running) world.end(running);
      expect(world.inFlight).toBe(0);
      expect(world.takeDrained()).toBe(0);
    });
  });
});
