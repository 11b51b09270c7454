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
  let closed = 0;
  let roused: string[] = [];
  const routes = new Routes(
    { domain: 'localhost' },
    {
      onWake(_wanted, instance) {
        if (instance) roused.push(instance.id);
      },
      onQuiet: () => {},
      onReleased: () => {},
      onDrained: () => (drained += 1),
      onClosed: () => (closed += 1),
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
    removeModel: () => routes.apply({ ...NOTHING, removedModels: ['default/digits'] }),
    remove: () => routes.apply({ ...NOTHING, removedInstances: [makeInstance(1).id] }),
    takeDrained: () => {
      const before = drained;
      drained = 0;
      return before;
    },
    takeRoused: () => {
      const before = roused;
      roused = [];
      return before;
    },
    get closed() {
      return closed;
    },
    ask() {
      const request = new Request();
      return { request, isGranted: route.gate.enter(request, 1000) === GRANT };
    },
    take: () => route.gate.take(),
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
  ['dozing', ({ tell }) => tell(['dozing'])],
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

    test('and dozes is sent to at once, one request at a time, and it is told which', () => {
      const { world, running } = start();
      if (running) world.end(running);
      world.tell(['dozing'], by);
      expect(world.parked).toBe(1);
      const first = world.ask();
      expect(first.isGranted).toBe(true);
      expect(world.takeRoused()).toEqual([makeInstance(1).id]);
      const second = world.ask();
      expect(second.isGranted).toBe(false);
      world.tell(['ready'], by);
      expect(second.request.instance).toBeUndefined();
      world.end(first.request);
      expect(second.request.instance).toBeDefined();
      expect(world.takeRoused()).toEqual([]);
      expect(world.inFlight).toBe(1);
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

describe('an instance that dozed', () => {
  function start() {
    const world = createWorld();
    world.tell(['dozing']);
    return world;
  }

  test('and is parked for good is asked for, and it is told once that nothing is sent to it', () => {
    const world = start();
    world.tell(['parked']);
    world.tell(['parked'], 'snapshot');
    expect(world.closed).toBe(1);
    expect(world.ask().isGranted).toBe(false);
    expect(world.takeRoused()).toEqual([]);
  });

  test.each(['parked', 'dozing'] as const)(
    'and was roused serves on when it is said to be %s: that was said before',
    (state) => {
      const world = start();
      const { request } = world.ask();
      const { request: next } = world.ask();
      world.tell([state]);
      expect(world.parked).toBe(0);
      expect(world.closed).toBe(0);
      world.end(request);
      expect(next.instance).toBe(request.instance);
      world.tell(['ready']);
      world.tell(['draining']);
      expect(world.takeDrained()).toBe(0);
      world.end(next);
      expect(world.takeDrained()).toBe(1);
    },
  );

  test('and was roused finishes what it has when it is to end', () => {
    const world = start();
    const { request } = world.ask();
    world.tell(['draining']);
    expect(world.ask().isGranted).toBe(false);
    expect(world.takeDrained()).toBe(0);
    world.end(request);
    expect(world.takeDrained()).toBe(1);
  });

  test('and is to end with its model is let go of at once', () => {
    const world = start();
    world.removeModel();
    world.tell(['draining']);
    expect(world.takeDrained()).toBe(1);
  });

  test('is not roused before those who wait', () => {
    const world = createWorld();
    const { request: waiting } = world.ask();
    world.tell(['dozing']);
    expect(world.ask().isGranted).toBe(false);
    expect(world.takeRoused()).toEqual([]);
    world.tell(['ready']);
    expect(waiting.instance).toBeDefined();
  });

  test('is not roused by what would rather not run than wait', () => {
    const world = start();
    expect(world.take()).toBeUndefined();
    expect(world.takeRoused()).toEqual([]);
  });
});
