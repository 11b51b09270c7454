import { queryObjects } from 'node:v8';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RECLAIM_MS } from '#control/leases/lease-processes.ts';
import { createLeases } from '#control/leases/leases.ts';
import { TURN_MS } from '#policies/lease.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { createWorld, type Plane, type World } from './leases-world.ts';

const RUNS = 3000;
/** They take six seconds of a processor, of which a busy machine has little. */
const HISTORIES_MS = 180_000;

/** Something happens; its name and number are what a failed run prints. */
class Step {
  readonly name: string;
  readonly index: number;
  readonly act: (world: World, index: number) => void;

  constructor(name: string, index: number, act: (world: World, index: number) => void) {
    this.name = name;
    this.index = index;
    this.act = act;
  }

  toString(): string {
    return `${this.name} ${this.index}`;
  }
}

function planeAt(world: World, index: number): Plane | undefined {
  const planes = [...world.planes.values()];
  return planes[index % Math.max(1, planes.length)];
}

function often(
  weight: number,
  name: string,
  act: (world: World, index: number) => void,
): { weight: number; arbitrary: fc.Arbitrary<Step> } {
  return { weight, arbitrary: fc.nat(50).map((index) => new Step(name, index, act)) };
}

function onPlane(
  weight: number,
  name: string,
  act: (world: World, plane: Plane, index: number) => void,
): { weight: number; arbitrary: fc.Arbitrary<Step> } {
  return often(weight, name, (world, index) => {
    const plane = planeAt(world, index);
    if (plane) act(world, plane, Math.floor(index / 4));
  });
}

const TRAFFIC = [
  onPlane(10, 'arrive', (world, plane) => world.arrive(plane)),
  onPlane(8, 'finish', (world, plane, index) =>
    world.finish(plane, plane.running[index % Math.max(1, plane.running.length)]),
  ),
  onPlane(8, 'up', (_, plane) => void plane.wire?.deliver('up')),
  onPlane(8, 'down', (_, plane) => void plane.wire?.deliver('down')),
  often(1, 'deliver', (world) => world.deliverAll()),
  often(4, 'wait', (world, ms) => world.clock.advance(ms)),
];

const BREAKAGE = [
  often(1, 'wait long', (world) => world.clock.advance(RECLAIM_MS)),
  onPlane(2, 'break', (_, plane) => plane.wire?.breakOff()),
  onPlane(3, 'lose', (_, plane) => plane.wire?.lose()),
  onPlane(1, 'end link', (_, plane) => plane.wire?.end()),
  onPlane(4, 'connect', (_, plane) => plane.connect()),
  often(2, 'start instance', (world) => {
    if (world.instances.size < 3) world.startInstance();
  }),
  often(1, 'lose instance', (world, index) => {
    const id = [...world.instances.keys()][index % 6];
    if (id) world.loseInstance(id);
  }),
  often(1, 'start process', (world) => {
    if (world.planes.size < 4) world.startPlane();
  }),
  onPlane(1, 'kill', (world, plane) => {
    if (world.planes.size > 1) plane.kill();
  }),
  often(3, 'last words of the killed', (world) => world.deliverLate()),
  often(2, 'list processes', (world) => world.list()),
  often(1, 'stop control', (world) => world.stopControl()),
  often(4, 'start control', (world) => world.startControl()),
];

/** All is well again: whoever waits is served, and nothing of the past keeps a slot from anybody. */
function comeToRest(world: World): void {
  world.startControl();
  if (world.instances.size === 0) world.startInstance();
  world.list();
  for (const plane of world.planes.values()) plane.connect();
  // With the next change of the state it shows that one was lost.
  world.control?.publisher.update({});
  for (let round = 0; round < 500; round++) {
    world.deliverAll();
    expect(world.overloaded()).toEqual([]);
    for (const plane of world.planes.values()) {
      for (const slot of plane.running.slice()) world.finish(plane, slot);
    }
    world.clock.advance(10);
    if ([...world.planes.values()].every((plane) => world.waitingAt(plane) === 0)) return;
  }
  const left = [...world.planes.values()].map((plane) => `${plane.id}: ${world.waitingAt(plane)}`);
  throw new Error(`they wait in vain: ${left.join(', ')}`);
}

