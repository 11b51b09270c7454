import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type QueryEvidence, rollout } from '#domain/rollout.ts';
import { beginRollout, decideRollout } from '#policies/rollout/decide.ts';
import {
  addReading,
  describeQuery,
  findEvidence,
  type QueryReading,
  weighQuery,
} from '#policies/rollout/queries.ts';

const QUERY = 'sum(rate(errors{revision="${revision}"}[1m]))';
const EVERY = 15_000;
const MINUTE = 60_000;
const NOTHING: QueryEvidence = { query: QUERY, at: 0, count: 0, stable: 0, canary: 0, squares: 0 };

function reading(stable: number, canary: number, at: number): QueryReading {
  return {
    query: QUERY,
    every: EVERY,
    stable: { value: stable, at },
    canary: { value: canary, at },
  };
}

/** So many looks, a minute apart. */
function evidence(
  count: number,
  pairOf: (look: number) => [stable: number, canary: number],
): QueryEvidence {
  let found = NOTHING;
  for (let look = 1; look <= count; look++) {
    const at = look * MINUTE;
    found = addReading(found, reading(...pairOf(look), at), at);
  }
  return found;
}

describe('what is counted', () => {
  test('each pair once, however often it is looked at', () => {
    const first = addReading(NOTHING, reading(1, 3, MINUTE), MINUTE);
    expect(first).toEqual({ query: QUERY, at: MINUTE, count: 1, stable: 1, canary: 3, squares: 4 });
    expect(addReading(first, reading(1, 3, MINUTE), MINUTE + 1000)).toEqual(first);
    const second = addReading(first, reading(2, 1, 2 * MINUTE), 2 * MINUTE);
    expect(second).toMatchObject({ at: 2 * MINUTE, count: 2, stable: 3, canary: 4, squares: 5 });
  });

  test('the first of all: nothing was counted before', () => {
    expect(findEvidence({}, QUERY)).toEqual(NOTHING);
    expect(weighQuery(NOTHING, { goal: 'lower', margin: 1 })).toEqual({ worse: 0, fine: 0 });
    expect(describeQuery(NOTHING)).toBe('0 against 0, on the average of 0 looks');
  });

  test.each(['stable', 'canary'] as const)(
    'a pair of which only the value of %s is new is not another one',
    (side) => {
      const apart = { ...reading(1, 3, MINUTE), canary: { value: 3, at: MINUTE + 5000 } };
      const first = addReading(NOTHING, apart, MINUTE + 5000);
      expect(first).toMatchObject({ at: MINUTE + 5000, count: 1 });
      const half = { ...apart, [side]: { value: 9, at: MINUTE + EVERY } };
      expect(addReading(first, half, MINUTE + EVERY)).toEqual(first);
    },
  );

  test.each(['higher', 'lower'] as const)('the direction that is better: %s', (goal) => {
    const sign = goal === 'higher' ? 1 : -1;
    const metric = { goal, margin: 0.5 };
    const better = evidence(40, (look) => [5, 5 + sign * (0.3 + (look % 3) / 10)]);
    expect(weighQuery(better, metric).worse).toBeLessThan(0);
    expect(weighQuery(better, metric).fine).toBeGreaterThan(Math.log(20));
    const worse = evidence(40, (look) => [5, 5 - sign * (1 + (look % 3) / 10)]);
    expect(weighQuery(worse, metric).worse).toBeGreaterThan(Math.log(20));
    expect(weighQuery(worse, metric).fine).toBeLessThan(0);
  });

  const now = 10 * MINUTE;
  const good = reading(1, 1, now);
  test.each<[string, QueryReading | undefined, string]>([
    ['was not asked', undefined, 'it was not asked for yet'],
    [
      'no value',
      { ...good, canary: { value: undefined, at: 0 } },
      'it has no value for the canary',
    ],
    [
      'no answer',
      { ...good, stable: { value: undefined, at: 0, missing: 'is not answered in time' } },
      'it is not answered in time for the stable one',
    ],
    ['no number', reading(1, Number.NaN, now), 'it is NaN for the canary'],
    ['without end', reading(Infinity, 1, now), 'it is Infinity for the stable one'],
    ['absurd', reading(1, -2e15, now), 'it is -2000000000000000 for the canary'],
    ['late', reading(1, 1, now - 3 * EVERY - 1000), 'it is 46 s old for the canary'],
    ['ahead of time', reading(1, 1, now + 6000), 'it is 6 s ahead of time for the canary'],
    [
      'of different times',
      { ...good, stable: { value: 1, at: now - EVERY - 1 } },
      'it has values of different times',
    ],
  ])('%s: left out by name, and nothing is read as zero', (_, given, missing) => {
    const before = evidence(3, () => [1, 1]);
    expect(addReading(before, given, now)).toEqual({ ...before, missing });
    expect(describeQuery({ ...before, missing })).toBe('1 against 1, on the average of 3 looks');
    expect(addReading({ ...before, missing }, good, now)).not.toHaveProperty('missing');
  });

  test('what was left out changes no verdict', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.double({ min: -9, max: 9, noNaN: true }), fc.boolean())),
        (list) => {
          let [all, some] = [NOTHING, NOTHING];
          for (const [index, [value, isLost]] of list.entries()) {
            const at = (index + 1) * MINUTE;
            const pair = reading(value, isLost ? Number.NaN : value + 1, at);
            all = addReading(all, pair, at);
            if (!isLost) some = addReading(some, pair, at);
          }
          const metric = { goal: 'lower', margin: 1 } as const;
          expect(weighQuery(all, metric)).toEqual(weighQuery(some, metric));
        },
      ),
    );
  });
});

