import { formatFigure } from '../words.ts';

/** What one signal says: as many instances as it takes for its value to be at its target. */

/**
 * `total`: the value is of all instances together, the target what one of them carries. `ratio`: the value is the same
 * however many there are, such as a latency; how far it is from its target says how far their number is off.
 */
export type SignalKind = 'total' | 'ratio';

export interface SignalSpec {
  readonly name: string;
  readonly kind: SignalKind;
  /** Above 0, in the unit of the value. */
  readonly target: number;
  /** Share of the weighted mean. Absent: it is no part of the mean, and enough by itself. */
  readonly weight?: number | undefined;
  /** A new value is due this often, ms. */
  readonly every: number;
}

/** What was measured of a signal. */
export interface Sighting {
  /** Undefined: nothing was. */
  readonly value: number | undefined;
  /** Of the last seconds alone, where that is known. */
  readonly burst?: number | undefined;
  /** A ratio: how many were ready meanwhile, on the average. Absent: as many as now. */
  readonly among?: number | undefined;
  /** When it was measured, ms. */
  readonly at: number;
  /** Why nothing was, as the end of a sentence that begins with the signal's name. */
  readonly missing?: string | undefined;
}

/** The last value that was believed, and one after it that was not yet. */
export interface SignalMemory {
  readonly believed: number;
  readonly doubted?: { readonly value: number; readonly at: number };
}

export type Judged =
  | { readonly needed: number; readonly burst: number; readonly memory: SignalMemory }
  | { readonly leftOut: string; readonly memory: SignalMemory };

/** So many values may be missing before the last one is too old to steer by. */
const STALE_INTERVALS = 3;
/** Clocks of two machines may differ so much. */
const AHEAD_MS = 5000;
/** A value that is so many times the last one, or the target if that is more, is believed only when the next one agrees. */
const JUMP = 100;
/** Two values so near to each other agree. */
const AGREE = 2;
/** A ratio says that it is bad, not how bad: a queue makes any latency of a little too few instances. */
const MOST_RATIO = 2;

/** More than any ceiling: what is believed at last is a number that can be counted with. */
const MOST_NEEDED = 100_000;

export const UNKNOWN: SignalMemory = { believed: 0 };

/** Either how many instances it needs, with fractions, or why it is left out. It is never read as zero. */
export function judgeSignal(
  spec: SignalSpec,
  seen: Sighting,
  memory: SignalMemory,
  ready: number,
  now: number,
): Judged {
  const leftOut = faultOf(spec, seen, ready, now);
  if (leftOut !== undefined) return { leftOut, memory };
  const value = seen.value!;
  const usual = Math.max(memory.believed, spec.target);
  if (value > usual * JUMP && !isConfirmed(memory, seen)) {
    const doubted = memory.doubted ?? { value, at: seen.at };
    return {
      leftOut: `jumped from ${formatFigure(memory.believed)} to ${formatFigure(value)}`,
      memory: { ...memory, doubted: seen.at > doubted.at ? { value, at: seen.at } : doubted },
    };
  }
  const among = seen.among ?? ready;
  const needed = neededBy(spec, value, among);
  const { burst } = seen;
  const isKnown = burst !== undefined && isFit(burst) && burst <= Math.max(usual, value) * JUMP;
  return {
    needed,
    burst: isKnown ? neededBy(spec, burst, among) : needed,
    memory: { believed: value },
  };
}

function faultOf(spec: SignalSpec, seen: Sighting, ready: number, now: number): string | undefined {
  const fault = faultOfValue(seen, spec.every, now);
  if (fault !== undefined) return fault;
  if (seen.value! < 0) return `is ${seen.value}`;
  if (spec.kind === 'ratio' && ready === 0) return 'says nothing without an instance';
  return undefined;
}

/**
 * Why what was measured cannot be believed now, as the end of a sentence that begins with its name.
 *
 * @param every a new value is due this often, ms.
 */
export function faultOfValue(
  { value, at, missing }: Pick<Sighting, 'value' | 'at' | 'missing'>,
  every: number,
  now: number,
): string | undefined {
  if (value === undefined) return missing ?? 'has no value';
  if (!Number.isFinite(value)) return `is ${value}`;
  if (!Number.isFinite(at)) return 'has no time';
  const age = now - at;
  if (age > STALE_INTERVALS * every) return `is ${formatFigure(age / 1000)} s old`;
  if (age < -AHEAD_MS) return `is ${formatFigure(-age / 1000)} s ahead of time`;
  return undefined;
}

function isFit(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}

/** The value after the one that was doubted is about the same. */
function isConfirmed({ doubted }: SignalMemory, { value, at }: Sighting): boolean {
  if (!doubted || at <= doubted.at || value === undefined) return false;
  return value <= doubted.value * AGREE && value >= doubted.value / AGREE;
}

function neededBy({ kind, target }: SignalSpec, value: number, among: number): number {
  const times = Math.min(value / target, MOST_NEEDED);
  return kind === 'total' ? times : among * Math.min(times, MOST_RATIO);
}
