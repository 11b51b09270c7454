import { describe, expect, test } from 'vitest';
import { makeMinuteBins } from '#policies/keepalive/bins.ts';
import {
  countArrivals,
  learnGap,
  levelHazard,
  makeHistory,
  shapeHazard,
} from '#policies/keepalive/history.ts';
import {
  contextOf,
  learnPooled,
  makePooled,
  NO_CONTEXT,
  pooledHazard,
} from '#policies/keepalive/pooled.ts';

const MINUTE = 60_000;
const bins = makeMinuteBins();

function firstOf(array: Float32Array, count = 5): number[] {
  return Array.from(array.slice(0, count), (value) => Math.round(value * 1e4) / 1e4);
}

describe('the shape of a model', () => {
  test.each([
    [2, [0, 0.08, 0.84, 0.08, 0], [1, 1, 0.92, 0.08, 0]],
    [0, [0.92, 0.08, 0, 0, 0], [1, 0.08, 0, 0, 0]],
    [bins.count, [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]],
  ])('a request in bin %d, with a little of it in the bins beside', (bin, events, atRisk) => {
    const history = makeHistory(bins);
    learnGap(history, bins, bin);
    expect(firstOf(history.events)).toEqual(events);
    expect(firstOf(history.atRisk)).toEqual(atRisk);
    learnGap(history, bins, 4);
    expect(history.events[bin] ?? 0).toBeCloseTo(0.99 * (events[bin] ?? 0), 5);
    expect(history.atRisk[0]).toBeCloseTo(0.99 * atRisk[0]! + 1, 5);
  });

  test('the last bin has none after it', () => {
    const history = makeHistory(bins);
    learnGap(history, bins, bins.count - 1);
    expect(history.events.at(-1)).toBeCloseTo(0.92);
  });

  test('is shrunk to what is expected of a model at its level', () => {
    const history = makeHistory(bins);
    expect(shapeHazard(history, 2, 0.3)).toBe(0.3);
    for (let gap = 0; gap < 400; gap++) learnGap(history, bins, 2);
    expect(shapeHazard(history, 2, 0.3)).toBeCloseTo((84 / 100) * 1.05, 1);
    expect(shapeHazard(history, 1, 0.3)).toBeLessThan(0.12);
  });
});

describe('the level of a model', () => {
  test('asked twice as often as expected, its hazard is that of two', () => {
    const history = makeHistory(bins);
    for (let gap = 0; gap < 1000; gap++) {
      history.expectedNow[0] = 0.5;
      learnGap(history, bins, 0);
    }
    expect(history.level[0]).toBeCloseTo(2, 1);
    expect(levelHazard(history, 0, 0.3)).toBeCloseTo(1 - 0.7 ** 2, 1);
  });

  test('of a class of which it has shown nothing, its own over all classes', () => {
    const history = makeHistory(bins);
    expect(levelHazard(history, 5, 0.3)).toBeCloseTo(0.3, 12);
    history.expectedNow[0] = 10;
    learnGap(history, bins, 0);
    expect(history.level[5]).toBeCloseTo(3 / 12, 12);
    expect(history.level[0]).toBeCloseTo((3 / (10 * (3 / 12) + 2)) * (3 / 12), 12);
  });
});

test('recent arrivals fade at three speeds', () => {
  const history = makeHistory(bins);
  countArrivals(history, 0, 1);
  countArrivals(history, 10 * MINUTE, 1);
  expect(history.recent[0]).toBeCloseTo(1 + Math.exp(-1));
  expect(history.recent[1]).toBeCloseTo(1 + Math.exp(-1 / 6));
  expect(history.recent[2]).toBeCloseTo(1 + Math.exp(-1 / 144));
});

describe('the hazard of all models', () => {
  test('begins with the prior: each doubling of the idle time is alike', () => {
    const pooled = makePooled(bins);
    expect(pooledHazard(pooled, NO_CONTEXT, 0)).toBeCloseTo(0.15);
    expect(pooledHazard(pooled, 0, 2)).toBeCloseTo(0.15 * Math.log2(4 / 3));
  });

  test('by the class of the idle time before, shrunk to all classes, shrunk to the prior', () => {
    const pooled = makePooled(bins);
    for (let seen = 0; seen < 100; seen++) learnPooled(pooled, 0, 0, true);
    for (let seen = 0; seen < 60; seen++) learnPooled(pooled, 3, 0, false);
    const all = (100 + 8 * 0.15) / (160 + 8);
    expect(pooledHazard(pooled, 0, 0)).toBeCloseTo((100 + 20 * all) / (100 + 20), 12);
    expect(pooledHazard(pooled, 3, 0)).toBeCloseTo((20 * all) / (60 + 20), 12);
    expect(pooledHazard(pooled, 1, 0)).toBeCloseTo(all, 12);
  });

  test.each([
    [0, 0],
    [1, 0],
    [2, 1],
    [15, 2],
    [60, 3],
    [240, 4],
    [241, 5],
  ])('%d minutes are of class %d', (minutes, context) => {
    expect(contextOf(minutes * MINUTE)).toBe(context);
  });
});
