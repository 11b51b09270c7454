import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Behavior } from '#policies/scaling/behavior.ts';
import type { Sighting, SignalSpec } from '#policies/scaling/signals.ts';
import {
  UNWEIGHTED,
  type WeightedSeen,
  type WeightedSpec,
  decideWeighted,
  makeAdoptedWeighted,
} from '#policies/scaling/weighted.ts';

const NOW = 1_000_000;
const RULES = {
  stabilizationWindowSeconds: 0,
  policies: [{ type: 'Pods' as const, value: 2, periodSeconds: 10 }],
  selectPolicy: 'Max' as const,
  tolerance: 0.1,
};
const BEHAVIOR: Behavior = {
  scaleUp: RULES,
  scaleDown: { ...RULES, stabilizationWindowSeconds: 30 },
};
const CPU: SignalSpec = { name: 'cpu', kind: 'total', target: 0.5, weight: 1, every: 1000 };
const LATENCY: SignalSpec = { name: 'latency', kind: 'ratio', target: 200, every: 1000 };
const SPEC: WeightedSpec = { signals: [CPU, LATENCY], behavior: BEHAVIOR };

function sight(value: number | undefined, part: Partial<Sighting> = {}): Sighting {
  return { value, at: NOW, ...part };
}

function seen(cpu: Sighting, latency: Sighting, part: Partial<WeightedSeen> = {}): WeightedSeen {
  const none = { woken: 0, isBusy: true, load: 0 };
  return { signals: [cpu, latency], ready: 4, instances: 4, ...none, ...part };
}

function decide(about: WeightedSeen, memory = UNWEIGHTED, now = NOW) {
  return decideWeighted(SPEC, about, memory, now);
}

describe('the weighted number', () => {
  test.each([
    ['follows the mean', seen(sight(2.5), sight(100)), 5, 'weighted'],
    ['a guard raises it', seen(sight(2), sight(250)), 5, 'weighted'],
    ['is limited by its rate', seen(sight(3.9), sight(100)), 6, 'weighted'],
    ['a burst is not', seen(sight(2, { burst: 4 }), sight(100)), 8, 'panic'],
    ['near is the same', seen(sight(2.1), sight(210)), 4, 'weighted'],
    [
      'with nothing ready, what waits decides',
      seen(sight(0), sight(undefined), { ready: 0, instances: 0, load: 3 }),
      3,
      'cold',
    ],
    [
      'with only what was woken just now, too',
      seen(sight(0), sight(undefined), { ready: 1, woken: 1, instances: 1, load: 3 }),
      3,
      'cold',
    ],
    [
      'what starts is not forgotten',
      seen(sight(0), sight(undefined), { ready: 0, instances: 5, load: 3 }),
      5,
      'cold',
    ],
    ['stays when nothing is known', seen(sight(Number.NaN), sight(undefined)), 4, 'blind'],
    [
      'a guard raises it when nothing else is known',
      seen(sight(undefined), sight(300)),
      6,
      'blind',
    ],
    ['a guard alone never lowers it', seen(sight(undefined), sight(1)), 4, 'blind'],
    [
      'follows the load alone when nothing is known and nobody is there',
      seen(sight(undefined), sight(undefined), { isBusy: false, load: 3 }),
      3,
      'blind',
    ],
    [
      'but never upwards',
      seen(sight(undefined), sight(undefined), { isBusy: false, load: 9 }),
      4,
      'blind',
    ],
    [
      'one stays while one runs',
      seen(sight(0), sight(0), { ready: 1, instances: 1 }),
      1,
      'weighted',
    ],
    [
      'none when nothing does',
      seen(sight(0), sight(0), { ready: 1, instances: 1, isBusy: false }),
      0,
      'weighted',
    ],
  ] as const)('%s', (_, about, count, mode) => {
    expect(decide(about).decision).toMatchObject({ count, mode });
  });

  test('goes down after the window, as fast as its rate allows', () => {
    let memory = decide(seen(sight(2), sight(100))).memory;
    const counts: number[] = [];
    let instances = 4;
    for (let second = 1; second <= 45; second++) {
      const now = NOW + second * 1000;
      const at = { at: now };
      const about = seen(sight(0.2, at), sight(50, at), { ready: instances, instances });
      const next = decide(about, memory, now);
      memory = next.memory;
      instances = next.decision.count;
      counts.push(instances);
    }
    expect(counts.indexOf(2)).toBe(29);
    expect(counts.indexOf(1)).toBe(39);
    expect(new Set(counts)).toEqual(new Set([4, 2, 1]));
  });

  test('after a burst the window holds the number', () => {
    const burst = decide(seen(sight(2, { burst: 4 }), sight(100)));
    const now = NOW + 20_000;
    const at = { at: now };
    const about = seen(sight(1, at), sight(100, at), { ready: 8, instances: 8 });
    expect(decide(about, burst.memory, now).decision.count).toBe(8);
  });

  test('what was there before anybody measured stays for the window', () => {
    const adopted = makeAdoptedWeighted(4, NOW);
    const idle = (now: number) => seen(sight(0.1, { at: now }), sight(50, { at: now }));
    const [soon, later] = [NOW + 29_000, NOW + 31_000];
    expect(decide(idle(soon), adopted, soon).decision.count).toBe(4);
    expect(decide(idle(later), adopted, later).decision.count).toBe(2);
  });

  test('one line says what was seen, what was left out and why', () => {
    const { why } = decide(seen(sight(3.9), sight(100, { at: NOW - 60_000 })));
    expect(why).toBe(
      'the load needs 6 instances (signals): 7.8 by cpu 7.8 (weight 1); left out: latency is 60 s old; 8 would be too fast',
    );
  });

  const values = fc.oneof(
    fc.constant(undefined),
    fc.constantFrom(Number.NaN, Infinity, -1, 1e300),
    fc.double({ min: 0, max: 1000, noNaN: true }),
  );
  const sightings = fc.record({
    value: values,
    burst: values,
    at: fc.oneof(fc.constant(NOW), fc.integer({ min: NOW - 1e6, max: NOW + 1e6 })),
  });
  const seens = fc.record({
    signals: fc.tuple(sightings, sightings),
    ready: fc.integer({ min: 0, max: 50 }),
    woken: fc.integer({ min: 0, max: 50 }),
    instances: fc.integer({ min: 0, max: 50 }),
    isBusy: fc.boolean(),
    load: fc.integer({ min: 0, max: 50 }),
  });

  test('whatever is measured, the number is whole, bounded, and explained', () => {
    fc.assert(
      fc.property(fc.array(seens, { minLength: 1, maxLength: 5 }), (list) => {
        let memory = UNWEIGHTED;
        for (const [second, about] of list.entries()) {
          const ready = Math.min(about.ready, about.instances);
          const woken = Math.min(about.woken, ready);
          const next = decide({ ...about, ready, woken }, memory, NOW + second * 1000);
          memory = next.memory;
          expect(Number.isSafeInteger(next.decision.count)).toBe(true);
          expect(next.decision.count).toBeGreaterThanOrEqual(about.isBusy ? 1 : 0);
          expect(next.why).toMatch(/^the load needs /);
          expect(next.why).not.toMatch(/NaN by|undefined/);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('when all is missing the number stays, whatever it was', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), (instances) => {
        const about = seen(sight(undefined), sight(Number.NaN), { ready: instances, instances });
        expect(decide(about).decision).toEqual({ count: instances, mode: 'blind' });
      }),
    );
  });
});
