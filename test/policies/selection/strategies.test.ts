import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { selection, type SelectionSpec } from '#domain/selection.ts';
import type { Points } from '#domain/points.ts';
import type { Candidate, Choice, Seen } from '#policies/selection/choice.ts';
import { makeScore, type Score } from '#policies/selection/score.ts';
import { decideChoice } from '#policies/selection/strategies.ts';

const share = (mean: number, count = 1000): Score => ({
  count,
  mean,
  variance: mean * (1 - mean),
});

/** Revisions in the order of their age, v1 first; v1 serves. */
function revisions(scores: readonly (Score | undefined)[], more: Partial<Candidate>[] = []): Seen {
  const candidates = scores.map((score, index) => ({
    revision: `v${index + 1}`,
    serving: index === 0,
    mayBeChosen: true,
    isReady: true,
    ordinal: index + 1,
    ...(score && { score }),
    ...more[index],
  }));
  return { candidates };
}

const spec = (text: object): SelectionSpec => selection.parse(text);
const choose = (text: object, seen: Seen): Choice => decideChoice(spec(text), seen);

describe('periodicBest', () => {
  const best = { strategy: 'periodicBest', margin: 0.02 };

  test.each([
    ['the best by far', revisions([share(0.9), share(0.97), share(0.95)]), 'better', 'v2'],
    ['by less than the margin', revisions([share(0.9, 1e6), share(0.915, 1e6)]), 'fits', undefined],
    ['by no more than chance', revisions([share(0.9, 120), share(0.93, 120)]), 'fits', undefined],
    ['worse', revisions([share(0.9), share(0.8)]), 'fits', undefined],
    ['what serves is hardly measured', revisions([share(0.5, 99), share(0.97)]), 'thin', undefined],
    ['what serves is not measured', revisions([undefined, share(0.97)]), 'thin', undefined],
    [
      'the better one is hardly measured',
      revisions([share(0.9), share(0.99, 99)]),
      'fits',
      undefined,
    ],
    [
      'the better one is not ready',
      revisions([share(0.9), share(0.99)], [{}, { isReady: false }]),
      'fits',
      undefined,
    ],
    [
      'the better one may not be chosen',
      revisions([share(0.9), share(0.99)], [{}, { mayBeChosen: false }]),
      'fits',
      undefined,
    ],
    [
      'what serves may not be chosen, and is compared',
      revisions([share(0.9), share(0.97)], [{ mayBeChosen: false }]),
      'better',
      'v2',
    ],
    ['there is no other', revisions([share(0.9)]), 'fits', undefined],
    ['nothing serves', revisions([share(0.9)], [{ serving: false }]), 'none', undefined],
  ] as const)('%s', (_, seen, reason, revision) => {
    const choice = choose(best, seen);
    expect([choice.reason, choice.revision]).toEqual([reason, revision]);
    expect(choice.why).not.toBe('');
  });

  test('names those that it knows well enough and did not choose', () => {
    const seen = revisions([share(0.9), share(0.8), share(0.99, 99), share(0.91)]);
    expect(choose(best, seen).judged).toEqual(['v2', 'v4']);
  });

  test('says the numbers', () => {
    expect(choose(best, revisions([share(0.9), share(0.97)])).why).toBe(
      "v2 has accuracy 0.97 (1000 samples), better by 0.07 than v1's 0.9 (1000 samples)",
    );
    expect(choose(best, revisions([share(0.9), share(0.91), share(0.99, 1), undefined])).why).toBe(
      'v1 has accuracy 0.9 (1000 samples), and none is better by 0.02 and by more than chance: ' +
        'v2 has accuracy 0.91 (1000 samples), v3 has 1 sample of accuracy, 100 are needed, ' +
        'v4 has 0 samples of accuracy, 100 are needed',
    );
  });

  test('better by just the margin is enough', () => {
    const seen = revisions([share(0.5, 1e6), share(0.75, 1e6)]);
    expect(choose({ ...best, margin: 0.25 }, seen).revision).toBe('v2');
  });

  test('where less is better', () => {
    const loss = { ...best, measure: 'loss', goal: 'lower' };
    const at = (mean: number) => ({ count: 1000, mean, variance: 1 });
    expect(choose(loss, revisions([at(5), at(3), at(2)])).revision).toBe('v3');
    expect(choose(loss, revisions([at(2), at(3)])).revision).toBeUndefined();
  });
});

