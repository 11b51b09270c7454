import { z } from 'zod';
import { goal, MEASURES_KEPT_DAYS, measureName, MOST_MEASURE_NAMES } from './measures.ts';
import { rule } from './model-rules.ts';
import { revisionName } from './names.ts';
import { cron, timeZone } from './cron-text.ts';
import { DAY_MS, duration } from './units.ts';

/** Which revision serves, and when that is decided: `spec.selection` of a model. */

const schedule = z
  .strictObject({
    cron: cron.optional(),
    timeZone: timeZone.default('UTC'),
    every: duration
      .refine((ms) => ms >= 1000, 'at least 1s')
      .optional()
      .meta({ description: 'Instead of cron.' }),
  })
  .superRefine(...rule(checkSchedule));

const lowTraffic = z.strictObject({
  length: duration
    .refine((ms) => ms >= 900_000 && ms <= 43_200_000, 'from 15m to 12h')
    .prefault('1h')
    .meta({ description: 'How long the quiet time of the day is.' }),
  wait: duration
    .prefault('24h')
    .meta({ description: 'A change that has waited for so long is made at any time.' }),
});

const samples = (count: number) =>
  z
    .int()
    .min(1)
    .max(1_000_000_000)
    .default(count)
    .meta({ description: 'Of less than so many in the window nothing is decided.' });
const amount = z.number().min(0).max(1e100);
const bound = z.number().min(-1e100).max(1e100);
const windowOf = (text: string) =>
  duration
    .refine((ms) => ms >= 60_000, 'at least 1m')
    .prefault(text)
    .meta({ description: 'How far back is looked.' });

const byAnyStrategy = {
  candidates: z
    .array(revisionName)
    .min(1)
    .max(64)
    .optional()
    .meta({ description: 'Revisions that may be chosen. Absent: all that are ready.' }),
  lowTraffic: lowTraffic.prefault({}).meta({ description: 'What the quiet time is.' }),
};

/** What all strategies have that decide by themselves. */
const common = {
  ...byAnyStrategy,
  schedule: schedule
    .optional()
    .meta({ description: 'When it is decided. Absent: each minute; periodicBest: each day.' }),
  change: z.enum(['lowTraffic', 'now']).default('lowTraffic').meta({
    description: "When what was decided is carried out: in the model's quiet time, or at once.",
  }),
};

const accuracyDriven = z.strictObject({
  strategy: z.literal('accuracyDriven'),
  ...common,
  measure: measureName.default('accuracy').meta({ description: 'The score that is watched.' }),
  goal,
  bound: bound.meta({ description: 'The revision that serves is replaced when it is beyond.' }),
  hysteresis: amount
    .default(0)
    .meta({ description: 'By so much the next one has to be on the right side of it.' }),
  window: windowOf('1h'),
  minSamples: samples(100),
});

const periodicBest = z.strictObject({
  strategy: z.literal('periodicBest'),
  ...common,
  measure: measureName.default('accuracy').meta({ description: 'The score that is compared.' }),
  goal,
  margin: amount.default(0).meta({ description: 'By so much the best has to be better.' }),
  window: windowOf('24h'),
  minSamples: samples(100),
});

/** What Rouse itself counts, beside the names of measures. */
const USAGE_MEASURES = [
  'usage.requests',
  'usage.coldShare',
  'usage.seconds',
  'usage.memory',
] as const;
export type UsageMeasure = (typeof USAGE_MEASURES)[number];

const threshold = z
  .strictObject({
    strategy: z.literal('threshold'),
    ...common,
    measure: measureName.meta({
      description:
        'A measure that is posted, of the revision that serves or of the model as a whole, or usage.requests (per minute), usage.coldShare, ' +
        'usage.seconds (busy, per request) or usage.memory (bytes) of the model.',
    }),
    above: bound.optional().meta({ description: 'Beyond it, `to` is chosen.' }),
    below: bound.optional(),
    hysteresis: amount
      .default(0)
      .meta({ description: 'By so much it has to be back before `otherwise` is chosen.' }),
    to: revisionName.meta({ description: 'A revision that is there, or made by this file.' }),
    otherwise: revisionName
      .optional()
      .meta({ description: 'As `to`, chosen when it is back. Absent: nothing changes then.' }),
    window: windowOf('5m'),
    minSamples: samples(1),
  })
  .superRefine(...rule(checkThreshold));

/** `newData` and `score` have names, too. */
const MOST_FEATURES = MOST_MEASURE_NAMES - 2;

