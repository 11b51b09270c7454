import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compare } from '#simulate/compare.ts';
import { createFrontier } from '#simulate/frontier.ts';
import { createFixed } from '#simulate/planners.ts';
import { replay, type Planner } from '#simulate/replay.ts';
import { createTraceBuilder, withParking } from '#simulate/trace.ts';
import { makeTrace, MINUTE } from './traces.ts';

const minutes = fc
  .array(fc.uniqueArray(fc.nat(300), { minLength: 1, maxLength: 40 }), {
    minLength: 1,
    maxLength: 6,
  })
  .map((lists) => Object.fromEntries(lists.map((list, model) => [`m${model}`, list])));

describe('replay', () => {
  test('a fixed time: what comes within it is warm, idle memory is counted to the end', () => {
    const trace = makeTrace({ a: [0, 5, 16, 20] }, { until: 40, memory: 2 });
    const [account] = replay(trace, createFixed('ten', 10 * MINUTE));
    expect(account?.whole).toEqual({
      arrivals: 4,
      cold: 2,
      coldSeconds: 2,
      woken: 0,
      idleMemory: 2 * (5 + 10 + 4 + 10) * MINUTE,
      loads: 0,
    });
    // From minute 20 on: one request, and ten minutes.
    expect(account?.late).toMatchObject({ arrivals: 1, cold: 0, idleMemory: 20 * MINUTE });
  });

  test('a request in the moment when the time is over is still warm', () => {
    const [account] = replay(makeTrace({ a: [0, 10, 20.001] }), createFixed('ten', 10 * MINUTE));
    expect(account?.whole.cold).toBe(2);
  });

  test('loading ahead of a request is counted, and costs memory', () => {
    const planner: Planner = {
      variants: ['timer'],
      plan: () => [
        [
          { after: 0, state: 'cold' },
          { after: 8 * MINUTE, state: 'hot' },
          { after: 12 * MINUTE, state: 'cold' },
        ],
      ],
    };
    const [account] = replay(makeTrace({ a: [0, 10, 17, 47] }), planner);
    expect(account?.whole).toMatchObject({ cold: 3, loads: 2 });
    expect(account?.whole.idleMemory).toBe((2 + 0 + 4 + 2 * 0.5) * MINUTE);
  });

  test('what is parked keeps a share of its memory, and a request that finds it so is not cold', () => {
    const planner: Planner = {
      variants: ['parks'],
      plan: () => [
        [
          { after: 2 * MINUTE, state: 'parked' },
          { after: 12 * MINUTE, state: 'cold' },
        ],
      ],
    };
    const trace = makeTrace({ a: [0, 1, 11, 41] }, { memory: 3 });
    const [account] = replay(withParking(trace, 0.25), planner);
    expect(account?.whole).toMatchObject({ arrivals: 4, cold: 2, woken: 1, loads: 0 });
    expect(account?.whole.idleMemory).toBeCloseTo(3 * (1 + (2 + 8 / 4) + (2 + 10 / 4)) * MINUTE, 3);
    // Where nobody says what is kept: all of it.
    const [whole] = replay(trace, planner);
    expect(whole?.whole.idleMemory).toBe(3 * (1 + 10 + 12) * MINUTE);
  });

  test('requests that overlap are one busy time, idle from the end of the last', () => {
    const builder = createTraceBuilder();
    builder.add(0, 0, 100);
    builder.add(0, 10, 20);
    builder.add(0, 50, 300);
    builder.add(0, 250, 250);
    builder.add(0, 1000, 1000);
    const trace = builder.finish([{ name: 'a', memory: 1, coldCost: 1 }], 1);
    const planned: number[] = [];
    const idle: (number | undefined)[] = [];
    const [account] = replay(trace, {
      variants: ['x'],
      arrive: (_, since) => idle.push(since),
      plan(_, now) {
        planned.push(now);
        return [[{ after: 600, state: 'cold' }]];
      },
    });
    expect(planned).toEqual([300, 1000]);
    expect(idle).toEqual([undefined, 700]);
    expect(account?.whole).toMatchObject({ arrivals: 5, cold: 2, idleMemory: 600 });
  });

  test('requests of one model in one moment are one busy time', () => {
    const idle: (number | undefined)[] = [];
    const fixed = createFixed('x', 0);
    const arrive = (_: number, since: number | undefined): void => void idle.push(since);
    const [account] = replay(makeTrace({ a: [0, 7, 7, 7] }), { ...fixed, arrive });
    expect(idle).toEqual([undefined, 7 * MINUTE]);
    expect(account?.whole).toMatchObject({ arrivals: 4, cold: 2 });
  });

  test('every arrival is counted once, and longer is never colder', () => {
    fc.assert(
      fc.property(minutes, fc.nat(200), fc.nat(200), (lists, a, b) => {
        const trace = makeTrace(lists);
        const [short, long] = [Math.min(a, b), Math.max(a, b)].map(
          (idle) => replay(trace, createFixed('x', idle * MINUTE))[0]!,
        );
        expect(short!.whole.arrivals).toBe(trace.at.length);
        expect(long!.whole.cold).toBeLessThanOrEqual(short!.whole.cold);
        expect(long!.whole.idleMemory).toBeGreaterThanOrEqual(short!.whole.idleMemory);
        expect(short!.cold.every((cold) => cold >= 1)).toBe(true);
      }),
    );
  });
});

