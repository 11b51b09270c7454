import type { SelectionSpec, SelectionState, SpecOf, UsageMeasure } from '#domain/selection.ts';
import { MEASURES_KEPT_DAYS } from '#domain/measures.ts';
import { revisionKey } from '#domain/names.ts';
import { mergePoints, type Points } from '#domain/points.ts';
import type { UsageRecord } from '#domain/records.ts';
import { DAY_MS } from '#domain/units.ts';
import type { Candidate, Seen } from '#policies/selection/choice.ts';
import type { Arrivals } from '#policies/selection/quiet.ts';
import { makeScore, NO_SCORE, type Score } from '#policies/selection/score.ts';
import type { Store } from '#store/store.ts';
import { type ModelEntry, revisionsOf } from '../records/catalog.ts';
import type { Measures } from '../measures/measures.ts';
import { servingOf } from '../records/resolve.ts';
import { hasFailed } from './failed.ts';

const MINUTE_MS = 60_000;
const WEEK_MINUTES = 7 * 24 * 60;
/** The newest: each is a read of its measures. */
const MOST_CANDIDATES = 64;
/** For three hundred thousand points of a week in minutes. */
const MOST_POINTS = 2000;

export interface Sources {
  readonly store: Pick<Store, 'usage'>;
  readonly measures: Measures;
}

/** All that the strategy asks for. */
export async function gatherSeen(
  spec: SelectionSpec,
  entry: ModelEntry,
  state: SelectionState,
  sources: Sources,
  now: number,
): Promise<Seen> {
  const candidates = await gatherCandidates(spec, entry, state, sources, now);
  if (spec.strategy === 'threshold') {
    return { candidates, score: await gatherScore(spec, entry, sources, now) };
  }
  if (spec.strategy !== 'dataDriven') return { candidates };
  const { newData } = spec;
  const rows =
    newData &&
    (await sources.measures.readAll(entry.key, newData.measure, state.chosenAt ?? state.since));
  return {
    candidates,
    ...(rows && { newData: rows.reduce((sum, row) => sum + row.sum, 0) }),
    features: await gatherFeatures(spec, entry, state, sources, now),
  };
}

async function gatherCandidates(
  spec: SelectionSpec,
  entry: ModelEntry,
  { failed }: SelectionState,
  { measures }: Sources,
  now: number,
): Promise<Candidate[]> {
  const serving = servingOf(entry.resolved);
  const scored = scoredBy(spec);
  const mayBeChosen = (name: string): boolean => spec.candidates?.includes(name) ?? true;
  const newest = revisionsOf(entry)
    .filter(({ name, state }) => state === 'Ready' && mayBeChosen(name))
    .slice(-MOST_CANDIDATES);
  const asked = new Set([serving, ...namedBy(spec), ...newest.map(({ name }) => name)]);
  const listed = revisionsOf(entry).filter(({ name }) => asked.has(name));
  const found: Candidate[] = [];
  for (const { name, state, ordinal, createdAt } of listed) {
    const isBarred = hasFailed(failed[name], { createdAt }, now);
    const key = revisionKey(entry.namespace, entry.name, name);
    const buckets = scored && (await measures.read(key, scored.measure, now - scored.window));
    found.push({
      revision: name,
      serving: name === serving,
      mayBeChosen: mayBeChosen(name),
      isReady: state === 'Ready' && !isBarred,
      ordinal,
      ...(buckets && { score: makeScore(buckets) }),
    });
  }
  return found;
}

/** Revisions that a strategy asks for by name, however old they are. */
export function namedBy(spec: SelectionSpec): readonly string[] {
  return spec.strategy === 'threshold' ? [spec.to, spec.otherwise ?? spec.to] : [];
}

/** The measure that revisions are compared by, and how far back. */
function scoredBy(spec: SelectionSpec): { measure: string; window: number } | undefined {
  if (spec.strategy === 'periodicBest' || spec.strategy === 'accuracyDriven') return spec;
  if (spec.strategy !== 'dataDriven' || !spec.score) return undefined;
  return { measure: spec.score.measure, window: spec.window };
}