describe('accuracyDriven', () => {
  const driven = { strategy: 'accuracyDriven', bound: 0.9, hysteresis: 0.02 };

  test.each([
    ['within the bound', revisions([share(0.9), share(0.99)]), 'fits', undefined],
    [
      'beyond it, and the best of those that reach it',
      revisions([share(0.89), share(0.93), share(0.95)]),
      'beyond',
      'v3',
    ],
    [
      'none is far enough on the right side',
      revisions([share(0.89), share(0.91)]),
      'none',
      undefined,
    ],
    ['there is no other', revisions([share(0.89)]), 'none', undefined],
    [
      'the other one is hardly measured',
      revisions([share(0.89), share(0.95, 99)]),
      'none',
      undefined,
    ],
    ['few samples are no reason', revisions([share(0.1, 99), share(0.95)]), 'thin', undefined],
  ] as const)('%s', (_, seen, reason, revision) => {
    const choice = choose(driven, seen);
    expect([choice.reason, choice.revision]).toEqual([reason, revision]);
  });

  test('what reaches just the bound and its hysteresis is enough', () => {
    const exact = { ...driven, bound: 0.5, hysteresis: 0.25 };
    expect(choose(exact, revisions([share(0.4), share(0.75)])).revision).toBe('v2');
  });

  test('an error that is to be low', () => {
    const error = { ...driven, measure: 'error', goal: 'lower', bound: 0.1 };
    expect(choose(error, revisions([share(0.12), share(0.09), share(0.07)])).revision).toBe('v3');
    expect(choose(error, revisions([share(0.12), share(0.09)])).why).toBe(
      'v1 has error 0.12 (1000 samples), beyond the bound of 0.1, and no other reaches 0.08: ' +
        'v2 has error 0.09 (1000 samples)',
    );
  });
});

describe('threshold', () => {
  const above = {
    strategy: 'threshold',
    measure: 'usage.requests',
    above: 100,
    hysteresis: 20,
    to: 'v2',
    otherwise: 'v1',
  };
  const at = (mean: number, count = 5): Score => ({ count, mean, variance: 0 });
  const serves = (revision: string, score?: Score): Seen => {
    const { candidates } = revisions([undefined, undefined, undefined]);
    const found = candidates.map((one) =>
      Object.assign({}, one, { serving: one.revision === revision }),
    );
    return { candidates: found, ...(score && { score }) };
  };

  test.each([
    ['beyond the bound', serves('v1', at(101)), 'beyond', 'v2'],
    ['beyond, and it serves', serves('v2', at(101)), 'beyond', undefined],
    ['at the bound', serves('v1', at(100)), 'fits', undefined],
    ['not far enough back', serves('v2', at(81)), 'fits', undefined],
    ['back', serves('v2', at(80)), 'back', 'v1'],
    ['back, and it serves', serves('v1', at(10)), 'back', undefined],
    ['nothing is measured', serves('v1'), 'thin', undefined],
    ['as little is measured as is needed', serves('v1', at(101, 1)), 'beyond', 'v2'],
    ['too little is measured', serves('v1', at(500, 0)), 'thin', undefined],
  ] as const)('%s', (_, seen, reason, revision) => {
    const choice = choose(above, seen);
    expect([choice.reason, choice.revision]).toEqual([reason, revision]);
  });

  test.each([
    ['it is not ready', [{ isReady: false }]],
    ['there is no such revision', []],
  ])('one that cannot serve is not chosen: %s', (fault, v2) => {
    const candidates = serves('v1').candidates.flatMap((one) =>
      one.revision === 'v2' ? v2.map((part) => ({ ...one, ...part })) : [one],
    );
    expect(choose(above, { candidates, score: at(101) })).toEqual({
      reason: 'none',
      why: `usage.requests is 101 (5 samples), above 100, but v2 cannot serve: ${fault}`,
    });
  });

  test('below a bound, and never back by itself', () => {
    const below = { strategy: 'threshold', measure: 'revenue', below: 10, to: 'v3' };
    expect(choose(below, serves('v1', at(9)))).toMatchObject({ reason: 'beyond', revision: 'v3' });
    expect(choose(below, serves('v3', at(99)))).toMatchObject({ reason: 'fits' });
    expect(choose(below, serves('v3', at(99))).revision).toBeUndefined();
  });
});

