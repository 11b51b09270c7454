import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CALM, STABLE_SECONDS, type ScaleSeen, decideScale } from '#policies/scale.ts';

const NOW = 1_000_000;

function seen(part: Partial<ScaleSeen>): ScaleSeen {
  return { stable: 0, panic: 0, ready: 0, woken: 0, queued: 0, inFlight: 0, ...part };
}

const load = fc.double({ min: 0, max: 5000, noNaN: true });
const specs = fc.record({
  concurrency: fc.integer({ min: 0, max: 200 }),
  target: fc.double({ min: 0.01, max: 1, noNaN: true }),
});
const sights = fc
  .record({
    stable: load,
    panic: load,
    ready: fc.integer({ min: 0, max: 100 }),
    woken: fc.integer({ min: 0, max: 100 }),
    queued: fc.integer({ min: 0, max: 10_000 }),
    inFlight: fc.integer({ min: 0, max: 10_000 }),
  })
  .filter(({ ready, woken }) => woken <= ready);
const memories = fc.oneof(
  fc.constant(CALM),
  fc.record({
    until: fc.integer({ min: NOW - 60_000, max: NOW + 60_000 }),
    count: fc.integer({ min: 0, max: 100 }),
  }),
);

describe('scale', () => {
  const spec = { concurrency: 8, target: 0.7 };

  test.each([
    ['nothing to do', { ready: 0 }, 0, 'stable'],
    ['one request wakes one', { queued: 1 }, 1, 'cold'],
    ['as many as the waiting fill', { queued: 17 }, 3, 'panic'],
    ['one request has woken one', { ready: 1, woken: 1, inFlight: 1 }, 1, 'cold'],
    ['a burst has', { ready: 1, woken: 1, inFlight: 8, queued: 16 }, 3, 'panic'],
    ['one of two was there before', { ready: 2, woken: 1, inFlight: 16, queued: 16 }, 1, 'stable'],
    ['what runs on one', { ready: 1, inFlight: 3, stable: 3, panic: 3 }, 1, 'stable'],
    ['above the target', { ready: 1, inFlight: 6, stable: 6, panic: 6 }, 2, 'panic'],
    ['steady over two', { ready: 2, inFlight: 12, stable: 12, panic: 12 }, 3, 'stable'],
    ['at least one while one runs', { ready: 1, inFlight: 1 }, 1, 'stable'],
    ['no faster down than by half', { ready: 8 }, 4, 'stable'],
    ['the last may go', { ready: 1 }, 0, 'stable'],
  ] as const)('%s', (_, part, count, mode) => {
    const { decision } = decideScale(spec, seen(part), CALM, NOW);
    expect(decision).toEqual({ count, mode });
  });

  test('one request starts one instance, even at concurrency 1', () => {
    const one = { concurrency: 1, target: 0.7 };
    expect(decideScale(one, seen({ queued: 1 }), CALM, NOW).decision.count).toBe(1);
  });

  test('no limit of concurrency counts as 100', () => {
    const open = { concurrency: 0, target: 0.7 };
    expect(decideScale(open, seen({ ready: 1, stable: 70 }), CALM, NOW).decision.count).toBe(1);
    expect(decideScale(open, seen({ ready: 1, stable: 71 }), CALM, NOW).decision.count).toBe(2);
  });

  test('a burst lasts one stable window after its last sign, then the load decides again', () => {
    const burst = decideScale(spec, seen({ ready: 1, panic: 30 }), CALM, NOW);
    expect(burst.decision).toEqual({ count: 6, mode: 'panic' });
    const during = NOW + STABLE_SECONDS * 1000 - 1;
    const quiet = decideScale(spec, seen({ ready: 6 }), burst.memory, during);
    expect(quiet.decision).toEqual({ count: 6, mode: 'panic' });
    const after = decideScale(spec, seen({ ready: 6 }), quiet.memory, during + 1);
    expect(after).toMatchObject({ decision: { count: 3, mode: 'stable' }, memory: CALM });
  });

  test('is monotone in the load', () => {
    fc.assert(
      fc.property(specs, sights, memories, sights, (model, low, memory, extra) => {
        const high = {
          ready: low.ready,
          woken: low.woken,
          stable: low.stable + extra.stable,
          panic: low.panic + extra.panic,
          queued: low.queued + extra.queued,
          inFlight: low.inFlight + extra.inFlight,
        };
        const less = decideScale(model, low, memory, NOW).decision.count;
        expect(decideScale(model, high, memory, NOW).decision.count).toBeGreaterThanOrEqual(less);
      }),
      { numRuns: 2000 },
    );
  });

  test('never goes down in a burst, never to zero while anything waits, and always says why', () => {
    fc.assert(
      fc.property(specs, sights, memories, (model, sight, memory) => {
        const { decision, memory: next, why } = decideScale(model, sight, memory, NOW);
        expect(Number.isInteger(decision.count)).toBe(true);
        if (memory.until > NOW) {
          expect(decision.count).toBeGreaterThanOrEqual(Math.max(memory.count, sight.ready));
          expect(next.until).toBeGreaterThanOrEqual(memory.until);
        }
        if (sight.queued + sight.inFlight > 0) expect(decision.count).toBeGreaterThan(0);
        expect(why).toMatch(/^the load needs (no instance|1 instance|\d+ instances) /);
        expect(why).toContain(`${sight.queued} waiting`);
      }),
      { numRuns: 2000 },
    );
  });
});
