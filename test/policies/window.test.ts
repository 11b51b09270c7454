import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeLoadWindow, meanLoad, recordLoad } from '#policies/window.ts';

const START = 5_000_000;

describe('load window', () => {
  test('seconds before the first report count as no load', () => {
    const window = makeLoadWindow(START);
    recordLoad(window, START, 6);
    expect(meanLoad(window, START, 6)).toBe(1);
    expect(meanLoad(window, START, 60)).toBe(0.1);
  });

  test('the running second counts once something was recorded in it', () => {
    const window = makeLoadWindow(START);
    for (let second = 0; second < 6; second++) recordLoad(window, START + second * 1000, 2);
    expect(meanLoad(window, START + 5999, 6)).toBe(2);
    expect(meanLoad(window, START + 6000, 6)).toBe(2);
    expect(meanLoad(window, START + 7000, 6)).toBeCloseTo(10 / 6);
  });

  test('reports of several data planes add up', () => {
    const window = makeLoadWindow(START);
    recordLoad(window, START + 10, 1);
    recordLoad(window, START + 500, 2);
    expect(meanLoad(window, START + 900, 1)).toBe(3);
  });

  test('a clock that is set back rewrites nothing', () => {
    const window = makeLoadWindow(START);
    recordLoad(window, START, 1);
    recordLoad(window, START - 30_000, 1);
    expect(meanLoad(window, START, 1)).toBe(2);
  });

  test('agrees with a plain list of reports', () => {
    const reports = fc.array(
      fc.record({
        gap: fc.integer({ min: 0, max: 90_000 }),
        load: fc.integer({ min: 0, max: 100 }),
      }),
      { maxLength: 80 },
    );
    fc.assert(
      fc.property(
        reports,
        fc.constantFrom(6, 60),
        fc.integer({ min: 0, max: 70_000 }),
        (list, seconds, later) => {
          const window = makeLoadWindow(START);
          const log: { second: number; load: number }[] = [];
          let now = START;
          for (const { gap, load } of list) {
            now += gap;
            recordLoad(window, now, load);
            log.push({ second: Math.floor(now / 1000), load });
          }
          now += later;
          const running = Math.floor(now / 1000);
          const last = log.at(-1)?.second === running || list.length === 0 ? running : running - 1;
          const sum = log
            .filter(({ second }) => second > last - seconds && second <= last)
            .reduce((total, { load }) => total + load, 0);
          expect(meanLoad(window, now, seconds)).toBeCloseTo(sum / seconds, 9);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