describe('dataDriven', () => {
  const tenths: Points = Array.from({ length: 10 }, (_, n) => [n, 100] as const);
  const moved: Points = tenths.map(([value, weight]) => [value + 4, weight]);
  const few: Points = [[1, 499]];
  const feature = (reference: Points, current: Points) => [{ name: 'age', reference, current }];
  const drift = { strategy: 'dataDriven', features: ['age'] };
  const data = { strategy: 'dataDriven', newData: { measure: 'rows', amount: 5000 } };
  const newer = revisions([undefined, undefined]);

  test.each([
    ['the same', drift, { ...newer, features: feature(tenths, tenths) }, 'fits', undefined],
    ['drifted', drift, { ...newer, features: feature(tenths, moved) }, 'drift', 'v2'],
    ['few before', drift, { ...newer, features: feature(few, moved) }, 'thin', undefined],
    ['few now', drift, { ...newer, features: feature(tenths, few) }, 'thin', undefined],
    [
      'drifted, and there is none newer',
      drift,
      { ...revisions([undefined]), features: feature(tenths, moved) },
      'none',
      undefined,
    ],
    ['enough new data', data, { ...newer, newData: 5000 }, 'data', 'v2'],
    ['not enough new data', data, { ...newer, newData: 4999 }, 'fits', undefined],
    ['no new data', data, newer, 'fits', undefined],
    [
      'either will do',
      { ...drift, ...data, features: ['age'] },
      { ...newer, newData: 1, features: feature(tenths, moved) },
      'drift',
      'v2',
    ],
  ] as const)('%s', (_, text, seen, reason, revision) => {
    const choice = choose(text, seen);
    expect([choice.reason, choice.revision]).toEqual([reason, revision]);
    expect(choice.why).not.toBe('');
  });

  test('what few samples show by chance is no drift, however low the bounds', () => {
    const of = (first: number, last: number): Points =>
      tenths.map(([value]) => [value, value === 0 ? first : value === 9 ? last : 6] as const);
    const low = { ...drift, psi: 0.01, ks: 0.01, minSamples: 50 };
    const seen = { ...newer, features: feature(of(6, 6), of(8, 4)) };
    expect(choose(low, seen)).toMatchObject({ reason: 'fits' });
    expect(choose(low, { ...newer, features: feature(of(6, 6), of(60, 4)) }).reason).toBe('drift');
  });

  test('each of the two distances is enough', () => {
    const seen = { ...newer, features: feature(tenths, moved) };
    expect(choose({ ...drift, psi: 1000 }, seen).reason).toBe('drift');
    expect(choose({ ...drift, ks: 1 }, seen).reason).toBe('drift');
    expect(choose({ ...drift, psi: 1000, ks: 1 }, seen).reason).toBe('fits');
  });

  test('the newest one only if it is newer than what serves', () => {
    const { candidates } = revisions(
      [undefined, undefined, undefined],
      [{ serving: false }, {}, { serving: true }],
    );
    expect(choose(data, { candidates, newData: 9000 })).toMatchObject({ reason: 'none' });
  });

  test('the best by what is measured now', () => {
    const scored = { ...data, score: { measure: 'accuracy' } };
    const seen = { ...revisions([share(0.8), share(0.9), share(0.7)]), newData: 5000 };
    expect(choose(scored, seen)).toEqual({
      revision: 'v2',
      reason: 'data',
      why: "5000 new rows, 5000 are enough; v2 has accuracy 0.9 (1000 samples), better by 0.1 than v1's 0.8 (1000 samples)",
    });
    const worse = { ...revisions([share(0.8), share(0.7)]), newData: 5000 };
    expect(choose(scored, worse)).toMatchObject({ reason: 'none' });
    const few = { ...revisions([share(0.8), share(0.99, 499)]), newData: 5000 };
    expect(choose(scored, few)).toMatchObject({ reason: 'none', judged: [] });
    // On the day of a drift nobody has labels yet: the revision that serves is not known, and stays.
    const blind = { ...revisions([undefined, share(0.7)]), newData: 5000 };
    expect(choose(scored, blind)).toEqual({
      reason: 'thin',
      why: '5000 new rows, 5000 are enough; v1 has 0 samples of accuracy, 500 are needed',
    });
  });

  test('says how far the distributions are apart', () => {
    expect(choose(drift, { ...newer, features: feature(tenths, moved) }).why).toMatch(
      /^age: PSI [0-9.]+, KS 0.4 \(1000 and 1000 samples; the bounds are 0.2 and 0.2\); v2 is the newest revision$/,
    );
  });
});

