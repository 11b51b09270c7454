import { z } from 'zod';
import { goal, measureName } from './measures.ts';
import { rule } from './model-rules.ts';
import { revisionName } from './names.ts';
import { duration } from './units.ts';

/**
 * How a new revision takes over: the key `rollout` of the model file, and what is remembered of one that runs.
 */

/** Each decision waits for the slowest metric. */
const MOST_METRICS = 8;
const MOST_STEPS = 20;
/** Data planes report each second. */
const LEAST_INTERVAL_MS = 1000;

const success = z.strictObject({
  metric: z.literal('success'),
  margin: z.number().gt(0).lt(1).default(0.01).meta({
    description:
      'It must be sure to lose less than this share of requests, against the stable one.',
  }),
  atLeast: z.number().gt(0).lt(1).optional().meta({
    description: 'At least this share must succeed, too, whatever the stable one does.',
  }),
});

const latency = z.strictObject({
  metric: z.literal('latency'),
  percentile: z.number().min(1).max(99.9).default(95).meta({ description: 'Which is compared.' }),
  ratio: z.number().min(1.1).max(10).default(1.25).meta({
    description: "It must be sure to stay below this times the stable one's.",
  }),
  atMost: duration
    .refine((ms) => ms > 0, 'a duration of more than 0s')
    .optional()
    .meta({ description: 'The percentile must not be above this, whatever the stable one does.' }),
});

const custom = z.strictObject({
  metric: z.literal('custom'),
  measure: measureName.meta({ description: 'The name of a measure that is posted.' }),
  goal,
  margin: z.number().gt(0).max(1e12).meta({
    description: 'It must be sure to be worse by less than this, on the average.',
  }),
  bound: z.number().min(-1e12).max(1e12).optional().meta({
    description: 'The average must not be beyond this, whatever the stable one does.',
  }),
});

const cost = z.strictObject({
  metric: z.literal('cost'),
  ratio: z.number().min(1.05).max(10).default(1.25).meta({
    description:
      "It must be sure to cost less than this times the stable one, per request: time of an instance, times an instance's memory.",
  }),
});

/** Whose value is asked for; each side has its own query. */
const REVISION = '${revision}';

/** Of what is asked for: at each look one value of each side. */
const looks = {
  goal,
  margin: z.number().gt(0).max(1e12).meta({
    description: 'It must be sure to be worse by less than this, on the average.',
  }),
  minSamples: z.int().min(10).max(1_000_000).default(30).meta({
    description: 'Looks at which both sides had a new value, at least.',
  }),
};

const prometheus = z.strictObject({
  metric: z.literal('prometheus'),
  query: z
    .string()
    .min(1)
    .max(4096)
    .refine(
      (text) => text.includes(REVISION),
      `a query with ${REVISION} in it: it is asked for both revisions`,
    )
    .meta({
      description:
        'An expression with one value. ${revision}, ${model} and ${namespace} stand for the names of each side.',
    }),
  ...looks,
});

const hook = z.strictObject({
  metric: z.literal('hook'),
  url: z
    .string()
    .max(2048)
    .refine(
      (text) => /^https?:/.test(URL.parse(text)?.protocol ?? ''),
      'an address that begins with http:// or https://',
    )
    .refine(
      (text) => !hasCredentials(text),
      'an address without user and password: it is shown to everybody who may read',
    )
    .meta({
      description:
        'Asked in each interval for both revisions: POST {"namespace", "model", "revision"}. It answers {"value": NUMBER}.',
    }),
  ...looks,
});

function hasCredentials(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && (url.username !== '' || url.password !== '');
}

const metrics = z
  .array(z.discriminatedUnion('metric', [success, latency, custom, cost, prometheus, hook]))
  .min(1)
  .max(MOST_METRICS)
  .superRefine(...rule(checkMetrics));

const percent = z.int().min(1).max(99);

export const rollout = z
  .strictObject({
    strategy: z.enum(['canary', 'blueGreen']).default('canary').meta({
      description:
        'canary: step by step. blueGreen: all at once, after an interval to try it out; the old one stays for another, and for as long as the new one rather seems worse.',
    }),
    steps: z.array(percent).min(1).max(MOST_STEPS).optional().meta({
      description:
        'canary: percent of the requests, rising; 5, 25, 50 when absent. After the last it gets all.',
    }),
    shadow: z.int().min(1).max(100).optional().meta({
      description:
        'canary: before the first step it gets copies of this percent of the requests, and is judged by those.',
    }),
    interval: duration
      .refine((ms) => ms >= LEAST_INTERVAL_MS, 'a duration of at least 1s')
      .prefault('1m')
      .meta({ description: 'How often it is looked at, and the least time that a step takes.' }),
    minSamples: z.int().min(1).max(1_000_000).default(100).meta({
      description:
        'Of each measure at least so many, and of warm requests that the new one answers in each step; those that fail count where success is judged. blueGreen: before the switch so many of the old one, where success, latency (at least 100) or cost is judged.',
    }),
    metrics: metrics.prefault([{ metric: 'success' }, { metric: 'latency' }]).meta({
      description: 'What it is judged by, against the stable revision in the same time.',
    }),
  })
  .superRefine(...rule(checkSteps));
export type RolloutSpec = z.output<typeof rollout>;
export type RolloutMetric = RolloutSpec['metrics'][number];

type Say = (path: (string | number)[], expected: string) => void;

