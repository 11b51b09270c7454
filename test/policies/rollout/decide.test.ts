import { describe, expect, test } from 'vitest';
import { latencyBucket } from '#domain/latency.ts';
import { type Outcomes, rollout } from '#domain/rollout.ts';
import {
  beginRollout,
  beginStep,
  decideRollout,
  type RolloutSeen,
  stepsOf,
} from '#policies/rollout/decide.ts';
import type { Stratum, Values } from '#policies/rollout/difference.ts';

type Written = Parameters<typeof rollout.parse>[0];

const NONE: Outcomes = { ok: 0, failed: 0, latency: [] };
const NOW = 1_000_000;
const MINUTE = 60_000;

function seen(part: Partial<RolloutSeen> = {}): RolloutSeen {
  return { stable: NONE, canary: NONE, measures: new Map(), paused: false, ...part };
}

function outcomes(ok: number, failed = 0, ms?: number): Outcomes {
  return { ok, failed, latency: ms === undefined ? [] : [latencyBucket(ms), ok] };
}

/** The first look, a minute after the beginning. */
function look(written: Written, what: RolloutSeen, now = NOW + MINUTE) {
  return decideRollout(rollout.parse(written), what, beginRollout(NOW), now);
}

const SUCCESS = { metrics: [{ metric: 'success', margin: 0.01 }] } as const;
const GOOD = { stable: outcomes(9000, 5), canary: outcomes(3000, 1) };

test('steps: as written, the usual ones, or all at once', () => {
  expect(stepsOf(rollout.parse({ steps: [10, 50] }))).toEqual([10, 50]);
  expect(stepsOf(rollout.parse({}))).toEqual([5, 25, 50]);
  expect(stepsOf(rollout.parse({ strategy: 'blueGreen' }))).toEqual([0, 100]);
});

describe('canary', () => {
  test('good: a step further, which begins now', () => {
    const { decision, memory, why } = look({ ...SUCCESS, steps: [5, 20] }, seen(GOOD));
    expect(decision).toEqual({ kind: 'advance', percent: 20 });
    expect(memory).toMatchObject({ step: 1, stepAt: NOW + MINUTE, requests: 0 });
    expect(why).toBe('success: 99.967 % of 3001 against 99.944 % of 9005');
  });

  test('good, after the last step: all', () => {
    const { decision } = look({ ...SUCCESS, steps: [5] }, seen(GOOD));
    expect(decision).toEqual({ kind: 'promote' });
  });

  test('not before the interval is over', () => {
    const { decision, why } = look(SUCCESS, seen(GOOD), NOW + MINUTE - 1);
    expect(decision).toEqual({ kind: 'hold', reason: 'interval' });
    expect(why).toBe('a step takes 60s at least');
  });

  test('worse: back, also within the interval and with few requests', () => {
    const bad = seen({ stable: outcomes(1000, 1), canary: outcomes(2, 8) });
    const { decision, why } = look(SUCCESS, bad, NOW + 1000);
    expect(decision).toEqual({ kind: 'rollBack', reason: 'success is worse' });
    expect(why).toMatch(
      /^success is worse: 20 % of 10 against 99\.9 % of 1001; evidence more than a million, 20 needed$/,
    );
  });

  test('each metric that it is judged by needs more evidence to go back', () => {
    // Evidence between 20 and 40: enough for one metric, not for two.
    const bad = seen({ stable: outcomes(1000, 10), canary: outcomes(60, 5) });
    expect(look(SUCCESS, bad).decision.kind).toBe('rollBack');
    const two = { metrics: [...SUCCESS.metrics, { metric: 'latency' as const }] };
    expect(look(two, bad).decision.kind).toBe('hold');
  });

  test('few requests in this step: stays, whatever was seen before', () => {
    const memory = { ...look(SUCCESS, seen(GOOD)).memory, stepAt: NOW };
    const few = seen({ stable: outcomes(100), canary: outcomes(99) });
    const { decision, why } = decideRollout(rollout.parse(SUCCESS), few, memory, NOW + MINUTE);
    expect(decision).toEqual({ kind: 'hold', reason: 'few requests' });
    expect(why).toBe('99 of at least 100 warm requests in this step');
    const one = seen({ canary: outcomes(100) });
    const later = decideRollout(rollout.parse(SUCCESS), one, memory, NOW + MINUTE);
    expect(later.decision).toEqual({ kind: 'advance', percent: 50 });
  });

  test('neither good nor bad for sure: stays, and says what it lacks', () => {
    const unsure = seen({ stable: outcomes(300, 3), canary: outcomes(100, 1) });
    const { decision, why } = look(SUCCESS, unsure);
    expect(decision).toEqual({ kind: 'hold', reason: 'unsure of success' });
    expect(why).toMatch(
      /^not sure yet that success is not worse by 1 %: 99\.01 % of 101 against 99\.01 % of 303; evidence [\d.]+, 20 needed$/,
    );
  });

  test('worse by less than the margin, for sure of both: goes on', () => {
    const slightly = seen({ stable: outcomes(990_000, 10_000), canary: outcomes(987_000, 13_000) });
    expect(look(SUCCESS, slightly).decision.kind).toBe('advance');
  });

  test('paused: stays where it would go on, goes back where it would', () => {
    const { decision, memory } = look(SUCCESS, seen({ ...GOOD, paused: true }));
    expect(decision).toEqual({ kind: 'hold', reason: 'paused' });
    expect(memory.step).toBe(0);
    const bad = { stable: outcomes(1000), canary: outcomes(50, 50), paused: true };
    expect(look(SUCCESS, seen(bad)).decision.kind).toBe('rollBack');
  });

  test('one metric that is not sure holds all', () => {
    const spec = { metrics: [...SUCCESS.metrics, { metric: 'latency' as const }] };
    const { decision, why } = look(spec, seen(GOOD));
    expect(decision).toEqual({ kind: 'hold', reason: 'unsure of latency p95' });
    expect(why).toContain('slower by the factor 1.25: 0 of 100 that a percentile needs');
  });
});

