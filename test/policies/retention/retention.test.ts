import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RETENTION_DEFAULTS, type RetentionRules, rulesOf } from '#domain/retention.ts';
import {
  decideRetention,
  type RetentionSeen,
  type RevisionSeen,
} from '#policies/retention/retention.ts';

const DAY = 86_400_000;
const NOW = Date.UTC(2030, 0, 100);
const RULES: RetentionRules = {
  pinned: false,
  modelUnusedFor: 30 * DAY,
  revisionUnusedFor: 7 * DAY,
  keep: 2,
  undo: 7 * DAY,
};

function revision(name: string, ordinal: number, part: Partial<RevisionSeen> = {}): RevisionSeen {
  const about = { name, ordinal, begunAt: NOW - 90 * DAY, lastRequestAt: NOW - 60 * DAY };
  return { ...about, isReady: true, isBusy: false, heldBy: [], ...part };
}

function model(part: Partial<RetentionSeen> = {}): RetentionSeen {
  const about = { begunAt: NOW - 90 * DAY, lastRequestAt: NOW - 60 * DAY, heldBy: [], gaps: [] };
  return { ...about, revisions: [revision('v1', 1)], ...part };
}

const BUSY = [revision('v1', 1, { isBusy: true })];

describe('a model', () => {
  test.each<[string, Partial<RetentionRules>, Partial<RetentionSeen>, boolean, RegExp]>([
    ['unused for too long goes', {}, {}, false, /^unused for 60d of 30d: the last request came/],
    ['never used goes by its age', {}, { lastRequestAt: undefined }, false, /no request has ever/],
    [
      'of yesterday stays',
      {},
      { begunAt: NOW - DAY, lastRequestAt: undefined },
      true,
      /^unused for/,
    ],
    ['used lately stays', {}, { lastRequestAt: NOW - 29 * DAY }, true, /^unused for 29d of 30d/],
    [
      'goes at the very end',
      {},
      { lastRequestAt: NOW - 30 * DAY },
      false,
      /^unused for 30d of 30d/,
    ],
    ['pinned stays', { pinned: true }, {}, true, /^it is pinned$/],
    ['never goes', { modelUnusedFor: Infinity }, {}, true, /never/],
    ['that somebody needs stays', {}, { heldBy: ['scaling.min is 1'] }, true, /^scaling.min is 1$/],
    ['with requests stays', {}, { revisions: BUSY }, true, /v1 wait or run/],
    [
      'that nobody could ask stays',
      {},
      { gaps: [{ from: NOW - 50 * DAY, to: NOW - 15 * DAY }] },
      true,
      /^unused for 25d of 30d/,
    ],
  ])('%s', (_, rules, seen, keep, why) => {
    const decision = decideRetention({ ...RULES, ...rules }, model(seen), NOW);
    expect(decision.model.keep).toBe(keep);
    expect(decision.model.why).toMatch(why);
  });

  test('says when it goes, and takes its revisions along', () => {
    const young = decideRetention(RULES, model({ lastRequestAt: NOW - 20 * DAY }), NOW);
    expect(young.model.goesAt).toBe(NOW + 10 * DAY);
    const held = [revision('v1', 1, { heldBy: ['traffic leads to it'] })];
    const old = decideRetention(RULES, model({ revisions: held }), NOW);
    expect(old.revisions).toEqual([
      { name: 'v1', fate: { keep: false, why: 'it goes with its model' } },
    ]);
  });
});

function fatesOf(revisions: readonly RevisionSeen[], rules: Partial<RetentionRules> = {}) {
  const seen = model({ heldBy: ['needed'], revisions });
  const { revisions: fates } = decideRetention({ ...RULES, ...rules }, seen, NOW);
  return fates.map(({ name, fate }) => `${name} ${fate.keep ? fate.why : 'goes'}`);
}

describe('a revision', () => {
  test('stays for who needs it, requests, or a pin', () => {
    const held = revision('v1', 1, { heldBy: ['tag canary leads to it', 'the model file has it'] });
    const busy = revision('v2', 2, { isBusy: true });
    const rules = { keep: 0 };
    expect(fatesOf([held, busy, revision('v3', 3)], rules)).toEqual([
      'v1 tag canary leads to it, the model file has it',
      'v2 requests of it wait or run',
      'v3 goes',
    ]);
    expect(fatesOf([revision('v3', 3)], { keep: 0, pinned: true })).toEqual([
      'v3 its model is pinned',
    ]);
  });

  test('stays as one of the last that served, which are not those that serve', () => {
    const all = [
      revision('v1', 1, { lastRequestAt: NOW - 40 * DAY }),
      revision('v2', 2, { lastRequestAt: NOW - 20 * DAY }),
      revision('failed', 3, { isReady: false }),
      revision('unused', 4, { lastRequestAt: undefined }),
      revision('v5', 5, { lastRequestAt: NOW - 30 * DAY }),
      revision('v6', 6, { lastRequestAt: NOW, heldBy: ['traffic leads to it'] }),
    ];
    expect(fatesOf(all)).toEqual([
      'v1 goes',
      'v2 one of the last 2 that served',
      'failed goes',
      'unused goes',
      'v5 one of the last 2 that served',
      'v6 traffic leads to it',
    ]);
    expect(fatesOf(all, { keep: 1 })).toContain('v2 it served last');
    expect(fatesOf(all, { revisionUnusedFor: Infinity })).not.toContain('v1 goes');
  });
});