function checkSteps(
  { strategy, steps, shadow }: Readonly<Partial<Record<'strategy' | 'steps' | 'shadow', unknown>>>,
  say: Say,
): void {
  if (strategy === 'blueGreen' && shadow !== undefined) {
    say(['shadow'], 'no shadow: with blueGreen it gets all at once');
  }
  if (!Array.isArray(steps)) return;
  if (strategy === 'blueGreen') say(['steps'], 'no steps: with blueGreen it gets all at once');
  for (const [index, step] of steps.entries()) {
    const before: unknown = steps[index - 1];
    if (typeof before === 'number' && step <= before) {
      say(['steps', index], `more than the step before, which is ${before}`);
    }
  }
}

function checkMetrics(list: readonly Readonly<Record<string, unknown>>[], say: Say): void {
  if (!Array.isArray(list)) return;
  const names = list.map((each) =>
    JSON.stringify(['metric', 'measure', 'percentile', 'query', 'url'].map((key) => each?.[key])),
  );
  for (const [index, name] of names.entries()) {
    if (names.indexOf(name) !== index) say([index], 'each metric once');
  }
}

export const ROLLOUT_PHASES = [
  'Running',
  'Paused',
  'Promoted',
  'RolledBack',
  'Aborted',
  'Ended',
] as const;
export type RolloutPhase = (typeof ROLLOUT_PHASES)[number];

export const ROLLOUT_ACTIONS = ['pause', 'resume', 'skip', 'abort', 'promote'] as const;
export type RolloutAction = (typeof ROLLOUT_ACTIONS)[number];

const time = z.number().nonnegative();
const count = z.number().nonnegative();

/** Natural logarithms of the wealth of bets at several odds. */
const bets = z.array(z.number()).max(32).readonly();
/** Pairs of a bucket of `latency.ts` and a count. */
const latencies = z.array(count).max(1000).readonly();
const spread = z.strictObject({ squares: count, freedom: count, count, sum: z.number() });

/** Of two arms, minute by minute: see `policies/rollout/difference.ts`. */
const difference = z.strictObject({
  weight: count,
  gain: z.number(),
  overStable: count,
  overCanary: count,
  stable: spread,
  canary: spread,
});
export type DifferenceEvidence = z.output<typeof difference>;

const outcomes = z.strictObject({ ok: count, failed: count, latency: latencies });
/** What became of requests, cold ones apart. */
export type Outcomes = z.output<typeof outcomes>;
export const NO_OUTCOMES: Outcomes = { ok: 0, failed: 0, latency: [] };

const latencyEvidence = z.strictObject({
  worse: bets,
  fine: bets,
  /** Of the stable one, until now: where its percentile is. */
  seen: latencies,
  /** The bucket of the percentile that was counted by last. */
  limit: count,
  stable: outcomes.omit({ latency: true }),
  canary: outcomes.omit({ latency: true }),
});
export type LatencyEvidence = z.output<typeof latencyEvidence>;

const costEvidence = z.strictObject({
  worse: difference,
  fine: difference,
  /** Why the last requests were left out. */
  missing: z.string().optional(),
});

const queryEvidence = z.strictObject({
  /** Of a hook: its address. */
  query: z.string(),
  /** Of the later one of the values that were counted last. */
  at: time,
  /** Pairs of values, their sums, and the sum of their squared differences. */
  count,
  stable: z.number(),
  canary: z.number(),
  squares: count,
  /** Why the last pair was left out. */
  missing: z.string().optional(),
});
export type QueryEvidence = z.output<typeof queryEvidence>;

/** What the policy has learned from look to look. */
const memory = z.strictObject({
  step: z.int().nonnegative(),
  stepAt: time,
  /** Of the canary, in this step; those that fail only where success is judged. */
  requests: count,
  success: z.strictObject({ worse: bets, difference }).optional(),
  /** By percentile. */
  latency: z.record(z.string(), latencyEvidence),
  cost: costEvidence.optional(),
  queries: z.array(queryEvidence).max(MOST_METRICS).readonly().optional(),
  /** blueGreen: of the stable one before the switch. */
  before: outcomes.optional(),
  /** Of the canary, as a whole; blueGreen: since the switch. */
  after: outcomes.optional(),
});
export type RolloutMemory = z.output<typeof memory>;

/** The last rollout of a model, as the store keeps it. */
export const rolloutRecord = z.strictObject({
  phase: z.enum(ROLLOUT_PHASES),
  /** What served before, and serves again after a rollback. */
  stable: revisionName,
  canary: revisionName,
  /** Which canary that is: another one may get its name. Absent: written by an older version. */
  made: z.strictObject({ ordinal: z.int().nonnegative(), at: time }).optional(),
  /** Who asked for it. */
  by: z.enum(['rollout', 'selection']),
  /** The canary's share now. */
  percent: z.int().min(0).max(100),
  startedAt: time,
  lookedAt: time,
  /** What was decided last, and why. */
  why: z.string().max(8192),
  memory,
});
export type RolloutRecord = z.output<typeof rolloutRecord>;

/** As it was stored; undefined: it is no such record. What a clock that was set back since calls to come is now. */
export function readRollout(value: unknown, now: number): RolloutRecord | undefined {
  const record = rolloutRecord.safeParse(value).data;
  if (!record || record.lookedAt <= now) return record;
  const { stepAt, queries } = record.memory;
  const memory = {
    ...record.memory,
    stepAt: Math.min(stepAt, now),
    ...(queries && { queries: queries.map((each) => setBack(each, now)) }),
  };
  return { ...record, startedAt: Math.min(record.startedAt, now), lookedAt: now, memory };
}

function setBack(evidence: QueryEvidence, now: number): QueryEvidence {
  return { ...evidence, at: Math.min(evidence.at, now) };
}