describe('a shadow before the first step', () => {
  const written = { ...SUCCESS, shadow: 20, steps: [5, 50] };

  test('is a step without a share, judged by its copies', () => {
    expect(stepsOf(rollout.parse(written))).toEqual([0, 5, 50]);
    const { decision } = look(written, seen(GOOD));
    expect(decision).toEqual({ kind: 'advance', percent: 5 });
    const bad = seen({ stable: outcomes(1000, 1), canary: outcomes(2, 8) });
    expect(look(written, bad).decision.kind).toBe('rollBack');
  });

  test('copies say nothing of how callers fare: with the first share evidence begins anew', () => {
    const { memory } = look(written, seen(GOOD));
    expect(memory).toEqual({ ...beginRollout(NOW + MINUTE), step: 1 });
    const few = seen({ stable: outcomes(1000), canary: outcomes(100) });
    const { decision } = decideRollout(rollout.parse(written), few, memory, NOW + 2 * MINUTE);
    expect(decision).toEqual({ kind: 'hold', reason: 'unsure of success' });
    const more = decideRollout(rollout.parse(written), seen(GOOD), memory, NOW + 2 * MINUTE);
    expect(more.memory.success).toBeDefined();
    expect(more.memory).toMatchObject({ step: 2 });
  });
});

describe('latency', () => {
  const LATENCY = { metrics: [{ metric: 'latency', percentile: 90, ratio: 1.5 }] } as const;
  const spread = (factor: number, each: number): Outcomes => ({
    ok: 10 * each,
    failed: 0,
    latency: Array.from({ length: 10 }, (_, at) => [
      latencyBucket(factor * 20 * 1.2 ** at),
      each,
    ]).flat(),
  });

  test.each([
    ['the same', 1, 'advance'],
    ['faster', 0.7, 'advance'],
    ['twice as slow', 2, 'rollBack'],
  ])('%s', (_, factor, kind) => {
    const both = seen({ stable: spread(1, 200), canary: spread(factor, 50) });
    expect(look(LATENCY, both).decision.kind).toBe(kind);
  });

  test('the percentiles of both are told, over all looks, beside the shares', () => {
    const written = rollout.parse(LATENCY);
    const first = look(LATENCY, seen({ stable: spread(1, 200), canary: spread(1, 5) }));
    const slower = seen({ stable: spread(1, 200), canary: spread(2, 45) });
    const { why } = decideRollout(written, slower, first.memory, NOW + 2 * MINUTE);
    expect(why).toMatch(
      /^latency p90 is worse: 1[78]\dms against 8\dms \(\d\d(\.\d)? % of 500 took longer than 8\dms, against 10 % of 4000\); /,
    );
  });

  test('where the percentile is was known before, or is taken from now', () => {
    const both = seen({ stable: spread(1, 200), canary: spread(1, 50) });
    const first = look(LATENCY, both);
    // Both are slow now: measured by what was usual before, and no difference between them.
    const slow = seen({ stable: spread(3, 200), canary: spread(3, 50) });
    const next = decideRollout(rollout.parse(LATENCY), slow, first.memory, NOW + 2 * MINUTE);
    expect(next.decision.kind).not.toBe('rollBack');
    expect(next.why).toMatch(/took longer than 8\dms, against/);
  });

  test('times that are longer than any bucket', () => {
    const both = seen({ stable: outcomes(200, 0, 1e9), canary: outcomes(100, 0, 1e9) });
    expect(look(LATENCY, both).decision.kind).toBe('hold');
  });
});

