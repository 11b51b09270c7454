import { expect, test } from 'vitest';
import { chooseTarget, type Tried } from '#load-tests/scaling/report.ts';

function tried(target: number, good: number, instanceSeconds: number): Tried {
  return { target, windows: 200, good, instanceSeconds, requests: 1, lost: 0 };
}

test.each<[string, Tried[], number]>([
  [
    'the cheapest of those that are good',
    [tried(1, 200, 9), tried(2, 198, 6), tried(3, 197, 4)],
    2,
  ],
  ['not the highest', [tried(1, 200, 5), tried(2, 199, 6)], 1],
  ['none is good: the best', [tried(1, 190, 9), tried(2, 196, 6), tried(3, 150, 4)], 2],
])('%s', (_, sweep, chosen) => {
  expect(chooseTarget(sweep)).toBe(chosen);
});
