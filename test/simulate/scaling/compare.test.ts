import { describe, expect, test } from 'vitest';
import { GOAL, chooseTarget, compareScaling, goodShare } from '#simulate/scaling/compare.ts';
import { CONCURRENCY, simulate } from '#simulate/scaling/run.ts';
import { MEASURED, type Shape, TUNING } from '#simulate/scaling/shapes.ts';

const STEADY: Shape = { name: 'steady', seconds: 300, rateAt: () => 20, heavyAt: () => 0.5 };

describe('the simulated model', () => {
  test('all requests are counted, and enough instances answer them in time', () => {
    const outcome = simulate(STEADY, () => 8, { targetMs: 500, seed: 1 });
    expect(outcome.requests).toBeGreaterThan(5700);
    expect(outcome.requests).toBeLessThan(6300);
    // Those of the first minute and of the last ten seconds are not judged.
    expect(outcome).toMatchObject({ windows: 23, good: 23 });
    expect(outcome.instanceSeconds).toBeCloseTo(8 * 240);
  });

  test('too few do not, and what has no answer at the end is not forgotten', () => {
    const outcome = simulate(STEADY, () => 1, { targetMs: 500, seed: 1 });
    expect(outcome).toMatchObject({ windows: 23, good: 0 });
    expect(outcome.instanceSeconds).toBeCloseTo(240, -1);
    expect(outcome.requests).toBeGreaterThan(5700);
  });

  test('the same seed gives the same, another one something else', () => {
    const run = (seed: number) => simulate(STEADY, () => 3, { targetMs: 300, seed });
    expect(run(1)).toEqual(run(1));
    expect(run(1).requests).not.toBe(run(2).requests);
  });
});

test('no shape is used both for choosing and for judging', () => {
  const sample = ({ rateAt, heavyAt }: Shape) =>
    JSON.stringify([100, 500, 900, 1300, 1700].map((t) => [rateAt(t), heavyAt(t)]));
  expect(new Set([...TUNING, ...MEASURED].map(sample)).size).toBe(TUNING.length + MEASURED.length);
});

test('signals keep the latency at less cost than one target of concurrency', () => {
  const target = chooseTarget();
  expect(target * CONCURRENCY).toBeCloseTo(1.6);
  const { rows, total } = compareScaling(target, [1, 2]);
  expect(rows).toHaveLength(MEASURED.length);
  expect(goodShare(total.bySignals)).toBeGreaterThanOrEqual(GOAL);
  expect(total.bySignals.instanceSeconds).toBeLessThanOrEqual(
    0.9 * total.byConcurrency.instanceSeconds,
  );
  for (const { byConcurrency, bySignals } of rows) {
    expect(bySignals.requests).toBe(byConcurrency.requests);
  }
}, 300_000);