describe('the clairvoyant frontier', () => {
  test('keeps the gaps that cost least', () => {
    const frontier = createFrontier(makeTrace({ a: [0, 5, 16], b: [0, 30] }));
    expect([0, 5, 15.9, 16, 45.9, 46, 1000].map((budget) => frontier(budget * MINUTE))).toEqual([
      5, 4, 4, 3, 3, 2, 2,
    ]);
  });

  test('no policy that only keeps has fewer cold starts at its memory', () => {
    fc.assert(
      fc.property(minutes, fc.nat(200), (lists, idle) => {
        const trace = makeTrace(lists);
        const { whole } = replay(trace, createFixed('x', idle * MINUTE))[0]!;
        expect(createFrontier(trace)(whole.idleMemory)).toBeLessThanOrEqual(whole.cold);
      }),
    );
  });
});

describe('compare', () => {
  const trace = makeTrace({ a: [0, 1, 2, 3], b: [0, 30, 60, 90], c: [5] });

  test('percentiles are over models, and the frontier is the measure', () => {
    const [row] = compare(trace, ['fixed:10m']);
    expect(row).toMatchObject({
      policy: 'fixed:10m',
      arrivals: 9,
      cold: 6,
      p50: 1,
      p75: 1,
      p99: 1,
    });
    expect(row!.idleMemory).toBeCloseTo((3 + 10 + 30 + 10) / 90);
    expect(row!.toFrontier).toBeGreaterThanOrEqual(1);
  });

  test.each(['fixed', 'fixed:', 'fixed:x', 'toString', 'adaptiv'])('%s is no policy', (name) => {
    expect(() => compare(trace, [name])).toThrow(
      /no policy .*there are fixed:10m, adaptive, .*knative, hybrid/,
    );
  });

  test('where parking keeps less memory the learned policy parks, and more is warm for the same', () => {
    const busy = makeTrace(
      Object.fromEntries(
        Array.from({ length: 20 }, (_, model) => [
          `m${model}`,
          Array.from({ length: 60 }, (_, at) => at * 17 + ((at * at * (model + 3)) % 13)),
        ]),
      ),
    );
    const budget = 'fixed:5m';
    const [without] = compare(busy, ['adaptive'], { budget });
    const [parks] = compare(busy, ['adaptive'], { budget, parked: 0.1 });
    expect(without!.woken).toBe(0);
    expect(parks!.woken).toBeGreaterThan(0);
    expect(parks!.cold).toBeLessThan(without!.cold);
  });

  test('what evicts needs a cap', () => {
    expect(() => compare(trace, ['lru'])).toThrow('lru evicts under a cap: give --cap');
  });
});
