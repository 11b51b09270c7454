import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { beginSizing, decideSize, LARGEST_SIZE, type Sizing } from '#batch/runner/sizing.ts';

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

describe('the size of requests', () => {
  test.each<[string, Model, number]>([
    ['grows as long as that is faster', { requestMs: 10, rowMs: 0.01, rowBytes: 1 }, 8192],
    ['stops where more rows are no faster', { requestMs: 1, rowMs: 1, rowBytes: 1 }, 16],
    ['is bounded by a second for an answer', { requestMs: 500, rowMs: 2, rowBytes: 1 }, 128],
    ['is one row where that takes seconds', { requestMs: 1, rowMs: 3000, rowBytes: 1 }, 1],
    ['is bounded by the bytes of a request', { requestMs: 50, rowMs: 0.01, rowBytes: 4096 }, 256],
  ])('%s', (_, model, size) => {
    expect(settle(model, 30).size).toBe(size);
  });

  test('is always a power of two within its bounds, and is found after few decisions', () => {
    fc.assert(
      fc.property(models, fc.integer({ min: 15, max: 45 }), (model, decisions) => {
        const { size } = settle(model, decisions);
        expect(Number.isInteger(Math.log2(size))).toBe(true);
        expect(size).toBeGreaterThanOrEqual(1);
        expect(size).toBeLessThanOrEqual(LARGEST_SIZE);
        const { latencyMs, bytes } = seen(model, size);
        // A row is the least that there is.
        if (size > 1) expect([latencyMs <= 1000, bytes <= 2 ** 20]).toEqual([true, true]);
      }),
    );
  });

  test('grows again some time after what made it slow has gone', () => {
    const slow = { requestMs: 2000, rowMs: 0.01, rowBytes: 1 };
    let sizing = settle(slow, 10);
    expect(sizing.size).toBe(1);
    const fast = { requestMs: 10, rowMs: 0.01, rowBytes: 1 };
    for (let count = 0; count < 1000; count++) sizing = decideSize(sizing, seen(fast, sizing.size));
    expect(sizing.size).toBeGreaterThan(1000);
  });
});
