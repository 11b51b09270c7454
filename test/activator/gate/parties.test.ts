import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HeldBytes, type HeldFor } from '#activator/exchange/held-bytes.ts';
import { Gate, type Refused, type Waiter } from '#activator/gate/gate.ts';
import { Parties } from '#activator/gate/parties.ts';
import type { Plane } from '#activator/plane.ts';
import type { InstanceRoute } from '#activator/upstream/instance-route.ts';
import { HOLD } from '#policies/admission.ts';
import { NORMAL } from '#policies/priority.ts';
import { QueueFields } from './queue-fields.ts';

/** Bytes that all may hold, asked for by requests in several queues and by callers outside of them. */

const LIMIT = 3000;
const LARGEST = 100;
const QUEUES = 3;
const STRAYS = ['x', 'y'];
const RUNS = 300;

class Queued extends QueueFields implements Waiter<InstanceRoute> {
  readonly priority = NORMAL;
  readonly arrivedAt = 0;
  readonly callerId: string;
  readonly heldBytes: number;
  readonly held: HeldBytes;
  reason: Refused | undefined;

  constructor(plane: Plane, callerId: string, bytes: number) {
    super();
    this.held = new HeldBytes(plane);
    this.callerId = callerId;
    this.heldBytes = bytes;
  }

  onGranted(): void {}

  onRefused(reason: Refused): void {
    this.reason = reason;
    this.held.letGo();
  }
}

class Stray implements HeldFor {
  readonly callerId: string;
  readonly held: HeldBytes;

  constructor(plane: Plane, callerId: string) {
    this.held = new HeldBytes(plane, this);
    this.callerId = callerId;
  }

  onCrowded(): void {
    this.held.letGo();
  }
}

function createWorld() {
  const parties = new Parties();
  const plane = { heldBytes: 0, limits: { heldBytes: LIMIT }, parties } as Plane;
  const events = {
    onWake: () => {},
    onNobodyThere: () => undefined,
    onDrained: () => {},
    onQuiet: () => {},
    onReleased: () => {},
    onWeighed: (gate: Gate<InstanceRoute>) => parties.change(gate),
    now: () => 0,
    startMs: () => 0,
    roll: () => 0,
  };
  const limits = { concurrency: 1, requests: 10_000, bytes: 10 * LIMIT };
  const gates = Array.from({ length: QUEUES }, () => new Gate<InstanceRoute>(limits, events));
  const queues = gates.map((): Queued[] => []);
  const strays = STRAYS.map((): Stray[] => []);
  const sum = (all: readonly { held: HeldBytes }[]): number =>
    all.reduce((total, { held }) => total + held.count, 0);
  return {
    plane,
    /** What each party holds. */
    held: () => [...queues.map(sum), ...strays.map(sum)],
    /** False: there was no room. */
    queue(at: number, callerId: string, bytes: number): boolean {
      const [gate, queue] = [gates[at]!, queues[at]!];
      const request = new Queued(plane, callerId, bytes);
      expect(gate.enter(request, 1000)).toBe(HOLD);
      queue.push(request);
      const fits = request.held.take(bytes, gate);
      if (!fits) gate.cancel(request);
      return fits;
    },
    stray(at: number, bytes: number): boolean {
      const stray = new Stray(plane, STRAYS[at]!);
      strays[at]!.push(stray);
      return stray.held.take(bytes);
    },
    leave(at: number, which: number): void {
      const queue = queues[at]!;
      const leaver = queue[which % Math.max(1, queue.length)];
      leaver?.waitsIn?.cancel(leaver);
      leaver?.held.letGo();
    },
    leaveStray(at: number, which: number): void {
      const all = strays[at]!;
      all[which % Math.max(1, all.length)]?.held.letGo();
    },
    check(): void {
      expect(gates.map((gate) => gate.bytes)).toEqual(queues.map(sum));
      expect(STRAYS.map((callerId) => parties.strayBytes(callerId))).toEqual(strays.map(sum));
      for (const request of queues.flat()) {
        if (request.held.count > 0) expect(request.waitsIn).toBeDefined();
        if (request.reason !== undefined) expect(request.reason).toBe('crowded');
      }
    },
  };
}

const bytes = fc.oneof(fc.constant(LARGEST), fc.nat(LARGEST));
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('queue' as const),
      at: fc.nat(QUEUES - 1),
      caller: fc.constantFrom('a', 'b'),
      bytes,
      times: fc.constantFrom(1, 1, 30),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('stray' as const),
      at: fc.nat(STRAYS.length - 1),
      bytes,
      times: fc.constantFrom(1, 1, 30),
    }),
  },
  fc.record({ do: fc.constant('leave' as const), at: fc.nat(QUEUES - 1), which: fc.nat(50) }),
  fc.record({
    do: fc.constant('leaveStray' as const),
    at: fc.nat(STRAYS.length - 1),
    which: fc.nat(50),
  }),
);

test('whoever comes, the limit holds, an equal share is sure, and only who holds most gives way, never in vain', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const world = createWorld();
      for (const one of steps) {
        if (one.do === 'leave') world.leave(one.at, one.which);
        else if (one.do === 'leaveStray') world.leaveStray(one.at, one.which);
        else {
          for (let time = 0; time < one.times; time += 1) {
            const before = world.held();
            const own = one.do === 'queue' ? one.at : QUEUES + one.at;
            const fits =
              one.do === 'queue'
                ? world.queue(one.at, one.caller, one.bytes)
                : world.stray(one.at, one.bytes);
            checkArrival(before, world.held(), own, one.bytes, fits);
          }
        }
        world.check();
        const total = world.held().reduce((a, b) => a + b);
        expect(world.plane.heldBytes).toBe(total);
        expect(total).toBeLessThanOrEqual(LIMIT);
      }
    }),
    { numRuns: RUNS },
  );
});

function checkArrival(
  before: readonly number[],
  after: readonly number[],
  own: number,
  more: number,
  fits: boolean,
): void {
  const total = before.reduce((a, b) => a + b);
  const mine = (before[own] ?? 0) + more;
  const losers = before.flatMap((held, party) => ((after[party] ?? 0) < held ? [party] : []));
  expect(after[own]).toBe(fits ? mine : before[own]);
  if (total + more <= LIMIT) expect([fits, losers]).toEqual([true, []]);
  if (!fits) expect(losers, 'in vain').toEqual([]);
  for (const loser of losers) {
    expect(before[loser], 'who holds most').toBe(Math.max(...before));
    expect(loser).not.toBe(own);
    // At least as much as the newcomer, but for what was taken with the last request.
    expect((after[loser] ?? 0) + LARGEST).toBeGreaterThanOrEqual(mine);
  }
  const count = before.filter((held, party) => held > 0 || party === own).length;
  if (mine <= LIMIT / count - 2 * LARGEST) expect(fits, 'its share').toBe(true);
}

test('what is pinned counts until it is let go, and gives way to nobody', () => {
  const { plane } = createWorld();
  const [pinned, other] = [new Stray(plane, 'x'), new Stray(plane, 'y')];
  expect(pinned.held.take(LIMIT)).toBe(true);
  pinned.held.pin();
  expect(other.held.take(1)).toBe(false);
  expect(plane.heldBytes).toBe(LIMIT);
  pinned.held.letGo();
  expect(other.held.take(1)).toBe(true);
  expect([plane.heldBytes, plane.parties.strayBytes('x')]).toEqual([1, 0]);
});
