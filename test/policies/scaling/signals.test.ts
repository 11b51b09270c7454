import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { blendSignals } from '#policies/scaling/blend.ts';
import { type Sighting, type SignalSpec, UNKNOWN, judgeSignal } from '#policies/scaling/signals.ts';

const NOW = 1_000_000;
const TOTAL: SignalSpec = { name: 'cpu', kind: 'total', target: 0.5, every: 1000 };
const RATIO: SignalSpec = { name: 'latency', kind: 'ratio', target: 200, every: 1000 };

function seen(value: number | undefined, part: Partial<Sighting> = {}): Sighting {
  return { value, at: NOW, ...part };
}

function judge(spec: SignalSpec, sighting: Sighting, ready = 4, memory = UNKNOWN) {
  return judgeSignal(spec, sighting, memory, ready, NOW);
}

describe('what a signal needs', () => {
  test.each([
    ['a total over what one carries', TOTAL, seen(3), 6],
    ['nothing for nothing', TOTAL, seen(0), 0],
    ['a ratio at its target leaves the number', RATIO, seen(200), 4],
    ['half the target needs half of them', RATIO, seen(100), 2],
    ['a ratio never asks for more than twice as many', RATIO, seen(5000), 8],
  ])('%s', (_, spec, sighting, needed) => {
    expect(judge(spec, sighting)).toMatchObject({ needed, burst: needed });
  });

  test('the last seconds alone, where they are known and fit', () => {
    expect(judge(TOTAL, seen(3, { burst: 5 }))).toMatchObject({ needed: 6, burst: 10 });
    expect(judge(TOTAL, seen(3, { burst: Number.NaN }))).toMatchObject({ burst: 6 });
    expect(judge(TOTAL, seen(3, { burst: -1 }))).toMatchObject({ burst: 6 });
    expect(judge(TOTAL, seen(3, { burst: 1000 }))).toMatchObject({ burst: 6 });
  });

  test('a ratio is of as many as were ready when it was measured', () => {
    expect(judge(RATIO, seen(400, { among: 2.5 }), 5)).toMatchObject({ needed: 5, burst: 5 });
  });
});

describe('what is left out, and why', () => {
  test.each([
    ['nothing was measured', TOTAL, seen(undefined), 'has no value'],
    [
      'its own reason',
      TOTAL,
      seen(undefined, { missing: 'has not been measured' }),
      'has not been measured',
    ],
    ['no number', TOTAL, seen(Number.NaN), 'is NaN'],
    ['without end', TOTAL, seen(Infinity), 'is Infinity'],
    ['below zero', TOTAL, seen(-0.1), 'is -0.1'],
    ['too old', TOTAL, seen(3, { at: NOW - 3001 }), 'is 3 s old'],
    ['of a clock that is ahead', TOTAL, seen(3, { at: NOW + 6000 }), 'is 6 s ahead of time'],
    ['of no time', TOTAL, seen(3, { at: Number.NaN }), 'has no time'],
    ['a jump beyond reason', TOTAL, seen(51), 'jumped from 0 to 51'],
  ])('%s', (_, spec, sighting, leftOut) => {
    expect(judge(spec, sighting)).toMatchObject({ leftOut });
  });

  test('three intervals are not too old yet, by the interval of the signal', () => {
    expect(judge(TOTAL, seen(3, { at: NOW - 3000 }))).toMatchObject({ needed: 6 });
    const slow = { ...TOTAL, every: 15_000 };
    expect(judge(slow, seen(3, { at: NOW - 45_000 }))).toMatchObject({ needed: 6 });
  });

  test('a ratio with nothing ready', () => {
    expect(judge(RATIO, seen(100), 0)).toMatchObject({
      leftOut: 'says nothing without an instance',
    });
  });

  test('a jump is believed when the next value agrees, and not before', () => {
    const first = judge(TOTAL, seen(60));
    const same = judgeSignal(TOTAL, seen(60), first.memory, 4, NOW);
    expect(same).toHaveProperty('leftOut');
    const next = judgeSignal(TOTAL, seen(90, { at: NOW + 1 }), same.memory, 4, NOW + 1);
    expect(next).toMatchObject({ needed: 180, memory: { believed: 90 } });
    expect(next.memory.doubted).toBeUndefined();
  });

  test('what grows from a value that was believed is no jump, however far it is from the target', () => {
    const busy = { believed: 40 };
    const next = judgeSignal(TOTAL, seen(90), busy, 4, NOW);
    expect(next).toMatchObject({ needed: 180, memory: { believed: 90 } });
  });

  test('two that do not agree are both doubted, the newer one further', () => {
    const first = judge(TOTAL, seen(60));
    const next = judgeSignal(TOTAL, seen(600, { at: NOW + 1 }), first.memory, 4, NOW + 1);
    expect(next).toMatchObject({
      leftOut: 'jumped from 0 to 600',
      memory: { doubted: { value: 600 } },
    });
  });

  test('a jump is not believed when the next value is far below it', () => {
    const first = judge(TOTAL, seen(600));
    const next = judgeSignal(TOTAL, seen(100, { at: NOW + 1 }), first.memory, 4, NOW + 1);
    expect(next).toMatchObject({ leftOut: 'jumped from 0 to 100' });
  });

  test('a value that is not believed does not become the last one', () => {
    const before = judge(TOTAL, seen(2));
    expect(judgeSignal(TOTAL, seen(1000), before.memory, 4, NOW).memory.believed).toBe(2);
    expect(judgeSignal(TOTAL, seen(Number.NaN), before.memory, 4, NOW).memory).toEqual(
      before.memory,
    );
  });
});

