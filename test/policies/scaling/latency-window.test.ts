import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LATENCY_BUCKETS, latencyBound, latencyBucket, latencyQuantile } from '#domain/latency.ts';
import { latencyOver, makeLatencyWindow, recordLatency } from '#policies/scaling/latency-window.ts';

const NOW = 1_000_000;

describe('buckets', () => {
  test.each([
    [0, 0],
    [Number.NaN, 0],
    [1, 0],
    [1.1, 1],
    [1.11, 2],
    [100, 49],
    [1e12, LATENCY_BUCKETS - 1],
  ])('%s ms is in %s', (ms, bucket) => {
    expect(latencyBucket(ms)).toBe(bucket);
  });

  test('each time lies between the bounds of its bucket', () => {
    fc.assert(
      fc.property(fc.double({ min: 1.0001, max: 1e6, noNaN: true }), (ms) => {
        const bucket = latencyBucket(ms);
        expect(ms).toBeLessThanOrEqual(latencyBound(bucket) * (1 + 1e-8));
        expect(ms).toBeGreaterThan(latencyBound(bucket - 1) * (1 - 1e-8));
      }),
    );
  });

  test('a quantile is within a tenth of the true one', () => {
    const times = fc.array(fc.double({ min: 2, max: 1e5, noNaN: true }), {
      minLength: 1,
      maxLength: 300,
    });
    fc.assert(
      fc.property(times, fc.double({ min: 0.01, max: 1, noNaN: true }), (list, share) => {
        const counts = new Uint32Array(LATENCY_BUCKETS);
        for (const ms of list) counts[latencyBucket(ms)]! += 1;
        const sorted = list.toSorted((a, b) => a - b);
        const exact = sorted[Math.max(0, Math.ceil(share * list.length - 1e-9) - 1)]!;
        const found = latencyQuantile(counts, share)!;
        expect(found / exact).toBeGreaterThan(0.9);
        expect(found / exact).toBeLessThan(1.11);
      }),
    );
  });

  test('of nothing there is none', () => {
    expect(latencyQuantile([0, 0], 0.5)).toBeUndefined();
  });
});

describe('the window', () => {
  test('holds the last seconds, and forgets older ones', () => {
    const window = makeLatencyWindow(NOW);
    recordLatency(window, NOW, [latencyBucket(100), 10]);
    recordLatency(window, NOW + 5000, [latencyBucket(1000), 10]);
    expect(latencyOver(window, NOW + 5500, 20, 0.5)).toBeLessThan(120);
    expect(latencyOver(window, NOW + 5500, 5, 0.5)).toBeGreaterThan(900);
    expect(latencyOver(window, NOW + 20_000, 20, 0.1)).toBeLessThan(120);
    expect(latencyOver(window, NOW + 22_000, 20, 0.1)).toBeGreaterThan(900);
    expect(latencyOver(window, NOW + 60_000, 20, 0.5)).toBeUndefined();
    recordLatency(window, NOW + 3_600_000, [0, 1]);
    expect(latencyOver(window, NOW + 3_600_000, 30, 1)).toBeLessThanOrEqual(1);
  });

  test('several reports of a second add up; what is no bucket is ignored', () => {
    const window = makeLatencyWindow(NOW);
    recordLatency(window, NOW, [3, 1, 7, 2]);
    recordLatency(window, NOW + 10, [3, 1, -1, 5, LATENCY_BUCKETS, 5, 1.5, 9, 4]);
    expect(latencyOver(window, NOW + 20, 5, 0.5)).toBeCloseTo(latencyBound(3));
  });

  test('a clock that was set back adds to the newest second', () => {
    const window = makeLatencyWindow(NOW);
    recordLatency(window, NOW - 60_000, [3, 1]);
    expect(latencyOver(window, NOW, 5, 1)).toBeCloseTo(latencyBound(3));
  });
});
