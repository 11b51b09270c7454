import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Gate, OWN, type Refused, type Waiter } from '#activator/gate/gate.ts';
import { InstanceRoute } from '#activator/upstream/instance-route.ts';
import type { RoutingInstance } from '#domain/routing.ts';
import { FULL_BYTES, FULL_COUNT, GRANT, HOLD, NO_HOLD, OVER_SHARE } from '#policies/admission.ts';
import { NORMAL } from '#policies/priority.ts';
import { NaiveQueue } from './naive-queue.ts';
import { QueueFields } from './queue-fields.ts';

const RUNS = 10_000;

type Fate = 'new' | 'waiting' | 'granted' | 'refused' | 'cancelled' | 'turned away' | 'done';

/** Who sends a request, of which class, with how much to hold. */
interface From {
  readonly callerId: string;
  readonly priority: number;
  readonly bytes: number;
}

class Request extends QueueFields implements Waiter<InstanceRoute> {
  heldBytes: number;
  readonly callerId: string;
  readonly priority: number;
  readonly arrivedAt: number;
  readonly number: number;
  fate: Fate = 'new';
  ends = 0;
  instance: InstanceRoute | undefined;
  private readonly world: World;

  constructor(world: World, { callerId, priority, bytes }: From) {
    super();
    this.number = world.requests.length;
    this.callerId = callerId;
    this.priority = priority;
    this.heldBytes = bytes;
    this.arrivedAt = world.now;
    this.world = world;
  }

  onGranted(instance: InstanceRoute): void {
    this.world.beforeGrant(this, instance);
    this.fate = 'granted';
    this.ends += 1;
    this.instance = instance;
  }

  onRefused(reason: Refused): void {
    this.world.beforeRefusal(this, reason);
    this.fate = 'refused';
    this.ends += 1;
  }
}

/** A gate with everything that happens to it on record, and the invariants of gate.ts as checks. */
class World {
  now = 0;
  wakes = 0;
  wakeOutstanding = false;
  readonly drained: InstanceRoute[] = [];
  private readonly countedOn = new Map<InstanceRoute, number>();
  readonly requests: Request[] = [];
  readonly instances: InstanceRoute[] = [];
  readonly gate: Gate<InstanceRoute>;
  readonly limits: { concurrency: number; requests: number; bytes: number };
  private readonly order = new NaiveQueue<Request>();
  private entering: Request | undefined;
  /** What is asked for now; who was made to give bytes for it, and what its caller would hold. */
  private asked = { callerId: '', bytes: 0 };
  private giver: { readonly callerId: string; readonly floor: number } | undefined;
  private rolls = 1;

  constructor(limits: { concurrency: number; requests: number; bytes: number }) {
    this.limits = limits;
    this.gate = new Gate<InstanceRoute>(limits, {
      onWake: () => {
        this.wakes += 1;
        this.wakeOutstanding = true;
      },
      onNobodyThere: () => undefined,
      onDrained: (instance) => this.drained.push(instance),
      onQuiet: () => {},
      onReleased: (instance) => this.onReleased(instance),
      onWeighed: () => {},
      now: () => this.now,
      startMs: () => 0,
      roll: () => {
        this.rolls = (this.rolls * 16_807) % 2_147_483_647;
        return this.rolls / 2_147_483_647;
      },
    });
  }