describe('measures', () => {
  const values = (mean: number, count: number, deviation = 1): Values => ({
    count,
    sum: mean * count,
    sumSquares: (mean * mean + deviation * deviation) * count,
  });
  const shares = (good: number, count: number): Values => ({ count, sum: good, sumSquares: good });
  const measured = (stable: Values, canary: Values, answers = outcomes(100)): RolloutSeen => {
    const strata: Stratum[] = [{ stable, canary }];
    return seen({ canary: answers, measures: new Map([['score', strata]]) });
  };
  const spec = (goal: 'higher' | 'lower', margin: number) =>
    ({ metrics: [{ metric: 'custom', measure: 'score', goal, margin }] }) as const;

  test.each([
    ['means, higher', 'higher', values(10, 1000), values(9, 500), 'rollBack'],
    ['means, lower', 'lower', values(10, 1000), values(9, 500), 'advance'],
    ['means, lower, worse', 'lower', values(10, 1000), values(11, 500), 'rollBack'],
    ['means, the same', 'higher', values(10, 4000), values(10, 4000), 'advance'],
    ['below zero', 'higher', values(-10, 1000), values(-9, 500), 'advance'],
    ['labels, higher', 'higher', shares(950, 1000), shares(300, 500), 'rollBack'],
    ['labels, lower', 'lower', shares(50, 1000), shares(200, 500), 'rollBack'],
    ['labels, lower, the same', 'lower', shares(50, 1000), shares(25, 500), 'advance'],
  ] as const)('%s', (_, goal, stable, canary, kind) => {
    expect(look(spec(goal, 0.1), measured(stable, canary)).decision.kind).toBe(kind);
  });

  test('means of few values say nothing yet', () => {
    const { decision, why } = look(spec('higher', 0.5), measured(values(10, 99), values(5, 99)));
    expect(decision).toEqual({ kind: 'hold', reason: 'unsure of score' });
    expect(why).toContain('5 on the average of 99 against 10 on the average of 99, fewer than 100');
  });

  test.each([
    ['canary', values(10, 1000), values(5, 99)],
    ['stable one', values(10, 99), values(5, 1000)],
  ])('few of the %s alone are few', (_, stable, canary) => {
    const { decision } = look(spec('higher', 0.5), measured(stable, canary));
    expect(decision).toEqual({ kind: 'hold', reason: 'unsure of score' });
  });

  test('what is to be low is told as it is', () => {
    const { why } = look(spec('lower', 0.1), measured(values(10, 1000), values(11, 500)));
    expect(why).toContain('11 on the average of 500 against 10 on the average of 1000');
  });

  test('fewer labels than asked for: stays, however sure', () => {
    const few = shares(99, 99);
    expect(look(spec('higher', 0.5), measured(few, few)).decision.kind).toBe('hold');
    const enough = shares(100, 100);
    expect(look(spec('higher', 0.5), measured(enough, enough)).decision.kind).toBe('advance');
  });

  test('none at all: stays', () => {
    const { decision } = look(spec('higher', 0.5), seen({ canary: outcomes(100) }));
    expect(decision).toEqual({ kind: 'hold', reason: 'unsure of score' });
  });

  test.each([
    ['nothing', NONE, 0],
    ['too little', outcomes(99), 99],
    ['with failures, which nobody judges', outcomes(99, 1000), 99],
  ])('what has answered %s goes no further, however good', (_, answers, count) => {
    const good = values(10, 4000);
    const { decision, why } = look(spec('higher', 0.5), measured(good, good, answers));
    expect(decision).toEqual({ kind: 'hold', reason: 'few requests' });
    expect(why).toBe(`${count} of at least 100 warm requests that it answered in this step`);
    const bad = measured(good, values(5, 4000), answers);
    expect(look(spec('higher', 0.5), bad).decision.kind).toBe('rollBack');
  });
});