function makeWorld(concurrency: number, planes: number, instances: number): World {
  const world = createWorld(concurrency);
  world.startControl();
  for (let count = 0; count < planes; count++) world.startPlane();
  world.list();
  world.deliverAll();
  for (let count = 0; count < instances; count++) world.startInstance();
  world.deliverAll();
  return world;
}

function checkHistories(step: fc.Arbitrary<Step>): void {
  const concurrency = fc.constantFrom(1, 1, 1, 2, 5, 40);
  const few = fc.integer({ min: 1, max: 3 });
  const steps = fc.array(step, { maxLength: 150, size: 'max' });
  const history = fc.property(concurrency, few, few, steps, (each, planes, instances, all) => {
    const world = makeWorld(each, planes, instances);
    for (const { act, index } of all) {
      act(world, index);
      expect(world.overloaded()).toEqual([]);
    }
    comeToRest(world);
  });
  fc.assert(history, { numRuns: RUNS });
}

describe(`an instance never has more in flight than it takes, and all are served (${RUNS} random histories)`, () => {
  test('messages late', () => checkHistories(fc.oneof(...TRAFFIC)), HISTORIES_MS);
  test(
    'links, processes, instances and control fail',
    () => checkHistories(fc.oneof(...TRAFFIC, ...BREAKAGE)),
    HISTORIES_MS,
  );
});

interface Contest {
  readonly concurrency: number;
  readonly serviceMs: number;
  /** How many always wait at each data plane. */
  readonly waiting: readonly number[];
}

const SECONDS = 20;
/** What was seen with few requests at a time, when turns of several slots fall together: 1.7 times. */
const MUCH = 2;

/** Messages take a millisecond. `longest`: the longest time, in ms, in which each had no grant. */
function contest(
  { concurrency, serviceMs, waiting }: Contest,
  lasts = SECONDS * 1000,
  world = makeWorld(concurrency, waiting.length, 1),
) {
  const planes = [...world.planes.values()];
  const ends = planes.map((): number[] => []);
  const longest = planes.map(() => 0);
  const last = planes.map(() => 0);
  const start = planes.map((plane) => plane.grants);
  let messages = 0;
  for (let ms = 0; ms < lasts; ms++) {
    const before = planes.map((plane) => plane.grants);
    for (const [at, plane] of planes.entries()) {
      const due = ends[at]!;
      for (; due[0] !== undefined && due[0] <= ms; due.shift()) {
        world.finish(plane, plane.running[0]);
      }
      while (world.waitingAt(plane) < waiting[at]!) world.arrive(plane);
    }
    messages += world.deliverAll();
    expect(world.overloaded()).toEqual([]);
    for (const [at, { running, grants }] of planes.entries()) {
      while (ends[at]!.length < running.length) ends[at]!.push(ms + serviceMs);
      if (grants > before[at]!) last[at] = ms;
      longest[at] = Math.max(longest[at]!, ms - last[at]!);
    }
    world.clock.advance(1);
  }
  const grants = planes.map((plane, at) => plane.grants - start[at]!);
  return { grants, total: grants.reduce((all, each) => all + each, 0), longest, messages };
}

/**
 * The longest time without a grant for one at which always some wait: its next turn comes when the turns of the
 * others have brought it the credit for one. A turn ends with the request that runs then.
 */
function longestWait({ concurrency, serviceMs, waiting }: Contest, at: number): number {
  const fair = waiting[at]! / waiting.reduce((all, each) => all + each, 0);
  const turn = TURN_MS + serviceMs;
  return (2 * turn) / Math.min(1, fair * concurrency) + (waiting.length - 1) * turn;
}