  enter(bytes: number, holdMs: number, callerId = 'a', priority = NORMAL): number {
    const request = new Request(this, { callerId, priority, bytes });
    this.requests.push(request);
    const waitedBefore = this.gate.waiting;
    this.entering = request;
    this.ask(request, bytes);
    const decision = this.gate.enter(request, holdMs);
    if (decision === HOLD) {
      if (this.entering) this.startWaiting(request);
      // Who came back may be one too many; a newcomer then takes a place, and adds none.
      const most = Math.max(this.limits.requests, waitedBefore);
      expect(this.gate.waiting, 'invariant 4').toBeLessThanOrEqual(most);
      expect(this.gate.bytes, 'invariant 4').toBeLessThanOrEqual(this.limits.bytes);
    } else if (decision !== GRANT) request.fate = 'turned away';
    this.entering = undefined;
    const isRefused = decision === OVER_SHARE || decision === FULL_COUNT || decision === FULL_BYTES;
    if (isRefused) this.checkTurnedAway(decision, waitedBefore >= this.limits.requests);
    if (decision === NO_HOLD) expect(holdMs).toBe(0);
    return decision;
  }

  grow(index: number, bytes: number): void {
    const request = this.pick('waiting', index);
    if (!request) return;
    this.ask(request, bytes);
    const decision = this.gate.grow(request, bytes);
    if (decision !== HOLD) {
      this.checkTurnedAway(decision, false);
      return;
    }
    request.heldBytes += bytes;
    expect(this.gate.bytes, 'invariant 4').toBeLessThanOrEqual(this.limits.bytes);
  }

  private ask({ callerId }: Request, bytes: number): void {
    this.asked = { callerId, bytes };
    this.giver = undefined;
  }

  private startWaiting(request: Request): void {
    request.fate = 'waiting';
    this.order.add(request);
    this.entering = undefined;
  }

  beforeGrant(request: Request, instance: InstanceRoute): void {
    if (request === this.entering) {
      expect(this.order.entries, 'nobody runs past those who wait').toEqual([]);
      this.order.pass(request);
    } else {
      expect(request.number, 'invariant 6').toBe(this.order.next()?.number);
      this.order.take(request);
    }
    expect(instance.draining, 'invariant 3').toBe(false);
    if (instance.leased !== OWN) {
      expect(instance.inFlight, 'invariant 8').toBeLessThanOrEqual(instance.leased);
    }
  }

  private onReleased(instance: InstanceRoute): void {
    expect(instance.claimed, 'invariant 8: each fall is told once').toBeLessThan(
      this.counted(instance),
    );
    this.countedOn.set(instance, instance.claimed);
  }

  /** What control counts as used here. */
  private counted(instance: InstanceRoute): number {
    return this.countedOn.get(instance) ?? 0;
  }

  keep(instance: InstanceRoute): void {
    const at = this.drained.indexOf(instance);
    if (at >= 0) this.drained.splice(at, 1);
    this.gate.keep(instance);
  }

  lease(instance: InstanceRoute, slots: number): void {
    if (instance.leased === OWN) return;
    this.countedOn.set(instance, Math.max(this.counted(instance), slots));
    this.gate.lease(instance, slots);
    this.gate.afterLeases();
  }

  /** A displaced one makes room for the one that is entering, which is in by now. */
  beforeRefusal(request: Request, reason: Refused): void {
    if (reason === 'displaced') this.checkDisplaced(request);
    this.order.remove(request);
    if (this.entering) this.startWaiting(this.entering);
  }

  /** By the others' places or by their bytes; a newcomer that finds no place has to have fewer in any case. */
  private checkDisplaced(request: Request): void {
    const { limits, order, entering, asked } = this;
    const counts = this.sumBy(() => 1);
    // More than the limit where one came back whose instance was unreachable.
    const isFull = entering !== undefined && order.entries.length >= limits.requests;
    if (isFull) expect(mineOf(counts, asked) + 1, 'invariant 6').toBeLessThan(mostOf(counts));
    const isLargest = counts.get(request.callerId) === mostOf(counts);
    if (isFull && isLargest && this.missing <= request.heldBytes) return;
    if (!this.giver) expect(this.missing, 'invariant 6: full').toBeGreaterThan(0);
    expect(request.heldBytes, 'invariant 6: nobody goes in vain').toBeGreaterThan(0);
    const bytes = this.sumBy(({ heldBytes }) => heldBytes);
    const own = bytes.get(request.callerId)!;
    if (!this.giver) expect(own, 'invariant 6: the heaviest').toBe(mostOf(bytes));
    this.giver ??= { callerId: request.callerId, floor: mineOf(bytes, asked) + asked.bytes };
    expect(request.callerId, 'invariant 6: the heaviest').toBe(this.giver.callerId);
    expect(this.giver.floor, 'invariant 6: less even with it').toBeLessThan(own);
  }

