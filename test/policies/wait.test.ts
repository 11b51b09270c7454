import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideExpectedWait, type WaitSeen } from '#policies/wait.ts';

const COLD: WaitSeen = {
  warm: false,
  startSeconds: 10,
  startingSeconds: 0,
  ahead: 0,
  secondsPerGrant: 2,
  concurrency: 4,
};

describe('the expected wait', () => {
  test.each<[string, Partial<WaitSeen>, number | undefined]>([
    ['a whole start', {}, 10],
    ['what is left of one', { startingSeconds: 7 }, 3],
    ['one that takes longer than usual', { startingSeconds: 12 }, undefined],
    ['those that an instance takes at once do not wait for each other', { ahead: 3 }, 10],
    ['the first that is one too many', { ahead: 4 }, 12],
    ['no limit at once', { ahead: 4000, concurrency: 0 }, 10],
    ['one too many, no pace yet', { ahead: 4, secondsPerGrant: undefined }, undefined],
    ['room at once, no pace yet', { ahead: 3, secondsPerGrant: undefined }, 10],
    ['no start measured', { startSeconds: 0 }, undefined],
    ['awake: in turn', { warm: true, ahead: 4 }, 10],
    ['awake: the next waits for one to end', { warm: true }, 2],
    ['awake, no pace yet', { warm: true, secondsPerGrant: undefined }, undefined],
    ['awake, no limit at once', { warm: true, concurrency: 0, ahead: 1 }, 0],
  ])('%s', (_, seen, expected) => {
    expect(decideExpectedWait({ ...COLD, ...seen })).toBe(expected);
  });

  test('is never negative, and never shorter with more ahead', () => {
    const seconds = fc.double({ min: 0, max: 1000, noNaN: true });
    const seen = fc.record({
      warm: fc.boolean(),
      startSeconds: fc.double({ min: 0.1, max: 1000, noNaN: true }),
      startingSeconds: seconds,
      ahead: fc.nat(10_000),
      secondsPerGrant: fc.option(seconds, { nil: undefined }),
      concurrency: fc.nat(20),
    });
    fc.assert(
      fc.property(seen, (one) => {
        const wait = decideExpectedWait(one) ?? Number.POSITIVE_INFINITY;
        const behind = decideExpectedWait({ ...one, ahead: one.ahead + 1 });
        return wait >= 0 && (behind ?? Number.POSITIVE_INFINITY) >= wait;
      }),
    );
  });
});