describe('grants go in proportion to who waits', () => {
  test.each([
    { concurrency: 1, serviceMs: 1, waiting: [60, 20] },
    { concurrency: 1, serviceMs: 7, waiting: [60, 20] },
    { concurrency: 1, serviceMs: 100, waiting: [60, 20] },
    { concurrency: 1, serviceMs: 2, waiting: [50, 50] },
    { concurrency: 1, serviceMs: 2, waiting: [95, 5] },
    { concurrency: 3, serviceMs: 5, waiting: [60, 20] },
    { concurrency: 8, serviceMs: 5, waiting: [60, 60] },
    { concurrency: 32, serviceMs: 5, waiting: [300, 100] },
    { concurrency: 100, serviceMs: 20, waiting: [900, 300] },
  ] satisfies Contest[])('$concurrency at once, $serviceMs ms each, waiting $waiting', (each) => {
    const { grants, total, longest, messages } = contest(each);
    const [first, second] = each.waiting as [number, number];
    const fair = second / (first + second);
    // What is less than a sixteenth of the capacity is not moved for its own sake.
    expect(Math.abs(grants[1]! / total - fair)).toBeLessThan(1 / 16);
    expect(longest[1]).toBeLessThan(longestWait(each, 1));
    // Handing over costs little, and messages come with the time, not with the requests.
    expect(total).toBeGreaterThan((0.9 * SECONDS * 1000 * each.concurrency) / each.serviceMs);
    expect(messages / SECONDS).toBeLessThan(300);
  });

  test.each([
    { concurrency: 5, serviceMs: 4, waiting: [1, 1, 4] },
    { concurrency: 2, serviceMs: 4, waiting: [1, 1, 1] },
    { concurrency: 1, serviceMs: 4, waiting: [1, 1, 1] },
    { concurrency: 1, serviceMs: 1, waiting: [1, 1] },
    { concurrency: 5, serviceMs: 4, waiting: [4, 1, 1] },
    { concurrency: 8, serviceMs: 5, waiting: [1, 1] },
    { concurrency: 12, serviceMs: 4, waiting: [1, 1, 1, 1] },
    { concurrency: 12, serviceMs: 1, waiting: [1, 1, 1, 1] },
  ] satisfies Contest[])(
    'so does one that waits alone, and is gone for a moment after each: $concurrency at once, waiting $waiting',
    (each) => {
      const { grants, total, longest } = contest(each);
      const all = each.waiting.reduce((sum, one) => sum + one, 0);
      for (const [at, waiting] of each.waiting.entries()) {
        expect(Math.abs(grants[at]! / total - waiting / all)).toBeLessThan(1 / 16);
        expect(longest[at]).toBeLessThan(longestWait(each, at));
      }
    },
  );

  test('an idle time changes nothing: who had the slot then does not keep it for as long', () => {
    const each = { concurrency: 1, serviceMs: 2, waiting: [60, 25, 55] };
    const world = makeWorld(1, 3, 1);
    const holder = planeAt(world, 1)!;
    world.arrive(holder);
    world.deliverAll();
    world.finish(holder, holder.running[0]);
    world.deliverAll();
    world.clock.advance(25_000);
    const { grants, total, longest } = contest(each, 5000, world);
    for (const [at, waiting] of each.waiting.entries()) {
      const share = grants[at]! / total;
      expect(Math.abs(share - waiting / 140)).toBeLessThan(1 / 16);
      expect(longest[at]).toBeLessThan(longestWait(each, at));
    }
  });

  test('with demand that lasts none goes without a grant for much longer than its turns take, whatever came before', () => {
    const contests = fc.record({
      concurrency: fc.constantFrom(1, 1, 2, 3, 5),
      serviceMs: fc.constantFrom(1, 4, 15),
      waiting: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 2, maxLength: 3 }),
    });
    const past = fc.array(fc.record({ at: fc.nat(2), idleMs: fc.nat(60_000) }), { maxLength: 4 });
    const property = fc.property(contests, past, (each, idles) => {
      const world = makeWorld(each.concurrency, each.waiting.length, 1);
      for (const { at, idleMs } of idles) {
        const plane = planeAt(world, at)!;
        world.arrive(plane);
        world.deliverAll();
        for (const slot of plane.running.slice()) world.finish(plane, slot);
        world.deliverAll();
        world.clock.advance(idleMs);
      }
      const { longest } = contest(each, 1000, world);
      for (const [at, ms] of longest.entries())
        expect(ms).toBeLessThan(MUCH * longestWait(each, at));
    });
    fc.assert(property, { numRuns: 40 });
  });

  test('while nobody waits nothing is said, however many requests there are', () => {
    const world = makeWorld(32, 2, 1);
    for (let count = 0; count < 10_000; count++) {
      for (const plane of world.planes.values()) {
        for (let burst = 0; burst < 16; burst++) world.arrive(plane);
        for (const slot of plane.running.slice()) world.finish(plane, slot);
      }
    }
    expect(world.deliverAll()).toBe(0);
    expect([...world.planes.values()].map(({ grants }) => grants)).toEqual([160_000, 160_000]);
  });
});