const dataDriven = z
  .strictObject({
    strategy: z.literal('dataDriven'),
    ...common,
    newData: z
      .strictObject({ measure: measureName, amount: amount.gt(0) })
      .optional()
      .meta({ description: 'So much since the last choice, as a measure tells (rows: 5000).' }),
    features: z
      .array(measureName)
      .min(1)
      .max(MOST_FEATURES)
      .optional()
      .meta({ description: 'Measures whose distribution is watched for drift.' }),
    psi: amount.gt(0).default(0.2).meta({ description: 'Population stability index: a drift.' }),
    ks: amount.gt(0).lte(1).default(0.2).meta({
      description: 'Largest distance of the distributions (Kolmogorov–Smirnov): a drift.',
    }),
    reference: windowOf('168h'),
    window: windowOf('24h'),
    minSamples: samples(500),
    score: z.strictObject({ measure: measureName, goal }).optional().meta({
      description: 'The best in the window is chosen. Absent: the newest revision.',
    }),
  })
  .superRefine(...rule(checkData));

const manual = z.strictObject({ strategy: z.literal('manual'), ...byAnyStrategy });

export const selection = z.discriminatedUnion('strategy', [
  dataDriven,
  accuracyDriven,
  periodicBest,
  threshold,
  manual,
]);
export type SelectionSpec = z.output<typeof selection>;
export type Strategy = SelectionSpec['strategy'];
export type SpecOf<S extends Strategy> = Extract<SelectionSpec, { strategy: S }>;

/** `rouse select`. */
export const selectionRequest = z.strictObject({
  revision: revisionName,
  change: z.enum(['lowTraffic', 'now']).default('now').meta({
    description: "In the model's quiet time, or at once.",
  }),
});
export type SelectionRequest = z.output<typeof selectionRequest>;

/** A change that is not carried out yet. */
const wanted = z.strictObject({
  revision: z.string(),
  reason: z.string().meta({ description: 'manual: by hand.' }),
  why: z.string(),
  since: z.number().meta({ description: 'Since when; ms since the epoch.' }),
  change: z.enum(['lowTraffic', 'now']),
});
export type Wanted = z.output<typeof wanted>;

/** What was decided last. */
const decided = z.strictObject({
  action: z.enum(['stay', 'wait', 'change']),
  reason: z.string(),
  revision: z.string().optional(),
  why: z.string(),
  judged: z.array(z.string()).optional().meta({ description: 'Those that were not chosen.' }),
  at: z.number(),
});
export type Decided = z.output<typeof decided>;

/** What selection remembers of a model. */
export const selectionState = z.strictObject({
  /** When selection was asked for. */
  since: z.number(),
  /** When what serves was chosen, if it was: new data and drift count from then. */
  chosenAt: z.number().optional(),
  lookedAt: z.number(),
  wanted: wanted.optional(),
  /** A rollout to it is under way. */
  asked: z.string().optional(),
  /** Rollouts to these have failed, and when. */
  failed: z.record(z.string(), z.number()),
  decided: decided.optional(),
});
export type SelectionState = z.output<typeof selectionState>;

export const selectionView = z.object({
  strategy: z.string(),
  serving: z.string().optional().meta({ description: 'Has most of the traffic.' }),
  wanted: wanted.optional(),
  decided: decided.optional(),
  rollingOut: z.string().optional(),
  lookedAt: z.number(),
  nextLookAt: z.number().optional(),
});
export type SelectionView = z.output<typeof selectionView>;

type Loose<K extends string> = { readonly [P in K]?: unknown };
type Say = (path: (string | number)[], expected: string) => void;

function checkSchedule({ cron: text, every }: Loose<'cron' | 'every'>, say: Say): void {
  if ((text === undefined) === (every === undefined)) say([], 'either cron or every');
}

function checkThreshold(
  spec: Loose<'measure' | 'above' | 'below' | 'to' | 'otherwise' | 'candidates'>,
  say: Say,
): void {
  const { measure, above, below, to, otherwise, candidates } = spec;
  for (const [key, revision] of Object.entries({ to, otherwise })) {
    if (revision === undefined || !Array.isArray(candidates)) continue;
    if (!candidates.includes(revision)) say([key], `one of candidates: ${candidates.join(', ')}`);
  }
  if ((above === undefined) === (below === undefined)) say([], 'either above or below');
  if (otherwise !== undefined && to === otherwise) say(['otherwise'], 'another revision than `to`');
  if (typeof measure !== 'string' || !measure.startsWith('usage.')) return;
  if (!USAGE_MEASURES.some((known) => known === measure)) {
    say(['measure'], `a measure that is posted, or one of ${USAGE_MEASURES.join(', ')}`);
  }
}

function checkData(spec: Loose<'newData' | 'features' | 'reference' | 'window'>, say: Say): void {
  const { newData, features, reference, window } = spec;
  if (newData === undefined && features === undefined) {
    say([], 'newData, or features that may drift, or both');
  }
  if (typeof reference !== 'number' || typeof window !== 'number') return;
  if (reference + window > MEASURES_KEPT_DAYS * DAY_MS) {
    say(
      ['reference'],
      `at most ${MEASURES_KEPT_DAYS * 24}h together with the window: so long measures are kept`,
    );
  }
}