  private checkTurnedAway(decision: number, isFull: boolean): void {
    const { asked } = this;
    const counts = this.sumBy(() => 1);
    const isOver = (sums: Map<string, number>): boolean =>
      mineOf(sums, asked) > 0 && mineOf(sums, asked) === mostOf(sums) && counts.size > 1;
    if (isFull && mineOf(counts, asked) + 1 >= mostOf(counts)) {
      expect(decision, 'invariant 6').toBe(isOver(counts) ? OVER_SHARE : FULL_COUNT);
      return;
    }
    expect(this.missing, 'refused for its bytes').toBeGreaterThan(0);
    const bytes = this.sumBy(({ heldBytes }) => heldBytes);
    expect(decision, 'invariant 6').toBe(isOver(bytes) ? OVER_SHARE : FULL_BYTES);
    const floor = mineOf(bytes, asked) + asked.bytes;
    if (floor < mostOf(bytes)) expect(this.heaviestGive(bytes, floor)).toBeLessThan(this.missing);
  }

  /** The least that any of those who hold most could give while it holds more than `floor`. */
  private heaviestGive(bytes: Map<string, number>, floor: number): number {
    const heaviest = [...bytes].filter(([, own]) => own === mostOf(bytes));
    const given = heaviest.map(([id, all]) => {
      const own = this.order.entries.filter(({ callerId }) => callerId === id);
      const newest = own.toSorted((a, b) => b.priority - a.priority || b.order - a.order);
      let rest = all;
      for (const { heldBytes } of newest) if (rest > floor) rest -= heldBytes;
      return all - rest;
    });
    return Math.min(...given);
  }

  private get missing(): number {
    const held = this.order.entries.reduce((sum, { heldBytes }) => sum + heldBytes, 0);
    return held + this.asked.bytes - this.limits.bytes;
  }

  private sumBy(of: (request: Request) => number): Map<string, number> {
    const own = Map.groupBy(this.order.entries, ({ callerId }) => callerId);
    const sum = (requests: Request[]): number => requests.reduce((all, one) => all + of(one), 0);
    return new Map([...own].map(([id, requests]) => [id, sum(requests)]));
  }

  pick(fate: Fate, index: number): Request | undefined {
    const fitting = this.requests.filter((request) => request.fate === fate);
    return fitting[index % Math.max(1, fitting.length)];
  }

  finish(index: number): void {
    const request = this.pick('granted', index);
    if (!request?.instance) return;
    request.fate = 'done';
    this.gate.leave(request.instance);
  }

  goBack(index: number): void {
    const request = this.pick('granted', index);
    if (!request?.instance) return;
    const { instance } = request;
    request.instance = undefined;
    request.ends -= 1;
    this.gate.suspend(instance);
    this.gate.leave(instance);
    request.fate = 'waiting';
    this.order.addAgain(request);
    this.gate.rejoin(request);
  }

  cancel(index: number): void {
    const request = this.pick('waiting', index);
    if (!request) return;
    request.fate = 'cancelled';
    request.ends += 1;
    this.order.remove(request);
    this.gate.cancel(request);
  }

  addInstance(leased = false): void {
    const id = `i${this.instances.length}`;
    const routing: RoutingInstance = {
      id,
      revision: 'default/m/v1',
      address: { node: 'n', socket: '/nowhere' },
      state: 'ready',
      askedAt: 0,
      startedAt: 0,
      readyAt: 0,
      ...(leased && { leased }),
    };
    const instance = new InstanceRoute(routing, this.gate, () => this.now);
    this.instances.push(instance);
    this.wakeOutstanding = false;
    this.gate.add(instance);
  }