/** Requests of a millisecond each; at every data plane ten always wait. */
function contend(world: World, ms: number): void {
  for (let at = 0; at < ms; at++) {
    for (const plane of world.planes.values()) {
      for (const slot of plane.running.slice()) world.finish(plane, slot);
      while (world.waitingAt(plane) < 10) world.arrive(plane);
    }
    world.deliverAll();
    expect(world.overloaded()).toEqual([]);
    world.clock.advance(1);
  }
}

/** Instances that a data plane held and control never knew. */
const GONE = 2000;

describe('one step after the other', () => {
  const one = (world: World): Plane => planeAt(world, 0)!;
  const two = (world: World): Plane => planeAt(world, 1)!;

  test('the only data plane has everything at once', () => {
    const world = makeWorld(5, 1, 2);
    for (let count = 0; count < 11; count++) world.arrive(one(world));
    expect([one(world).grants, world.waitingAt(one(world))]).toEqual([10, 1]);
  });

  test('an idle slot goes to another data plane when somebody waits there, and back', () => {
    const world = makeWorld(1, 2, 1);
    for (let round = 1; round <= 3; round++) {
      for (const plane of [one(world), two(world)]) {
        world.arrive(plane);
        world.deliverAll();
        expect(plane.grants).toBe(round);
        world.finish(plane, plane.running[0]);
      }
    }
  });

  test('of several instances, the idle one is given back in the place of the busy one', () => {
    const world = makeWorld(1, 2, 2);
    // Both slots to the first, then one of them idle.
    for (let count = 0; count < 2; count++) world.arrive(one(world));
    world.deliverAll();
    for (const busy of [0, 1]) {
      world.finish(one(world), one(world).running[1 - busy]);
      world.arrive(two(world));
      world.deliverAll();
      expect(two(world).running).toHaveLength(1);
      expect(one(world).running).toHaveLength(1);
      world.finish(two(world), two(world).running[0]);
      world.arrive(one(world));
      world.deliverAll();
      expect(one(world).running).toHaveLength(2);
    }
  });

  test('nobody waits while slots are idle elsewhere, though the busy instance was the one recalled', () => {
    const world = makeWorld(3, 2, 1);
    for (let count = 0; count < 3; count++) world.arrive(two(world));
    world.deliverAll();
    for (let count = 0; count < 3; count++) world.startInstance();
    world.deliverAll();
    for (let count = 0; count < 9; count++) world.arrive(one(world));
    for (let report = 0; report < 3; report++) {
      world.deliverAll();
      world.clock.advance(2 * TURN_MS);
    }
    expect(one(world).running).toHaveLength(9);
    expect(two(world).running).toHaveLength(3);
  });

  test('a link that breaks frees nothing, the death of a process does, after a moment', () => {
    const world = makeWorld(1, 2, 1);
    world.arrive(one(world));
    world.deliverAll();
    one(world).wire?.end();
    world.arrive(two(world));
    world.clock.advance(10 * RECLAIM_MS);
    world.deliverAll();
    expect(two(world).grants).toBe(0);
    const other = two(world);
    one(world).kill();
    world.list();
    world.clock.advance(RECLAIM_MS - 1);
    world.deliverAll();
    expect(other.grants).toBe(0);
    world.clock.advance(1);
    world.deliverAll();
    expect(other.grants).toBe(1);
  });

  test.each([1, 3])(
    'contest of %i, then kill the holder: the survivor and the replacement share again',
    (concurrency) => {
      const world = makeWorld(concurrency, 2, 1);
      contend(world, 100);
      const holder = [...world.planes.values()].find(({ running }) => running.length > 0)!;
      holder.kill();
      world.list();
      contend(world, RECLAIM_MS / 2);
      world.startPlane();
      world.list();
      world.deliverAll();
      contend(world, RECLAIM_MS);
      const before = [one(world).grants, two(world).grants];
      contend(world, 1000);
      const [survivor, replacement] = [one(world), two(world)].map(
        ({ grants }, at) => grants - before[at]!,
      );
      expect(survivor! + replacement!).toBeGreaterThan(900 * concurrency);
      expect(Math.abs(survivor! - replacement!)).toBeLessThan(100 * concurrency);
    },
  );

  test('the last words of a killed process do not bring its slots back early', () => {
    const world = makeWorld(1, 2, 1);
    const [killed, other] = [one(world), two(world)];
    world.arrive(killed);
    world.stopControl();
    world.startControl();
    world.clock.advance(10 * RECLAIM_MS);
    killed.connect();
    killed.kill();
    world.list();
    world.deliverLate();
    other.connect();
    world.arrive(other);
    world.clock.advance(RECLAIM_MS - 1);
    world.deliverAll();
    expect(other.grants).toBe(0);
    world.clock.advance(1);
    world.deliverAll();
    expect(other.grants).toBe(1);
  });

  test('nor do they take them once more when they come late', () => {
    const world = makeWorld(1, 2, 1);
    const [killed, other] = [one(world), two(world)];
    world.arrive(killed);
    world.stopControl();
    world.startControl();
    killed.connect();
    killed.kill();
    world.list();
    other.connect();
    world.clock.advance(RECLAIM_MS);
    world.deliverLate();
    world.arrive(other);
    world.deliverAll();
    expect(other.grants).toBe(1);
  });

  test('a lease of an instance that a data plane has missed shows the gap: no slot is lost', () => {
    const world = makeWorld(2, 2, 0);
    for (const plane of [one(world), two(world)]) world.arrive(plane);
    world.deliverAll();
    world.startInstance();
    one(world).wire?.lose();
    world.deliverAll();
    expect(one(world).running).toHaveLength(1);
    expect(two(world).running).toHaveLength(1);
  });

  test('when the answer to a gap is missing, too, the leases after it show that', () => {
    const world = makeWorld(1, 2, 1);
    for (const plane of [one(world), two(world)]) world.arrive(plane);
    world.startInstance();
    const wire = two(world).wire!;
    // Its wake arrives, the new instance does not; the lease of it shows the gap.
    wire.deliver('up');
    wire.lose();
    wire.deliver('down');
    wire.deliver('up');
    wire.lose();
    world.deliverAll();
    expect(two(world).running).toHaveLength(1);
  });

  test('a gap is asked for once; what was leased before it was heard of is counted once', () => {
    const world = makeWorld(3, 2, 1);
    const before = world.sent(one(world)).length;
    world.startInstance();
    one(world).wire?.lose();
    for (let count = 0; count < 2; count++) world.startInstance();
    world.deliverAll();
    const hellos = world.sent(one(world)).slice(before);
    expect(hellos.filter(({ type }) => type === 'hello')).toHaveLength(1);
    for (const plane of [two(world), one(world)]) {
      for (let count = 0; count < 12; count++) world.arrive(plane);
      for (let report = 0; report < 3; report++) {
        world.deliverAll();
        world.clock.advance(2 * TURN_MS);
      }
      world.deliverAll();
      expect(plane.running).toHaveLength(12);
      for (const slot of plane.running.slice()) world.finish(plane, slot);
      // Longer than what it said of its load counts.
      world.clock.advance(10_000);
    }
  });

  test('what was recalled and not given back when control went stays in use, and goes when control is back', () => {
    const world = makeWorld(1, 2, 1);
    world.arrive(one(world));
    world.deliverAll();
    world.arrive(two(world));
    world.clock.advance(TURN_MS);
    world.deliverAll();
    expect([...one(world).routes.instances.leases()]).toMatchObject([{ slots: 1 }]);
    for (let count = 0; count < 2; count++) world.arrive(one(world));
    world.stopControl();
    for (let count = 0; count < 2; count++) {
      expect(one(world).running).toHaveLength(1);
      world.finish(one(world), one(world).running[0]);
    }
    expect(one(world).grants).toBe(3);
    expect(two(world).grants).toBe(0);
    world.startControl();
    for (const plane of [one(world), two(world)]) plane.connect();
    world.deliverAll();
    world.clock.advance(RECLAIM_MS);
    world.deliverAll();
    expect(two(world).grants).toBe(0);
    world.finish(one(world), one(world).running[0]);
    world.deliverAll();
    expect(two(world).grants).toBe(1);
  });

  const saidOf = (plane: Plane, world: World, wanted: 'drained' | 'wake') =>
    world.sent(plane).filter(({ type }) => type === wanted);

  test('that an instance has drained is said again over a new link: the word may be lost', () => {
    const world = makeWorld(1, 1, 1);
    const plane = one(world);
    const [instance] = [...world.instances.values()];
    world.control?.publisher.update({ instances: [{ ...instance!, state: 'draining' }] });
    for (let link = 0; link < 2; link++) {
      world.deliverAll();
      const said = { type: 'drained', instance: instance!.id };
      expect(saidOf(plane, world, 'drained')).toEqual([said]);
      plane.wire?.end();
      plane.connect();
    }
  });

  test('so is that somebody waits for a model without instances', () => {
    const world = makeWorld(1, 1, 0);
    const plane = one(world);
    world.arrive(plane);
    for (let link = 0; link < 2; link++) {
      expect(saidOf(plane, world, 'wake')).toMatchObject([{ queued: 1 }]);
      plane.wire?.end();
      plane.connect();
    }
  });

  test('while control is away all go on with what they have, and keep it when it is back', () => {
    const world = makeWorld(4, 2, 1);
    for (const plane of [one(world), two(world)]) {
      for (let count = 0; count < 2; count++) world.arrive(plane);
    }
    world.stopControl();
    for (const plane of [one(world), two(world)]) {
      world.finish(plane, plane.running[0]);
      world.arrive(plane);
      expect(plane.running).toHaveLength(2);
    }
    world.arrive(one(world));
    world.startControl();
    one(world).connect();
    world.deliverAll();
    world.clock.advance(10 * RECLAIM_MS);
    world.deliverAll();
    // The second has not said yet what it holds.
    expect(one(world).running).toHaveLength(2);
    two(world).connect();
    world.finish(two(world), two(world).running[0]);
    world.deliverAll();
    expect(one(world).running).toHaveLength(3);
    expect(two(world).running).toHaveLength(1);
  });

  test('of an instance that control does not know nothing is kept when nobody holds it any more', () => {
    const leases = createLeases({
      clock: createFakeClock(),
      loads: { at: () => ({ queued: 0, inFlight: 0 }) },
      send: () => {},
    });
    leases.onProcesses(['plane']);
    const before = queryObjects(Map, { format: 'count' });
    for (let sequence = 1; sequence <= GONE; sequence++) {
      leases.joined('plane', [{ instance: `gone-${sequence}`, slots: 1, sequence }]);
    }
    // Each that is kept has one of its own; some come and go with the runner of the tests.
    expect(queryObjects(Map, { format: 'count' }) - before).toBeLessThan(GONE / 10);
    leases.close();
  });
});
