import { expect, test } from 'vitest';
import { decideArtifact } from '#policies/retention/artifacts.ts';

const HOUR = 3_600_000;
const NOW = Date.UTC(2030, 0, 1);
const OLD = { touchedAt: NOW - 30 * HOUR, freeSince: NOW - HOUR, gaps: [] };

test.each([
  ['what nothing refers to goes', 24 * HOUR, {}, undefined],
  ['never is never', Infinity, {}, 'forever'],
  ['what was pushed lately waits', 24 * HOUR, { touchedAt: NOW - HOUR }, 23 * HOUR],
  ['what was let go of just now waits for what drains', 24 * HOUR, { freeSince: NOW }, HOUR / 6],
  ['but not longer than all content does', 60_000, { freeSince: NOW }, 60_000],
  [
    'time that nobody saw does not count',
    24 * HOUR,
    { gaps: [{ from: NOW - 20 * HOUR, to: NOW - 10 * HOUR }] },
    4 * HOUR,
  ],
] as const)('%s', (_, unusedFor, part, left) => {
  const { keep, goesAt, why } = decideArtifact(unusedFor, { ...OLD, ...part }, NOW);
  expect(why).not.toBe('');
  expect(keep).toBe(left !== undefined);
  expect(goesAt).toBe(typeof left === 'number' ? NOW + left : undefined);
});