test('manual never chooses', () => {
  expect(choose({ strategy: 'manual' }, revisions([share(0.1), share(0.9)]))).toEqual({
    reason: 'fits',
    why: 'v1 serves until another one is chosen by hand',
  });
});

test('a score is the mean and the variance of all buckets', () => {
  const bucket = { minute: 1, low: 0, high: 0, points: [] };
  const buckets = [
    { ...bucket, count: 2, sum: 3, sumSquares: 5 },
    { ...bucket, count: 1, sum: 3, sumSquares: 9 },
  ];
  const score = makeScore(buckets);
  expect(score).toEqual({ count: 3, mean: 2, variance: expect.closeTo(2 / 3, 12) });
  expect(makeScore([])).toEqual({ count: 0, mean: 0, variance: 0 });
});

test('only one that is ready and may be chosen, and that does not serve', () => {
  const scores = fc.record({
    count: fc.integer({ min: 0, max: 2000 }),
    mean: fc.double({ min: 0, max: 1, noNaN: true }),
    variance: fc.constant(0.1),
  });
  const one = fc.record({ score: scores, mayBeChosen: fc.boolean(), isReady: fc.boolean() });
  const specs = fc.constantFrom<object>(
    { strategy: 'periodicBest' },
    { strategy: 'accuracyDriven', bound: 0.5, hysteresis: 0.1 },
    { strategy: 'threshold', measure: 'x', above: 0.5, to: 'v2', otherwise: 'v3' },
    { strategy: 'dataDriven', newData: { measure: 'rows', amount: 10 } },
    { strategy: 'manual' },
  );
  fc.assert(
    fc.property(
      specs,
      fc.array(one, { minLength: 1, maxLength: 5 }),
      scores,
      (text, list, measured) => {
        const seen = {
          ...revisions(
            list.map(({ score }) => score),
            list,
          ),
          score: measured,
          newData: measured.count,
        };
        const { revision, why, reason } = choose(text, seen);
        expect(why).not.toBe('');
        if (revision === undefined) return;
        expect(['better', 'beyond', 'back', 'data', 'drift']).toContain(reason);
        expect(seen.candidates.find((each) => each.revision === revision)).toMatchObject({
          mayBeChosen: true,
          isReady: true,
          serving: false,
        });
      },
    ),
  );
});