  instanceAt(index: number): InstanceRoute | undefined {
    const present = this.instances.filter((instance) => instance.index >= 0);
    return present[index % Math.max(1, present.length)];
  }

  check(): void {
    const waiting = this.requests.filter((request) => request.fate === 'waiting');
    const granted = this.requests.filter((request) => request.fate === 'granted');
    same(this.gate.waiting, waiting.length, 'waiting');
    same(this.order.entries.length, waiting.length, 'in order');
    const bytes = waiting.reduce((sum, request) => sum + request.heldBytes, 0);
    same(this.gate.bytes, bytes, 'held bytes');
    same(this.gate.inFlight, granted.length, 'invariant 2');
    for (const { ends, fate } of this.requests) {
      const ended = !['new', 'waiting', 'turned away'].includes(fate);
      same(ends, ended ? 1 : 0, 'invariant 1');
    }
    for (const instance of this.instances) {
      const own = granted.filter((request) => request.instance === instance).length;
      same(instance.inFlight, own, 'invariant 2');
      const { concurrency } = this.limits;
      if (concurrency > 0) within(own, [0, concurrency], 'invariant 3');
      const told = this.drained.filter((other) => other === instance).length;
      const isDrained = instance.draining && instance.inFlight === 0 ? 1 : 0;
      const least = instance.index >= 0 ? isDrained : 0;
      within(told, [least, isDrained], 'invariant 7');
      if (instance.leased !== OWN && instance.index >= 0) {
        const used = Math.max(instance.leased, instance.inFlight);
        same(this.counted(instance), used, 'invariant 8');
      }
    }
    if (waiting.length > 0) {
      const room = this.instances.some(
        (instance) =>
          instance.index >= 0 &&
          !instance.draining &&
          !instance.suspended &&
          (this.limits.concurrency === 0 || instance.inFlight < this.limits.concurrency) &&
          (instance.leased === OWN || instance.inFlight < instance.leased),
      );
      expect(room, 'nobody waits beside a free slot').toBe(false);
      expect(this.wakes, 'invariant 5').toBeGreaterThan(0);
    }
  }
}

/** An `expect` takes much longer, and of millions of them such a test is made. */
function within(actual: number, [least, most]: [number, number], what: string): void {
  const isWithin = least <= actual && actual <= most;
  if (!isWithin) expect.fail(`${what}: ${actual} is not between ${least} and ${most}`);
}

function same(actual: number, wanted: number, what: string): void {
  within(actual, [wanted, wanted], what);
}

function mineOf(sums: Map<string, number>, { callerId }: { callerId: string }): number {
  return sums.get(callerId) ?? 0;
}

function mostOf(sums: Map<string, number>): number {
  return Math.max(0, ...sums.values());
}

type Step = (world: World) => void;

