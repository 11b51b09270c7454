import { describe, expect, test } from 'vitest';
import { createPace } from '#batch/runner/pace.ts';
import { createFakeClock } from '#test/fake-clock.ts';

/** Answers of so many rows, each so many ms after the one before. */
function paceOf(fixed?: number) {
  const clock = createFakeClock();
  const pace = createPace(fixed, clock);
  return {
    pace,
    answer: (count: number, rows: number, ms: number): void => {
      for (let index = 0; index < count; index++) {
        clock.advance(ms);
        pace.answered(rows, rows * 4, ms);
      }
    },
  };
}

describe('the pace of requests', () => {
  test('is not asked about before enough has been seen', () => {
    const { pace, answer } = paceOf();
    answer(8, 16, 30);
    expect(pace.size).toBe(16);
    answer(1, 16, 30);
    expect(pace.size).toBe(32);
  });

  test('stays what was asked for', () => {
    const { pace, answer } = paceOf(10);
    answer(100, 10, 30);
    for (let count = 0; count < 100; count++) pace.rejected(10);
    expect(pace.size).toBe(10);
  });

  test('is learned where each request has a bad row', () => {
    const { pace, answer } = paceOf();
    answer(9, 15, 30);
    expect(pace.size).toBe(32);
  });

  test('is halved when requests of it are not taken, though their halves are', () => {
    const { pace, answer } = paceOf();
    for (let count = 0; count < 8; count++) {
      answer(2, 8, 1);
      expect(pace.size).toBe(16);
      pace.rejected(16);
    }
    expect(pace.size).toBe(8);
  });

  test('is not halved for bad rows in the smaller part of its requests, however many they are', () => {
    const { pace, answer } = paceOf();
    for (let count = 0; count < 50; count++) {
      answer(3, 16, 1);
      pace.rejected(16);
      expect(pace.size).toBe(16);
    }
    // The turn ends as it would without them.
    answer(51, 16, 1);
    expect(pace.size).toBeGreaterThan(16);
  });
});
