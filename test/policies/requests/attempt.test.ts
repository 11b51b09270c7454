import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Attempted, decideAttempt, MOST_ATTEMPTS } from '#policies/requests/attempt.ts';
import { jitteredMs } from '#policies/requests/pace.ts';

const first: Attempted = { attempts: 1, how: 'answered', status: 200, retryAfterMs: 0, roll: 0.5 };

test.each([
  [{ status: 200 }, 'done'],
  [{ status: 404 }, 'done'],
  [{ status: 500 }, 'done'],
  [{ status: 503 }, 'waiting'],
  [{ status: 429 }, 'waiting'],
  [{ status: 503, attempts: MOST_ATTEMPTS }, 'done'],
  [{ how: 'refused', status: 503 }, 'waiting'],
  [{ how: 'refused', status: 503, attempts: 1000 }, 'waiting'],
  [{ how: 'refused', status: 0 }, 'waiting'],
  [{ how: 'lost', status: 502 }, 'waiting'],
  [{ how: 'lost', status: 502, attempts: MOST_ATTEMPTS }, 'failed'],
  [{ how: 'final', status: 404 }, 'failed'],
] as const)('an attempt that came to %j is %s', (change, state) => {
  expect(decideAttempt({ ...first, ...change }).state).toBe(state);
});

test('a model is left alone for a while when it has no room, not when one instance was lost', () => {
  const refused = decideAttempt({ ...first, how: 'refused', status: 503 });
  const lost = decideAttempt({ ...first, how: 'lost', status: 502 });
  expect([refused, lost]).toMatchObject([{ pauses: true }, { pauses: false }]);
});

test('nothing is sent before the time that the answer asks for', () => {
  fc.assert(
    fc.property(
      fc.nat(20),
      fc.nat(1e6),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (n, asked, roll) => {
        const attempted = { ...first, status: 503, how: 'refused', attempts: n + 1, roll } as const;
        const decision = decideAttempt({ ...attempted, retryAfterMs: asked });
        expect(decision.state).toBe('waiting');
        if (decision.state === 'waiting') expect(decision.afterMs).toBeGreaterThanOrEqual(asked);
      },
    ),
  );
});

test('waits are anything up to a limit, which doubles to the longest', () => {
  const pace = { firstMs: 100, longestMs: 1000 };
  expect([1, 2, 3, 4, 5, 50].map((failures) => jitteredMs(failures, pace, 1))).toEqual([
    100, 200, 400, 800, 1000, 1000,
  ]);
  expect(jitteredMs(5, pace, 0)).toBe(0);
});
