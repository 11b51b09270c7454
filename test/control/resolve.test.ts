import { expect, test } from 'vitest';
import { resolveTraffic, servingOf } from '#control/records/resolve.ts';
import type { RevisionRecord } from '#domain/records.ts';

const revision = (name: string, ordinal: number, state: RevisionRecord['state'] = 'Ready') =>
  ({ name, ordinal, state }) as RevisionRecord;

test.each([
  ['the largest share', [60, 40], 'v1'],
  ['of equal ones the first', [50, 50], 'v1'],
  ['whatever the order', [5, 95], 'v2'],
  ['no share, and there is none else', [0, 100], 'v2'],
])('what serves is the revision with %s', (_, [first = 0, second = 0], serving) => {
  const traffic = [
    { revision: 'v1', percent: first },
    { revision: 'v2', percent: second },
  ];
  const resolved = resolveTraffic(traffic, [revision('v1', 1), revision('v2', 2)], []);
  expect(servingOf(resolved)).toBe(serving);
});

test('a revision that only a tag leads to does not serve, though nothing else is ready yet', () => {
  const traffic = [
    { revision: 'v1', percent: 100 },
    { revision: 'v2', percent: 0, tag: 'next' },
  ];
  const resolved = resolveTraffic(traffic, [revision('v1', 1, 'Preparing'), revision('v2', 2)], []);
  expect(resolved.targets).toEqual([{ revision: 'v2', percent: 0, tag: 'next' }]);
  expect(servingOf(resolved)).toBeUndefined();
});