const index = fc.nat(50);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(
        fc.nat(300),
        fc.constantFrom(0, 1000, 1000, 1000),
        fc.constantFrom('a', 'a', 'a', 'b', 'c'),
        fc.nat(2),
      )
      .map(
        ([bytes, hold, callerId, priority]) =>
          (w: World) =>
            void w.enter(bytes, hold, callerId, priority),
      ),
  },
  { weight: 6, arbitrary: index.map((i) => (w: World) => w.finish(i)) },
  { weight: 2, arbitrary: index.map((i) => (w: World) => w.cancel(i)) },
  { weight: 1, arbitrary: index.map((i) => (w: World) => w.goBack(i)) },
  { weight: 2, arbitrary: fc.constant((w: World) => w.addInstance()) },
  {
    weight: 1,
    arbitrary: fc.constant((w: World) => {
      // Without a limit there is nothing to share out.
      if (w.limits.concurrency > 0) w.addInstance(true);
    }),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(index, fc.nat(8)).map(([i, slots]) => (w: World) => {
      const instance = w.instanceAt(i);
      if (instance) w.lease(instance, Math.min(slots, w.limits.concurrency));
    }),
  },
  {
    weight: 1,
    arbitrary: index.map((i) => (w: World) => {
      const instance = w.instanceAt(i);
      if (instance) w.gate.keepClaimed(instance);
    }),
  },
  {
    weight: 1,
    arbitrary: index.map((i) => (w: World) => {
      const instance = w.instanceAt(i);
      if (instance) w.gate.drain(instance);
    }),
  },
  {
    weight: 1,
    arbitrary: index.map((i) => (w: World) => {
      const instance = w.instanceAt(i);
      if (instance) w.gate.lose(instance);
    }),
  },
  {
    weight: 1,
    arbitrary: index.map((i) => (w: World) => {
      const instance = w.instanceAt(i);
      if (instance?.draining) w.keep(instance);
    }),
  },
  {
    weight: 1,
    arbitrary: index.map((i) => (w: World) => {
      const instance = w.instanceAt(i);
      if (instance) w.gate.resume(instance);
    }),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(index, fc.nat(200)).map(([i, bytes]) => (w: World) => {
      w.grow(i, bytes);
    }),
  },
  { weight: 1, arbitrary: fc.constant((w: World) => w.gate.refuseAll('failed')) },
  {
    weight: 1,
    arbitrary: fc.nat(15_000).map((ms) => (w: World) => {
      w.now += ms;
    }),
  },
);

describe('the gate', () => {
  test(`keeps its invariants under ${RUNS} random interleavings`, () => {
    const limits = fc.record({
      concurrency: fc.constantFrom(0, 1, 1, 2, 8),
      requests: fc.constantFrom(0, 1, 3, 10),
      bytes: fc.constantFrom(0, 500, 10_000),
    });
    fc.assert(
      fc.property(limits, fc.array(step, { maxLength: 40 }), (limit, steps) => {
        const world = new World(limit);
        for (const act of steps) {
          act(world);
          world.check();
        }
      }),
      { numRuns: RUNS },
    );
  });

  test('wakes when the first one waits, and again each time that their number doubles', () => {
    const world = new World({ concurrency: 1, requests: 100, bytes: 1000 });
    const wakesAfter = Array.from({ length: 9 }, () => {
      world.enter(0, 1000);
      return world.wakes;
    });
    expect(wakesAfter).toEqual([1, 2, 2, 3, 3, 3, 3, 4, 4]);
  });

  test('bytes: the limit holds to the byte', () => {
    const world = new World({ concurrency: 1, requests: 100, bytes: 100 });
    world.enter(60, 1000);
    world.enter(41, 1000);
    expect(world.requests.map((request) => request.fate)).toEqual(['waiting', 'turned away']);
    world.enter(40, 1000);
    expect(world.requests[2]?.fate).toBe('waiting');
    expect(world.gate.grow(world.requests[2]!, 1)).toBe(FULL_BYTES);
    expect(world.gate.bytes).toBe(100);
  });

  test('who comes back to a revision that was deleted meanwhile does not wait', () => {
    const world = new World({ concurrency: 1, requests: 10, bytes: 1000 });
    world.addInstance();
    world.enter(0, 1000);
    world.gate.refuseAll('removed');
    world.goBack(0);
    expect(world.requests[0]).toMatchObject({ fate: 'refused', ends: 1 });
    world.check();
  });

  test('the least loaded instance gets the next request', () => {
    const world = new World({ concurrency: 4, requests: 10, bytes: 1000 });
    for (let i = 0; i < 3; i += 1) world.addInstance();
    for (let i = 0; i < 9; i += 1) world.enter(0, 1000);
    expect(world.instances.map((instance) => instance.inFlight)).toEqual([3, 3, 3]);
  });
});
