import fc from 'fast-check';
import { expect, test } from 'vitest';
import { afterFailure, afterReady, type Backoff, NO_BACKOFF } from '#runtime/backoff.ts';

/** One instance after the other: `readyForMs` undefined: it died before it was ready. */
function live(lives: readonly (number | undefined)[]): { waits: number[]; backoff: Backoff } {
  let [now, backoff] = [0, NO_BACKOFF];
  const waits = lives.map((readyForMs, launch) => {
    if (readyForMs !== undefined) {
      backoff = afterReady(backoff, now);
      now += readyForMs;
    }
    const wasReady = readyForMs !== undefined;
    backoff = afterFailure(backoff, { now, wasReady, launch, launches: launch + 1 });
    const wait = backoff.retryAt - now;
    now = backoff.retryAt;
    return wait;
  });
  return { waits, backoff };
}

test('starts that never get ready wait longer each time, up to a minute', () => {
  const never = Array.from({ length: 12 }, () => undefined);
  const { waits } = live(never);
  expect(waits.slice(0, 4)).toEqual([100, 200, 400, 800]);
  expect(waits.slice(-2)).toEqual([60_000, 60_000]);
});

test('what became ready and is killed is replaced within 6.4 s, however often', () => {
  const life = fc.option(fc.integer({ min: 0, max: 10_100 }), { nil: undefined });
  const lives = fc.array(life, { maxLength: 40, size: 'max' });
  fc.assert(
    fc.property(lives, (before) => {
      const { waits } = live([...before, 1]);
      expect(waits.at(-1)).toBeLessThanOrEqual(6400);
    }),
  );
});

test('what dies in use while others do not start is replaced as soon', () => {
  let backoff = afterReady(NO_BACKOFF, 0);
  for (let launch = 1; launch <= 12; launch += 1) {
    const seen = { now: backoff.retryAt, wasReady: false, launch, launches: launch + 1 };
    backoff = afterFailure(backoff, seen);
  }
  const now = backoff.retryAt - 59_000;
  backoff = afterFailure(backoff, { now, wasReady: true, launch: 0, launches: 13 });
  expect(backoff.retryAt - now).toBeLessThanOrEqual(6400);
});

test('what ran soundly is replaced at once, and earlier strikes are forgotten', () => {
  const { waits, backoff } = live([...Array.from({ length: 9 }, () => undefined), 10_000, 1]);
  expect(waits.slice(-2)).toEqual([0, 100]);
  expect(backoff).toMatchObject({ strikes: 1, failures: 0 });
});
