import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Behavior,
  type BehaviorMemory,
  type RatePolicy,
  type Rules,
  STILL,
  paceChange,
} from '#policies/scaling/behavior.ts';

const FREE: Rules = {
  stabilizationWindowSeconds: 0,
  policies: [],
  selectPolicy: 'Max',
  tolerance: 0,
};
const pods = (value: number, periodSeconds: number): RatePolicy => ({
  type: 'Pods',
  value,
  periodSeconds,
});
const percent = (value: number, periodSeconds: number): RatePolicy => ({
  type: 'Percent',
  value,
  periodSeconds,
});

function behave(up: Partial<Rules> = {}, down: Partial<Rules> = {}): Behavior {
  return { scaleUp: { ...FREE, ...up }, scaleDown: { ...FREE, ...down } };
}

/** One wish each second, from `current`; the numbers that come of it. */
function run(behavior: Behavior, current: number, wishes: readonly number[]): number[] {
  let memory: BehaviorMemory = STILL;
  let count = current;
  return wishes.map((wanted, second) => {
    const change = { wanted, current: count, isUrgent: false };
    const paced = paceChange(behavior, change, memory, second * 1000);
    memory = paced.memory;
    count = paced.count;
    return count;
  });
}

describe('the pace', () => {
  test('without rules follows at once, upwards rounded', () => {
    expect(run(behave(), 1, [2.1, 7, 3.0000000000001, 0])).toEqual([3, 7, 3, 0]);
  });

  test('a small difference is none', () => {
    const rules = behave({ tolerance: 0.1 }, { tolerance: 0.1 });
    expect(run(rules, 10, [10.9, 11, 11.1])).toEqual([10, 10, 12]);
    expect(run(rules, 10, [9.1, 9, 8.9])).toEqual([10, 10, 9]);
  });

  test('each direction has a tolerance of its own', () => {
    expect(run(behave({ tolerance: 0.1 }), 10, [10.9, 9.1, 8.9])).toEqual([10, 10, 9]);
    expect(run(behave({}, { tolerance: 0.2 }), 10, [8.1, 10.5])).toEqual([10, 11]);
  });

  test('of many small changes none is forgotten while its period lasts', () => {
    const rules = behave({ policies: [pods(200, 1800)] });
    const wishes = Array.from({ length: 600 }, (_, second) => second + 1);
    expect(Math.max(...run(rules, 0, wishes))).toBe(200);
  });

  test('down: the most of the window stays', () => {
    const rules = behave({}, { stabilizationWindowSeconds: 3 });
    expect(run(rules, 5, [5, 2, 2, 4, 1, 1, 1, 1])).toEqual([5, 5, 5, 4, 4, 4, 1, 1]);
  });

  test('up: the least of the window counts', () => {
    const rules = behave({ stabilizationWindowSeconds: 3 });
    expect(run(rules, 1, [1, 5, 5, 3, 6, 6, 6])).toEqual([1, 1, 1, 3, 3, 3, 6]);
  });

  test('so many within a period, up and down', () => {
    expect(run(behave({ policies: [pods(2, 3)] }), 1, [9, 9, 9, 9, 9])).toEqual([3, 3, 3, 5, 5]);
    expect(run(behave({}, { policies: [pods(2, 3)] }), 9, [1, 1, 1, 1])).toEqual([7, 7, 7, 5]);
  });

  test('per cent of what there was when the period began, but one at least', () => {
    expect(run(behave({ policies: [percent(100, 2)] }), 3, [99, 99, 99, 99])).toEqual([
      6, 6, 12, 12,
    ]);
    expect(run(behave({}, { policies: [percent(50, 2)] }), 8, [0, 0, 0, 0])).toEqual([4, 4, 2, 2]);
    expect(run(behave({ policies: [percent(10, 1)] }), 1, [9, 9])).toEqual([2, 3]);
    expect(run(behave({ policies: [percent(50, 1)] }), 3, [9])).toEqual([5]);
    expect(run(behave({ policies: [percent(50, 1)] }), 0, [9])).toEqual([1]);
  });

  test.each([
    ['Max', [5, 5]],
    ['Min', [2, 2]],
    ['Disabled', [1, 1]],
  ] as const)('of several policies: %s', (selectPolicy, counts) => {
    const policies = [pods(4, 60), percent(100, 60)];
    expect(run(behave({ policies, selectPolicy }), 1, [9, 9])).toEqual(counts);
  });

  test('a period begins with what there was then, whatever went up and down within it', () => {
    const rules = behave({ policies: [pods(2, 10)] });
    expect(run(rules, 4, [6, 1, 3, 9])).toEqual([6, 1, 3, 6]);
  });

  test('what has gone up faster than its rate, as it was urgent, is not taken back for it', () => {
    const rules = behave({ policies: [pods(1, 60)] });
    const up = paceChange(rules, { wanted: 10, current: 2, isUrgent: true }, STILL, 0);
    const next = { wanted: 12, current: 10, isUrgent: false };
    expect(paceChange(rules, next, up.memory, 1000)).toMatchObject({
      count: 10,
      held: '12 would be too fast',
    });
  });

  test('what is urgent goes up at once, and never down', () => {
    const rules = behave({ stabilizationWindowSeconds: 60, policies: [pods(1, 60)] });
    const up = paceChange(rules, { wanted: 9, current: 2, isUrgent: true }, STILL, 0);
    expect(up.count).toBe(9);
    const down = paceChange(rules, { wanted: 1, current: 2, isUrgent: true }, STILL, 0);
    expect(down.count).toBe(2);
  });

  test.each([
    ['too near', behave({ tolerance: 0.2 }), 10, 11, '11 is too near to make a difference'],
    ['too fast', behave({ policies: [pods(1, 9)] }), 1, 5, '5 would be too fast'],
    ['nothing', behave(), 1, 5, undefined],
  ])('says what held it: %s', (_, rules, current, wanted, held) => {
    expect(paceChange(rules, { wanted, current, isUrgent: false }, STILL, 0).held).toBe(held);
  });

  test('says that more was wanted, or not for long enough', () => {
    const rules = behave({ stabilizationWindowSeconds: 9 }, { stabilizationWindowSeconds: 9 });
    const first = paceChange(rules, { wanted: 4, current: 4, isUrgent: false }, STILL, 0);
    const low = { wanted: 2, current: 4, isUrgent: false };
    expect(paceChange(rules, low, first.memory, 1000).held).toBe('more was wanted within 9 s');
    const high = { wanted: 6, current: 4, isUrgent: false };
    expect(paceChange(rules, high, first.memory, 1000).held).toBe('6 not wanted for 9 s yet');
  });

  const rules = fc.record({
    stabilizationWindowSeconds: fc.integer({ min: 0, max: 10 }),
    policies: fc.array(
      fc.record({
        type: fc.constantFrom('Pods' as const, 'Percent' as const),
        value: fc.integer({ min: 1, max: 200 }),
        periodSeconds: fc.integer({ min: 1, max: 10 }),
      }),
      { maxLength: 3 },
    ),
    selectPolicy: fc.constantFrom('Max' as const, 'Min' as const, 'Disabled' as const),
    tolerance: fc.double({ min: 0, max: 0.5, noNaN: true }),
  });
  const wishes = fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { maxLength: 40 });

  test('goes only where it is wanted, and stays within what was wanted lately', () => {
    fc.assert(
      fc.property(
        rules,
        rules,
        fc.integer({ min: 0, max: 50 }),
        wishes,
        (up, down, start, list) => {
          const counts = run({ scaleUp: up, scaleDown: down }, start, list);
          counts.forEach((count, i) => {
            const before = counts[i - 1] ?? start;
            const window = Math.max(
              up.stabilizationWindowSeconds,
              down.stabilizationWindowSeconds,
              1,
            );
            const lately = list.slice(Math.max(0, i - window), i + 1);
            expect(Number.isInteger(count)).toBe(true);
            expect(count).toBeLessThanOrEqual(Math.max(before, ...lately.map(Math.ceil)));
            expect(count).toBeGreaterThanOrEqual(Math.min(before, ...lately.map(Math.floor)));
          });
        },
      ),
      { numRuns: 500 },
    );
  });

  test('a rate of instances is never passed by going up', () => {
    fc.assert(
      fc.property(
        wishes,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 8 }),
        (list, value, period) => {
          const counts = [10, ...run(behave({ policies: [pods(value, period)] }), 10, list)];
          counts.forEach((count, i) => {
            const begun = counts[Math.max(0, i - period)]!;
            if (i > 0 && count > counts[i - 1]!) expect(count).toBeLessThanOrEqual(begun + value);
          });
        },
      ),
      { numRuns: 500 },
    );
  });

  test.each([
    ['that of its longest period', 10, 1000, 10],
    ['1800 of them, however fast they come', 1800, 100, 1800],
  ])('of changes it remembers %s', (_, periodSeconds, everyMs, most) => {
    const rules = behave({ policies: [pods(1000, periodSeconds)] });
    let memory: BehaviorMemory = STILL;
    for (let n = 0; n < 2000; n++) {
      const change = { wanted: n % 2 === 0 ? 2 : 1, current: n % 2 === 0 ? 1 : 2, isUrgent: false };
      memory = paceChange(rules, change, memory, n * everyMs).memory;
    }
    expect(memory.steps).toHaveLength(most);
  });

  test('remembers no more than its windows can need', () => {
    const list = Array.from({ length: 2000 }, (_, i) => 50 + 40 * Math.sin(i));
    let memory: BehaviorMemory = STILL;
    const rulesOfTest = behave(
      { stabilizationWindowSeconds: 300, policies: [pods(1, 1800)] },
      { stabilizationWindowSeconds: 300 },
    );
    list.forEach((wanted, second) => {
      memory = paceChange(
        rulesOfTest,
        { wanted, current: 50, isUrgent: false },
        memory,
        second * 1000,
      ).memory;
      expect(memory.lows.length + memory.highs.length).toBeLessThanOrEqual(302);
      expect(memory.steps.length).toBeLessThanOrEqual(100);
    });
    expect(structuredClone(memory)).toEqual(JSON.parse(JSON.stringify(memory)));
  });
});
