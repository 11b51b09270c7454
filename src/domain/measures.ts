import { z } from 'zod';
import { rule } from './model-rules.ts';
import { revisionName } from './names.ts';
import type { Points } from './points.ts';

/**
 * Numbers that users measure of their models: scores, labels that come after the request, what inputs look like.
 * They are kept added up, per revision, name and minute.
 */

/** As people know it from Prometheus, with dots for features: `accuracy`, `input.age`. */
export const measureName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_.-]{0,62}$/, 'a name such as accuracy or input.age');

/** In which direction a measure gets better. */
export const goal = z
  .enum(['higher', 'lower'])
  .default('higher')
  .meta({ description: 'Which numbers are better.' });

/** Longer than any window that is looked at; 15 MB for one name that is measured in each minute. */
export const MEASURES_KEPT_DAYS = 30;
/** Scores and features of a model; more is a loop that makes names. */
export const MOST_MEASURE_NAMES = 32;

/** Squares of it, added up a billion times, are still numbers. */
const LARGEST = 1e100;
/** Of values in one minute. */
export const MOST_POINTS = 32;
/** So that a histogram is kept as it is; those of metrics have ten or twenty. */
const MOST_BOUNDS = MOST_POINTS - 1;
const MOST_COUNTED = 1e9;

const number = z.number().min(-LARGEST).max(LARGEST);
const answer = z.union([z.string().max(256), number, z.boolean()]);

const histogram = z
  .strictObject({
    bounds: z
      .array(number)
      .min(1)
      .max(MOST_BOUNDS)
      .meta({ description: 'Upper bounds of the buckets, ascending; one more bucket is above.' }),
    counts: z
      .array(z.int().min(0).max(MOST_COUNTED))
      .min(2)
      .max(MOST_BOUNDS + 1)
      .meta({ description: 'Values in each bucket, one more than there are bounds.' }),
  })
  .superRefine(...rule(checkHistogram));

const meanOf = {
  count: z
    .int()
    .min(1)
    .max(MOST_COUNTED)
    .optional()
    .meta({ description: 'How many numbers `value` is the mean of.' }),
  deviation: z.number().min(0).max(LARGEST).optional().meta({
    description: 'Standard deviation of these. Absent: that of a share, if the mean is 0 to 1.',
  }),
};

/** A number, or the mean of many, of something whose name stands elsewhere. */
const score = z
  .strictObject({ value: number.meta({ description: 'A number, or the mean.' }), ...meanOf })
  .superRefine(...rule(checkSpread));

/** By name. */
export const scores = z
  .record(measureName, score)
  .refine(
    (named) => Object.keys(named).length <= MOST_MEASURE_NAMES,
    `at most ${MOST_MEASURE_NAMES} names`,
  );
export type Scores = z.output<typeof scores>;

/** `accuracy 0.963 of 540, loss 0.12`. */
export function formatScores(named: Scores): string {
  return Object.entries(named)
    .map(([name, { value, count }]) => {
      const much = count === undefined ? '' : ` of ${count}`;
      return `${name} ${Number(value.toPrecision(4))}${much}`;
    })
    .join(', ');
}

/** One thing that was measured. Exactly one of `value`, `label` with `prediction`, and `histogram`. */
export const measure = z
  .strictObject({
    revision: revisionName
      .optional()
      .meta({ description: 'Absent: of the model as a whole, such as what its inputs are.' }),
    name: measureName
      .optional()
      .meta({ description: 'What was measured; accuracy, if it is a label and a prediction.' }),
    value: number.optional().meta({ description: 'A number, or the mean of `count` numbers.' }),
    ...meanOf,
    label: answer.optional().meta({ description: 'What was right.' }),
    prediction: answer.optional().meta({ description: 'What the model said: 1 if right, else 0.' }),
    histogram: histogram.optional().meta({ description: 'Many values at once, by buckets.' }),
    at: z
      .number()
      .min(0)
      .optional()
      .meta({ description: 'When; milliseconds since the epoch. Absent: now.' }),
    id: z.string().min(1).max(128).optional().meta({
      description: 'Counts once per revision and name, however often it comes within a week.',
    }),
  })
  .superRefine(...rule(checkMeasure));
export type Measure = z.output<typeof measure>;

/** Measures of one call. */
const MAX_MEASURES = 1000;
export const measures = z.array(measure).min(1).max(MAX_MEASURES);

