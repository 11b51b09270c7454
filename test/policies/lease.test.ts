import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decideLeases,
  decideShares,
  decideSlots,
  type PlaneSeen,
  TURN_MS,
} from '#policies/lease.ts';

const LONG = 1000;

function plane(queued: number, inFlight: number, held: number, heldMs = LONG): PlaneSeen {
  return { queued, inFlight, held, had: held, heldMs };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0);

describe('shares', () => {
  test.each([
    ['one data plane has all', 8, [plane(1, 0, 0)], [8]],
    ['without load they are even', 8, [plane(0, 0, 0), plane(0, 0, 0)], [4, 4]],
    ['who waits comes first', 1, [plane(0, 0, 0), plane(1, 0, 0)], [0, 1]],
    ['in proportion to who waits', 8, [plane(30, 0, 0), plane(10, 0, 0)], [6, 2]],
    ['what runs counts as what waits', 8, [plane(20, 10, 0), plane(10, 0, 0)], [6, 2]],
    ['what is left over is spread evenly', 10, [plane(4, 0, 0), plane(0, 0, 0)], [7, 3]],
    ['an idle slot is recalled', 1, [plane(0, 0, 1), plane(1, 0, 0)], [0, 1]],
    [
      'also one that is used, when nobody waits behind it',
      1,
      [plane(0, 1, 1), plane(1, 0, 0)],
      [0, 1],
    ],
    ['nobody waits: nothing moves', 8, [plane(0, 0, 8), plane(0, 0, 0)], [8, 0]],
    [
      'nobody waits: what is free goes to who has least',
      8,
      [plane(0, 0, 4), plane(0, 0, 0)],
      [4, 4],
    ],
    [
      'small differences of large capacities stay',
      64,
      [plane(99, 33, 33), plane(101, 31, 31)],
      [33, 31],
    ],
    ['who has none gets one all the same', 64, [plane(900, 64, 64), plane(20, 0, 0)], [63, 1]],
  ] as const)('%s', (_, capacity, planes, wanted) => {
    const { decision } = decideShares(
      capacity,
      planes,
      planes.map(() => 0),
      0,
    );
    expect(decision).toEqual(wanted);
  });

  test('the only slot goes round: a turn at least, then by credit', () => {
    const seen = (heldMs: number) => [plane(5, 1, 1, heldMs), plane(5, 0, 0)];
    const early = decideShares(1, seen(TURN_MS - 1), [0, 0], TURN_MS - 1);
    expect(early.decision).toEqual([1, 0]);
    expect(early.memory![1]).toBeGreaterThan(early.memory![0]!);
    const late = decideShares(1, seen(TURN_MS), early.memory, 1);
    expect(late.decision).toEqual([0, 1]);
  });

  test('charged is what a data plane had until now, not what it has given back or got at the end of that time', () => {
    const seen = [
      { ...plane(1, 0, 0), had: 1 },
      { ...plane(1, 1, 1), had: 0 },
    ];
    expect(decideShares(1, seen, [0, 0], 9).memory).toEqual([
      expect.closeTo(-6),
      expect.closeTo(6),
    ]);
  });

  test('who does not wait saves no credit, and a calm forgets all of it', () => {
    const busy = decideShares(2, [plane(9, 2, 2), plane(0, 1, 0)], [0, 0], LONG);
    expect(busy.memory![1]).toBe(0);
    const calm = decideShares(2, [plane(0, 2, 2), plane(0, 0, 0)], [-LONG, LONG], LONG);
    expect(calm.memory).toBeUndefined();
  });

  test('a time in which nobody waited is charged to nobody, however long it was', () => {
    const idle = [plane(0, 0, 0), plane(0, 0, 1), plane(0, 0, 0)];
    const calm = decideShares(1, idle, [0, 0, 0], LONG);
    const busy = [plane(30, 0, 0), plane(0, 1, 1, 25 * LONG), plane(0, 0, 0)];
    const first = decideShares(1, busy, calm.memory, 25 * LONG);
    expect(first).toEqual({ decision: [1, 0, 0], memory: [0, 0, 0] });
    const second = decideShares(1, busy, first.memory, 10);
    expect(second.memory![1]).toBeLessThan(0);
  });

  test.each([0, 120_000])(
    'a long request that ran %i ms ago keeps nobody waiting for minutes',
    (idleMs) => {
      const STEP_MS = 20;
      const others = [plane(30, 0, 0), plane(30, 0, 0)];
      let { decision, memory } = decideShares(1, [...others, plane(1, 1, 1)], [0, 0, 0], 0);
      const pass = (ms: number, last: (held: number) => PlaneSeen): number => {
        for (let at = 0; at < ms; at += STEP_MS) {
          const seen = others.map((each, i) => plane(each.queued, decision[i]!, decision[i]!));
          ({ decision, memory } = decideShares(1, [...seen, last(decision[2]!)], memory, STEP_MS));
          if (decision[2] === 1) return at;
        }
        return Number.POSITIVE_INFINITY;
      };
      // It runs on whatever is decided: its slot comes back when it has ended.
      for (let at = 0; at < 50_000; at += STEP_MS) {
        ({ memory } = decideShares(1, [...others, plane(0, 1, 1)], memory, STEP_MS));
      }
      decision = [1, 0, 0];
      pass(idleMs, () => plane(0, 0, 0));
      expect(pass(200_000, (held) => plane(1, held, held))).toBeLessThan(30_000);
    },
  );

  const seen = fc.record({
    queued: fc.nat(50),
    inFlight: fc.nat(50),
    held: fc.nat(50),
    had: fc.nat(50),
    heldMs: fc.nat(30),
  });

  test('are whole, no less than 0, and as many as there are or as are held', () => {
    fc.assert(
      fc.property(
        fc.array(seen, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: -150, max: 100 }),
        fc.array(fc.integer({ min: -LONG, max: LONG }), { maxLength: 6 }),
        fc.nat(LONG),
        (planes, spare, credits, elapsed) => {
          const held = sum(planes.map((each) => each.held));
          const capacity = held + spare;
          const { decision, memory } = decideShares(capacity, planes, credits, elapsed);
          if (spare >= 0 && capacity > 0) expect(sum(decision)).toBe(capacity);
          else expect([capacity, held]).toContain(sum(decision));
          expect(decision.every((share) => Number.isInteger(share) && share >= 0)).toBe(true);
          expect(memory?.every(Number.isFinite) ?? true).toBe(true);
        },
      ),
      { numRuns: 5000 },
    );
  });

  test.each([0, -1])('with a capacity of %i all stays as it is, credits included', (capacity) => {
    const planes = [plane(5, 1, 1), plane(5, 0, 0)];
    const { decision, memory } = decideShares(capacity, planes, [-LONG, LONG], LONG);
    expect(decision).toEqual([1, 0]);
    expect(memory).toEqual([-LONG, LONG]);
  });
});

