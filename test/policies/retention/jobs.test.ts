import { expect, test } from 'vitest';
import { decideEndedJob, type EndedJob } from '#policies/retention/jobs.ts';

const DAY = 86_400_000;
const NOW = Date.UTC(2030, 0, 1);
const RULES = { unusedFor: 30 * DAY, most: 10 };
const OLD: EndedJob = { endedAt: NOW - 31 * DAY, newer: 0, heldBy: [], gaps: [] };
const YOUNG: EndedJob = { ...OLD, endedAt: NOW - DAY };

test.each([
  ['one that is old goes', RULES, OLD, { keep: false, why: 'ended 31d ago (goes after 30d)' }],
  [
    'one that is young waits',
    RULES,
    YOUNG,
    { keep: true, why: 'ended 24h ago (goes after 30d)', goesAt: NOW + 29 * DAY },
  ],
  [
    'the moment itself is late enough',
    RULES,
    { ...OLD, endedAt: NOW - 30 * DAY },
    { keep: false, why: 'ended 30d ago (goes after 30d)' },
  ],
  [
    'what is referred to stays, however old and many',
    RULES,
    { ...OLD, newer: 10, heldBy: ['a', 'b'] },
    { keep: true, why: 'a, b' },
  ],
  [
    'time that nobody saw does not count',
    RULES,
    { ...OLD, gaps: [{ from: NOW - 20 * DAY, to: NOW - 10 * DAY }] },
    { keep: true, why: 'ended 21d ago (goes after 30d)', goesAt: NOW + 9 * DAY },
  ],
  [
    'never is never',
    { ...RULES, unusedFor: Infinity },
    OLD,
    { keep: true, why: 'unusedFor of jobs is never' },
  ],
  [
    'of very many the oldest go, even then',
    { ...RULES, unusedFor: Infinity },
    { ...YOUNG, newer: 10 },
    { keep: false, why: '10 jobs have ended since, at most 10 are kept' },
  ],
  [
    'the last that may stay does',
    { ...RULES, unusedFor: Infinity },
    { ...YOUNG, newer: 9 },
    { keep: true, why: 'unusedFor of jobs is never' },
  ],
] as const)('%s', (_, rules, seen, fate) => {
  expect(decideEndedJob(rules, seen, NOW)).toEqual(fate);
});