/** What was measured in one minute, added up. */
export interface MeasureBucket {
  /** Minutes since the epoch. */
  readonly minute: number;
  readonly count: number;
  readonly sum: number;
  readonly sumSquares: number;
  readonly low: number;
  readonly high: number;
  /** How the values are distributed. */
  readonly points: Points;
}

export interface MeasureRecord extends MeasureBucket {
  readonly namespace: string;
  readonly model: string;
  /** '': of the model as a whole. */
  readonly revision: string;
  readonly name: string;
}

const DEFAULT_NAME = 'accuracy';
const MINUTE_MS = 60_000;

/** A measure as it is added up. */
export function makeMeasureRecord(
  owner: { readonly namespace: string; readonly model: string },
  given: Measure,
  now: number,
): MeasureRecord {
  const { revision = '', name = DEFAULT_NAME, at = now } = given;
  const { namespace, model } = owner;
  const minute = Math.floor(at / MINUTE_MS);
  return { namespace, model, revision, name, minute, ...sumsOf(given) };
}

type Sums = Omit<MeasureBucket, 'minute'>;

function sumsOf(given: Measure): Sums {
  if (given.histogram) return sumPoints(pointsOf(given.histogram));
  const { value = isRight(given) ? 1 : 0, count = 1 } = given;
  const { deviation = count === 1 ? 0 : Math.sqrt(value * (1 - value)) } = given;
  return {
    count,
    sum: value * count,
    sumSquares: count * (value ** 2 + deviation ** 2),
    low: value,
    high: value,
    points: [[value, count]],
  };
}

/** A class may be 3 in one place and "3" in another. */
function isRight({ label, prediction }: Measure): boolean {
  return String(label) === String(prediction);
}

/** Each bucket at its upper bound; those above all bounds as far above the last as that is above the one before. */
function pointsOf({ bounds, counts }: z.output<typeof histogram>): Points {
  const last = bounds.at(-1) ?? 0;
  const above = last + (last - (bounds.at(-2) ?? last - 1));
  return counts.flatMap((count, index) =>
    count === 0 ? [] : [[bounds[index] ?? above, count] as const],
  );
}

function sumPoints(points: Points): Sums {
  let [count, sum, sumSquares] = [0, 0, 0];
  for (const [value, weight] of points) {
    count += weight;
    sum += value * weight;
    sumSquares += value ** 2 * weight;
  }
  const [low, high] = [points[0]?.[0] ?? 0, points.at(-1)?.[0] ?? 0];
  return { count, sum, sumSquares, low, high, points };
}

type Loose<K extends string> = { readonly [P in K]?: unknown };
type Say = (path: (string | number)[], expected: string) => void;

function checkHistogram({ bounds, counts }: Loose<'bounds' | 'counts'>, say: Say): void {
  if (!Array.isArray(bounds) || !Array.isArray(counts)) return;
  if (counts.length !== bounds.length + 1) {
    say(['counts'], `${bounds.length + 1} counts: one for each bound, and one above`);
  }
  const wrong = bounds.findIndex((bound, index) => index > 0 && !(bound > bounds[index - 1]));
  if (wrong >= 0) say(['bounds', wrong], 'more than the bound before');
  if (counts.every((count) => count === 0)) say(['counts'], 'a count that is not 0');
}

type Kind = 'name' | 'value' | 'count' | 'deviation' | 'label' | 'prediction' | 'histogram';

function checkMeasure(given: Loose<Kind>, say: Say): void {
  const { name, value, count, deviation, label, prediction, histogram: buckets } = given;
  const isLabelled = label !== undefined || prediction !== undefined;
  const kinds = [value !== undefined, isLabelled, buckets !== undefined].filter(Boolean);
  if (kinds.length !== 1) say([], 'a value, or a label and a prediction, or a histogram');
  if (isLabelled && label === undefined) say(['label'], 'what was right');
  if (isLabelled && prediction === undefined) say(['prediction'], 'what the model said');
  if (!isLabelled && name === undefined) say(['name'], 'what was measured, such as accuracy');
  if (value === undefined && (count ?? deviation) !== undefined) {
    say(['count'], 'count and deviation only with the value that is their mean');
  }
  checkSpread(given, say);
}

/** Without a deviation only a share of yes and no says how far its numbers lie apart. */
function checkSpread(
  { value, count, deviation }: Loose<'value' | 'count' | 'deviation'>,
  say: Say,
): void {
  if (typeof value !== 'number' || typeof count !== 'number' || count === 1) return;
  if (deviation !== undefined || (value >= 0 && value <= 1)) return;
  say(['deviation'], 'the standard deviation of these numbers: their mean is no share of 0 to 1');
}
