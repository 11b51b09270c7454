import { expect, test } from 'vitest';
import { chooseArrivals, cutWindow, findFixedTime, meanLoaded } from '#load-tests/crowd/window.ts';
import { createTraceBuilder } from '#simulate/trace.ts';

const MINUTE = 60_000;

test('models are asked at a moment of their own within the minute; equal rows count once', () => {
  const builder = createTraceBuilder();
  const add = (model: number, count: number): void => {
    for (let n = 0; n < count; n++) builder.add(model, n * MINUTE, n * MINUTE);
  };
  for (const [model, count] of [1, 30, 30, 40, 50, 900].entries()) add(model, count);
  const models = Array.from({ length: 6 }, (_, n) => ({ name: `m${n}`, memory: 1, coldCost: 1 }));
  const trace = builder.finish(models, MINUTE, { from: 0, to: 1440 * MINUTE });
  const chosen = chooseArrivals(trace, 3);
  expect(chosen.map((times) => times.length)).toEqual([30, 40, 50]);
  expect(chosen.map((times) => times[1])).toEqual([MINUTE, MINUTE + 20_000, MINUTE + 40_000]);
  expect(() => chooseArrivals(trace, 4)).toThrow('the trace has 3 such models, not 4');
});

test('a window is in the order of time', () => {
  expect(
    cutWindow(
      [
        [0, 5, 9],
        [4, 10],
      ],
      4,
      10,
    ),
  ).toEqual([
    { model: 1, at: 4 },
    { model: 0, at: 5 },
    { model: 0, at: 9 },
  ]);
});

test('what a fixed time takes: until the next request, the end of the time, or of the window', () => {
  const models = [[0, 100_000], [50_000]];
  expect(meanLoaded(models, 20_000, 0, 200_000)).toBeCloseTo(60 / 200);
  expect(meanLoaded(models, 1e9, 0, 200_000)).toBeCloseTo((200 + 150) / 200);
  expect(meanLoaded(models, 20_000, 60_000, 200_000)).toBeCloseTo((10 + 20) / 140);
  const idle = findFixedTime(models, 60 / 200, 0, 200_000);
  expect(idle).toBeGreaterThan(19_000);
  expect(idle).toBeLessThan(21_000);
});