describe('blue-green', () => {
  const BLUE_GREEN = { strategy: 'blueGreen', ...SUCCESS } as const;
  const spec = rollout.parse(BLUE_GREEN);

  test('an interval to try it out, whoever asks it', () => {
    const enough = seen({ stable: outcomes(100) });
    expect(look(BLUE_GREEN, enough, NOW + 1000).decision.kind).toBe('hold');
    expect(look(BLUE_GREEN, enough).decision).toEqual({ kind: 'advance', percent: 100 });
  });

  const success = { metric: 'success' } as const;
  const latency = { metric: 'latency' } as const;
  const cost = { metric: 'cost' } as const;
  test.each([
    ['success', [success], 100, outcomes(60, 39), '99 of at least 100', outcomes(60, 40)],
    ['success, fewer', [success], 20, outcomes(19), '19 of at least 20', outcomes(20)],
    // A percentile of fewer is none.
    ['latency', [latency], 20, outcomes(99, 50, 30), '99 of at least 100', outcomes(100, 0, 30)],
    [
      'latency, more',
      [success, latency],
      200,
      outcomes(199, 50, 30),
      '199 of at least 200',
      outcomes(200, 0, 30),
    ],
    ['cost', [cost], 20, outcomes(19, 50, 30), '19 of at least 20', outcomes(20, 0, 30)],
  ] as const)(
    '%s: no switch without enough to compare with',
    (_, metrics, minSamples, few, count, enough) => {
      const written: Written = { strategy: 'blueGreen', minSamples, metrics: [...metrics] };
      const { decision, why, memory } = look(written, seen({ stable: few }));
      expect(decision).toEqual({ kind: 'hold', reason: 'few requests before' });
      // What failed has no time.
      const isTimed = metrics.at(-1) !== success;
      expect(why).toBe(
        `${count} warm requests ${isTimed ? 'that the old one answered' : 'of the old one'} before the switch, to compare it with; skip switches without`,
      );
      expect(look(written, seen({ stable: enough })).decision.kind).toBe('advance');
      // Enough over two looks.
      const more = seen({ stable: outcomes(1, 0, 30) });
      const next = decideRollout(rollout.parse(written), more, memory, NOW + 2 * MINUTE);
      expect(next.decision.kind).toBe('advance');
    },
  );

  test('switched by hand, with nothing to compare with: whatever it does is no reason to go on', () => {
    const skipped = beginStep(spec, beginRollout(NOW), NOW);
    for (const canary of [outcomes(0, 5000), outcomes(5000)]) {
      const { decision, why } = decideRollout(spec, seen({ canary }), skipped, NOW + MINUTE);
      expect(decision).toEqual({ kind: 'hold', reason: 'no comparison' });
      expect(why).toMatch(
        /^0 of at least 100 warm requests of .*; no more will come: promote or abort$/,
      );
    }
  });

  test('judged by measures alone: nobody has to have asked the old one, but the new one must have answered', () => {
    const metric = { metric: 'custom', measure: 'score', margin: 0.1 } as const;
    const written: Written = { strategy: 'blueGreen', metrics: [metric] };
    const labels = { count: 200, sum: 190, sumSquares: 190 };
    const measures = new Map([['score', [{ stable: labels, canary: labels }]]]);
    const { decision, memory } = look(written, seen({ measures }));
    expect(decision).toEqual({ kind: 'advance', percent: 100 });
    const later = (canary: Outcomes) =>
      decideRollout(rollout.parse(written), seen({ measures, canary }), memory, NOW + 2 * MINUTE)
        .decision;
    expect(later(outcomes(99, 20))).toEqual({ kind: 'hold', reason: 'few requests' });
    expect(later(outcomes(100))).toEqual({ kind: 'promote' });
  });

  test('cost that cannot be told after the switch: stays', () => {
    const written: Written = { strategy: 'blueGreen', metrics: [cost] };
    const { memory } = look(written, seen({ stable: outcomes(200, 0, 30) }));
    const canary = outcomes(200, 0, 30);
    const one = { memory: 1, concurrency: 1 };
    const decide = (memoryOfCanary: number | undefined) => {
      const sizes = { stable: one, canary: { ...one, memory: memoryOfCanary } };
      return decideRollout(
        rollout.parse(written),
        seen({ canary, sizes }),
        memory,
        NOW + 2 * MINUTE,
      );
    };
    expect(decide(undefined).decision).toEqual({ kind: 'hold', reason: 'unsure of cost' });
    expect(decide(undefined).why).toMatch(
      /the memory of an instance of the canary is not measured; .*; promote or abort if no more can come of the old one$/,
    );
    expect(decide(1).decision).toEqual({ kind: 'promote' });
  });

  test('measures that are bad hold it back before the switch', () => {
    const metrics = [{ metric: 'custom', measure: 'score', margin: 0.1 }] as const;
    const written = { strategy: 'blueGreen', metrics: [...metrics] } as const;
    expect(look(written, seen()).decision).toEqual({ kind: 'hold', reason: 'unsure of score' });
    const bad = [
      {
        stable: { count: 200, sum: 190, sumSquares: 190 },
        canary: { count: 200, sum: 100, sumSquares: 100 },
      },
    ];
    expect(look(written, seen({ measures: new Map([['score', bad]]) })).decision.kind).toBe(
      'rollBack',
    );
  });

  test('after the switch: compared with what the other did before, as a whole', () => {
    const switched = look(BLUE_GREEN, seen({ stable: outcomes(1000, 2) })).memory;
    const soon = decideRollout(spec, seen({ canary: outcomes(60) }), switched, NOW + 2 * MINUTE);
    expect(soon.decision).toEqual({ kind: 'hold', reason: 'few requests' });
    const good = decideRollout(spec, seen({ canary: outcomes(60) }), soon.memory, NOW + 3 * MINUTE);
    expect(good.decision).toEqual({ kind: 'promote' });
    expect(good.why).toContain('100 % of 120 against 99.8 % of 1002');
    const bad = decideRollout(
      spec,
      seen({ canary: outcomes(40, 20) }),
      soon.memory,
      NOW + 3 * MINUTE,
    );
    expect(bad.decision.kind).toBe('rollBack');
    expect(bad.why).toContain('83.3 % of 120 against');
  });

  test('after the switch: what rather seems worse waits, until it is sure or seems so no more', () => {
    const few = rollout.parse({ ...BLUE_GREEN, minSamples: 45 });
    const switched = look({ ...BLUE_GREEN, minSamples: 45 }, seen({ stable: outcomes(45) })).memory;
    const after = (ok: number, failed: number) =>
      decideRollout(few, seen({ canary: outcomes(ok, failed) }), switched, NOW + 2 * MINUTE);
    const doubted = after(187, 20);
    expect(doubted.decision).toEqual({ kind: 'hold', reason: 'doubt of success' });
    expect(doubted.why).toContain(
      'success may be worse: 90.3 % of 207 against 100 % of 45; evidence',
    );
    const next = (ok: number, failed: number) =>
      decideRollout(few, seen({ canary: outcomes(ok, failed) }), doubted.memory, NOW + 3 * MINUTE);
    expect(next(0, 1000).decision.kind).toBe('rollBack');
    expect(next(20_000, 0).decision.kind).toBe('promote');
    for (const failed of [0, 1, 2, 10]) expect(after(300, failed).decision.kind).toBe('promote');
  });
});