describe('slots of each instance', () => {
  const instance = (capacity: number, held: number[], recalled = held.map(() => 0)) => ({
    capacity,
    held,
    recalled,
  });

  test.each([
    ['free ones are given', [instance(4, [0, 0])], [3, 1], [[3, 1]]],
    [
      'no more moves than must',
      [instance(4, [4, 0]), instance(4, [0, 4])],
      [4, 4],
      [
        [4, 0],
        [0, 4],
      ],
    ],
    [
      'what is on its way back is taken first',
      [instance(1, [1, 0]), instance(1, [1, 0], [1, 0])],
      [1, 1],
      [
        [1, 0],
        [0, 1],
      ],
    ],
    [
      'then where it has most',
      [instance(2, [1, 0]), instance(8, [8, 0])],
      [6, 4],
      [
        [1, 1],
        [5, 3],
      ],
    ],
    [
      'of one with less than none, nothing is given or taken',
      [instance(-1, [0, 0]), instance(2, [0, 0])],
      [1, 1],
      [
        [0, 0],
        [1, 1],
      ],
    ],
  ] as const)('%s', (_, instances, shares, wanted) => {
    expect(decideSlots(instances as never, shares)).toEqual(wanted);
  });

  test('never more than an instance has, and the shares come out', () => {
    const rows = fc.array(fc.array(fc.nat(9), { minLength: 3, maxLength: 3 }), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(
        rows,
        fc.array(fc.nat(5), { minLength: 4, maxLength: 4 }),
        fc.array(fc.nat(99), { minLength: 3, maxLength: 3 }),
        (held, spare, weights) => {
          const instances = held.map((row, at) => instance(sum(row) + spare[at]!, row));
          const capacity = sum(instances.map((one) => one.capacity));
          const [first, second] = weights.map((weight) =>
            Math.floor((capacity * weight) / (sum(weights) + 1)),
          );
          const shares = [first!, second!, capacity - first! - second!];
          const slots = decideSlots(instances, shares);
          for (const [at, row] of slots.entries()) {
            expect(sum(row)).toBeLessThanOrEqual(instances[at]!.capacity);
            expect(Math.min(...row)).toBeGreaterThanOrEqual(0);
          }
          expect(shares.map((_, at) => sum(slots.map((row) => row[at]!)))).toEqual(shares);
        },
      ),
      { numRuns: 5000 },
    );
  });
});

test('shares become slots; an instance with less than none makes the others no smaller', () => {
  const instances = [
    { capacity: -1, held: [0, 0], recalled: [0, 0] },
    { capacity: 2, held: [2, 0], recalled: [0, 0] },
  ];
  const planes = [plane(1, 2, 2), plane(3, 0, 0)];
  const { decision, memory } = decideLeases(instances, planes, undefined, LONG);
  expect(decision).toEqual([
    [0, 0],
    [1, 1],
  ]);
  expect(memory).toEqual([0, 0]);
  expect(decideLeases(instances, [plane(0, 2, 2), plane(0, 0, 0)], memory, LONG)).toEqual({
    decision: [
      [0, 0],
      [2, 0],
    ],
    memory: undefined,
  });
});