const at = fc.integer({ min: 0, max: 90 * DAY }).map((age) => NOW - age);
const anyRevision = fc.record({
  begunAt: at,
  lastRequestAt: fc.option(at, { nil: undefined }),
  isReady: fc.boolean(),
  isBusy: fc.boolean(),
  heldBy: fc.subarray(['traffic leads to it', 'it is the newest']),
});
const anySeen = fc
  .tuple(
    fc.array(anyRevision, { minLength: 1, maxLength: 6 }),
    at,
    fc.subarray(['scaling.min is 1']),
  )
  .map(([list, begunAt, heldBy]): RetentionSeen => {
    const revisions = list.map((each, index) => ({ name: `r${index}`, ordinal: index, ...each }));
    const used = revisions.flatMap(({ lastRequestAt }) => lastRequestAt ?? []);
    const lastRequestAt = used.length > 0 ? Math.max(...used) : undefined;
    return { begunAt, heldBy, revisions, lastRequestAt, gaps: [] };
  });
const anyRules = fc.record({
  pinned: fc.boolean(),
  modelUnusedFor: fc.constantFrom(0, 10 * DAY, 30 * DAY, Infinity),
  revisionUnusedFor: fc.constantFrom(0, 7 * DAY, 20 * DAY, Infinity),
  keep: fc.nat(3),
  undo: fc.constant(0),
});

describe('whatever is seen', () => {
  test('nothing goes that is pinned, needed, in use or young; all else goes; every fate has a reason', () => {
    fc.assert(
      fc.property(anyRules, anySeen, (rules, seen) => {
        const { model: own, revisions } = decideRetention(rules, seen, NOW);
        const age = NOW - Math.max(seen.begunAt, seen.lastRequestAt ?? 0);
        const isNeeded =
          rules.pinned || seen.heldBy.length > 0 || seen.revisions.some(({ isBusy }) => isBusy);
        expect(own.keep).toBe(isNeeded || age < rules.modelUnusedFor);
        let good = 0;
        for (const [index, { fate }] of revisions.entries()) {
          const one = seen.revisions[index];
          if (!one) throw new Error('a fate without its revision');
          expect(fate.why).not.toBe('');
          if (!own.keep) continue;
          const itsAge = NOW - Math.max(one.begunAt, one.lastRequestAt ?? 0);
          const needed = rules.pinned || one.isBusy || one.heldBy.length > 0;
          if (needed || itsAge < rules.revisionUnusedFor) expect(fate.keep).toBe(true);
          else if (fate.keep) good++;
          if (fate.goesAt !== undefined) {
            expect(fate.goesAt).toBe(NOW + rules.revisionUnusedFor - itsAge);
          }
        }
        expect(good).toBeLessThanOrEqual(rules.keep);
      }),
    );
  });

  test('more to keep never lets more go', () => {
    fc.assert(
      fc.property(anyRules, anySeen, (rules, seen) => {
        const kept = (keep: number): string[] =>
          decideRetention({ ...rules, keep }, seen, NOW).revisions.flatMap(({ name, fate }) =>
            fate.keep ? [name] : [],
          );
        expect(kept(rules.keep + 1)).toEqual(expect.arrayContaining(kept(rules.keep)));
      }),
    );
  });
});

test('a model says what holds for it, and the server the rest', () => {
  expect(rulesOf(undefined, RETENTION_DEFAULTS)).toEqual({
    pinned: false,
    modelUnusedFor: Infinity,
    revisionUnusedFor: 30 * DAY,
    keep: 10,
    undo: 7 * DAY,
  });
  const spec = { pinned: true, models: { unusedFor: DAY }, revisions: { keep: 0 }, undo: 0 };
  expect(rulesOf(spec, RETENTION_DEFAULTS)).toEqual({
    pinned: true,
    modelUnusedFor: DAY,
    revisionUnusedFor: 30 * DAY,
    keep: 0,
    undo: 0,
  });
});