describe('the blend', () => {
  const specs = (...weights: (number | undefined)[]): SignalSpec[] =>
    weights.map((weight, i) => Object.assign({}, TOTAL, { name: `s${i}`, weight }));
  const says = (...needed: (number | string)[]) =>
    needed.map((one) =>
      typeof one === 'string'
        ? { leftOut: one, memory: UNKNOWN }
        : { needed: one, burst: one * 2, memory: UNKNOWN },
    );

  test.each([
    ['a weighted mean', specs(3, 1), says(2, 6), 3],
    ['without weights the most, as an HPA has it', specs(undefined, undefined), says(2, 6), 6],
    ['of several the most, whichever comes first', specs(undefined, undefined), says(6, 2), 6],
    ['a guard above the mean', specs(1, 1, undefined), says(2, 4, 5), 5],
    ['a guard below the mean', specs(1, 1, undefined), says(2, 4, 1), 3],
    ['what is left out has no weight', specs(3, 1), says(2, 'is NaN'), 2],
  ])('%s', (_, spec, judged, needed) => {
    expect(blendSignals(spec, judged)).toMatchObject({ needed, burst: needed * 2, isHeld: false });
  });

  test('is held when nothing is left that could lower it', () => {
    expect(blendSignals(specs(1, undefined), says('is NaN', 3))).toMatchObject({
      isHeld: true,
      needed: 3,
    });
    expect(blendSignals(specs(undefined), says('is NaN'))).toMatchObject({
      isHeld: true,
      needed: 0,
    });
    expect(blendSignals(specs(1, undefined), says(3, 'is NaN'))).toMatchObject({ isHeld: false });
    expect(blendSignals([], [])).toMatchObject({ isHeld: true });
  });

  test('names all that was counted and all that was left out', () => {
    const { said } = blendSignals(specs(2, undefined, 1), says(2, 3.456, 'is 45 s old'));
    expect(said).toBe('by s0 2 (weight 2), s1 3.46; left out: s2 is 45 s old');
  });

  test('lies between the least and the most that is said', () => {
    const weights = fc.option(fc.double({ min: 0.01, max: 10, noNaN: true }), { nil: undefined });
    const needs = fc.double({ min: 0, max: 100, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(weights, needs), { minLength: 1 }), (rows) => {
        const { needed } = blendSignals(
          specs(...rows.map(([weight]) => weight)),
          says(...rows.map(([, need]) => need)),
        );
        const all = rows.map(([, need]) => need);
        expect(needed).toBeGreaterThanOrEqual(Math.min(...all) - 1e-9);
        expect(needed).toBeLessThanOrEqual(Math.max(...all) + 1e-9);
      }),
    );
  });
});
