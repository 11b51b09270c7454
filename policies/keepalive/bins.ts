/** Idle time in bins: what is learned and decided about it has this resolution. Times in ms. */
export interface Bins {
  readonly count: number;
  /** Bin `b` holds idle times above `from[b]`, up to `to[b]`. */
  readonly from: Float64Array;
  readonly to: Float64Array;
  /** Coarse class of each bin, below `AGE_CLASSES`: what is learned by class is shared by its bins. */
  readonly ageClass: Uint8Array;
}

const MINUTE_MS = 60_000;
/** Whoever has not come for a day is not waited for. */
const LONGEST_MS = 24 * 60 * MINUTE_MS;
/** Timers of minutes and hours are sharp: each minute counts up to four hours, and then each 2 %. */
const SHARP_MS = 4 * 60 * MINUTE_MS;
const MINUTE_GROWTH = 1.02;
/** With times to the second the bins begin at one and grow by 8 %: sharp enough to tell 55 s from a minute. */
const SECOND_MS = 1000;
const SECOND_GROWTH = 1.08;
/** Ends of the coarse classes of idle time, in minutes; the last is open. */
const AGE_CLASS_ENDS = [1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 720];
export const AGE_CLASSES = AGE_CLASS_ENDS.length + 1;

/** For arrivals that are known to the minute. */
export function makeMinuteBins(): Bins {
  const ends: number[] = [];
  for (let end = MINUTE_MS; end < LONGEST_MS;) {
    ends.push(end);
    end = end < SHARP_MS ? end + MINUTE_MS : end * MINUTE_GROWTH;
  }
  return makeBins([...ends, LONGEST_MS]);
}

/** For arrivals that are known to the second. */
export function makeSecondBins(): Bins {
  const ends: number[] = [];
  for (let end = SECOND_MS; end < LONGEST_MS; end *= SECOND_GROWTH) ends.push(end);
  return makeBins([...ends, LONGEST_MS]);
}

/** The bin of an idle time; `count` when it is longer than all. */
export function binOf({ to, count }: Bins, idle: number): number {
  let low = 0;
  for (let high = count; low < high;) {
    const middle = (low + high) >>> 1;
    if (to[middle]! < idle) low = middle + 1;
    else high = middle;
  }
  return low;
}

function makeBins(ends: readonly number[]): Bins {
  return {
    count: ends.length,
    from: Float64Array.from([0, ...ends.slice(0, -1)]),
    to: Float64Array.from(ends),
    ageClass: Uint8Array.from(ends, (end) => classOf(AGE_CLASS_ENDS, end / MINUTE_MS)),
  };
}

/** Index of the first end that is not below the value. */
export function classOf(ends: readonly number[], value: number): number {
  const found = ends.findIndex((end) => value <= end);
  return found < 0 ? ends.length : found;
}