async function gatherScore(
  { measure, window }: SpecOf<'threshold'>,
  entry: ModelEntry,
  { store, measures }: Sources,
  now: number,
): Promise<Score> {
  if (isUsage(measure)) {
    const minutes = Math.floor(window / MINUTE_MS);
    // The minute that runs is not whole.
    const to = Math.floor(now / MINUTE_MS) - 1;
    const { namespace, name: model } = entry;
    const rows = await store.usage({ namespace, model, from: to - minutes + 1, to });
    return scoreUsage(measure, rows, minutes);
  }
  const serving = servingOf(entry.resolved) ?? '';
  const rows = await measures.readAll(entry.key, measure, now - window);
  return makeScore(rows.filter(({ revision }) => revision === serving || revision === ''));
}

function isUsage(measure: string): measure is UsageMeasure {
  return measure.startsWith('usage.');
}

function scoreUsage(measure: UsageMeasure, rows: readonly UsageRecord[], minutes: number): Score {
  const sum = (of: (row: UsageRecord) => number): number =>
    rows.reduce((all, row) => all + of(row), 0);
  const arrivals = sum((row) => row.arrivals);
  const busy = sum((row) => row.busySeconds);
  const cold = sum((row) => row.coldArrivals);
  switch (measure) {
    case 'usage.requests':
      return meanOf(arrivals, minutes);
    case 'usage.coldShare':
      return meanOf(cold, arrivals);
    case 'usage.seconds':
      return meanOf(busy, arrivals);
    default:
      return meanOf(sum((row) => row.memoryByteSeconds) / 60, minutes);
  }
}

function meanOf(total: number, count: number): Score {
  return count === 0 ? NO_SCORE : { count, mean: total / count, variance: 0 };
}

/**
 * How each feature is distributed now, and how it was: since what serves was chosen, for as long as the reference is,
 * or, if nothing was chosen yet, right before the window.
 */
async function gatherFeatures(
  spec: SpecOf<'dataDriven'>,
  entry: ModelEntry,
  { chosenAt }: SelectionState,
  { measures }: Sources,
  now: number,
): Promise<NonNullable<Seen['features']>> {
  const begin = Math.floor((now - spec.window) / MINUTE_MS);
  const length = Math.floor(spec.reference / MINUTE_MS);
  const chosen = chosenAt === undefined ? begin - length : Math.floor(chosenAt / MINUTE_MS);
  const from = Math.max(chosen, Math.floor((now - MEASURES_KEPT_DAYS * DAY_MS) / MINUTE_MS));
  const until = Math.min(from + length, begin);
  const features = [];
  for (const name of spec.features ?? []) {
    const rows = await measures.readAll(entry.key, name, Math.min(from, begin) * MINUTE_MS);
    const within = (low: number, high: number): Points =>
      mergeMany(
        rows.filter(({ minute }) => minute >= low && minute < high).map(({ points }) => points),
      );
    features.push({ name, reference: within(from, until), current: within(begin, Infinity) });
  }
  return features;
}

/** What one value is worth of them is not seen by the deciles; joined in order, it takes no quadratic time. */
function mergeMany(lists: readonly Points[]): Points {
  const all = mergePoints(lists, Infinity);
  const step = Math.ceil(all.length / MOST_POINTS);
  if (step <= 1) return all;
  const groups: Points[] = [];
  for (let at = 0; at < all.length; at += step) {
    groups.push(mergePoints([all.slice(at, at + step)], 1));
  }
  return groups.flat();
}

/** Requests of the last week, all revisions together. */
export async function gatherArrivals(
  { namespace, name: model }: ModelEntry,
  { store }: Pick<Sources, 'store'>,
  now: number,
): Promise<Arrivals> {
  const to = Math.floor(now / MINUTE_MS);
  const rows = await store.usage({ namespace, model, from: to - WEEK_MINUTES, to });
  const counts = new Map<number, number>();
  for (const { minute, arrivals } of rows) {
    if (arrivals > 0) counts.set(minute, (counts.get(minute) ?? 0) + arrivals);
  }
  return [...counts];
}