describe('a rollout', () => {
  const written = { metric: 'prometheus', query: QUERY, goal: 'lower', margin: 0.5 } as const;
  const none = { ok: 0, failed: 0, latency: [] };
  const answered = { ...none, ok: 100 };
  const look = (
    found: QueryEvidence,
    said: QueryReading | undefined,
    more: Partial<typeof written> = {},
    canary = answered,
  ) => {
    const spec = rollout.parse({ metrics: [{ ...written, ...more }], steps: [50] });
    const queries = said ? [said] : [];
    const seen = { stable: none, canary, measures: new Map(), queries, paused: false };
    const memory = { ...beginRollout(0), queries: [found] };
    return decideRollout(spec, seen, memory, found.at + MINUTE);
  };
  const next = (found: QueryEvidence, stable: number, canary: number) =>
    reading(stable, canary, found.at + MINUTE);
  const spread = (look: number) => (look % 5) / 10;
  const same = evidence(40, (at) => [1 + spread(at), 1 + spread(at * 3)]);

  test('the same on both sides: promoted, whatever was asked of the other', () => {
    const { decision, why } = look(same, next(same, 1, 1));
    expect(decision).toEqual({ kind: 'promote' });
    expect(why).toMatch(
      /^prometheus sum\(rate\(errors\{revision="\$\{revision\}"\}\[…: 1\.\d+ against 1\.\d+, on the average of 41 looks$/,
    );
  });

  test('the same on both sides, and nobody was answered: stays', () => {
    const { decision } = look(same, next(same, 1, 1), {}, none);
    expect(decision).toEqual({ kind: 'hold', reason: 'few requests' });
  });

  test('worse: back', () => {
    const worse = evidence(40, (at) => [1 + spread(at), 2 + spread(at * 3)]);
    const { decision } = look(worse, next(worse, 1, 2));
    expect(decision).toMatchObject({
      kind: 'rollBack',
      reason: expect.stringMatching(/^prometheus .* is worse$/),
    });
    const { decision: other } = look(worse, next(worse, 1, 2), { goal: 'higher' as never });
    expect(other.kind).toBe('promote');
  });

  test('few looks tell nothing, however bad', () => {
    const few = evidence(28, () => [1, 100]);
    const { decision, why } = look(few, next(few, 1, 100));
    expect(decision).toMatchObject({
      kind: 'hold',
      reason: expect.stringMatching(/^unsure of prometheus/),
    });
    expect(why).toContain('on the average of 29 looks, fewer than 30');
    const more = evidence(29, () => [1, 100]);
    expect(look(more, next(more, 1, 100)).decision.kind).toBe('rollBack');
  });

  test('without a value now it stays where it is, however good it was', () => {
    const { decision, why, memory } = look(same, undefined);
    expect(decision).toMatchObject({ kind: 'hold', reason: expect.stringMatching(/^unsure of/) });
    expect(why).toContain(
      ' of 40 looks, the last are left out: it was not asked for yet; evidence',
    );
    expect(memory.queries).toEqual([{ ...same, missing: 'it was not asked for yet' }]);
  });

  test('what a hook answers is judged as the values of a query are', () => {
    const url = 'http://judge/score';
    const spec = rollout.parse({
      metrics: [{ metric: 'hook', url, goal: 'lower', margin: 0.5 }],
      steps: [50],
    });
    const judge = (canary: number) => {
      const found = {
        ...evidence(40, (at) => [1 + spread(at), canary + spread(at * 3)]),
        query: url,
      };
      const queries = [{ ...next(found, 1, canary), query: url }];
      const seen = { stable: none, canary: answered, measures: new Map(), queries, paused: false };
      const memory = { ...beginRollout(0), queries: [found] };
      return decideRollout(spec, seen, memory, found.at + MINUTE);
    };
    expect(judge(1).decision).toEqual({ kind: 'promote' });
    expect(judge(2).decision).toEqual({
      kind: 'rollBack',
      reason: 'hook http://judge/score is worse',
    });
  });

  test('another query begins anew', () => {
    const query = `${QUERY} + 1`;
    const said = { ...next(same, 1, 1), query };
    const { decision, memory } = look(same, said, { query: query as never });
    expect(decision.kind).toBe('hold');
    expect(memory.queries).toMatchObject([{ query, count: 1 }]);
  });
});
