/**
 * How many rows a request has. While answers come quickly, more: what a request costs beside its rows is then much of
 * it. From there on a size is left only for one that scored more rows in a second while both had their turns side by
 * side, so that a busy stretch of the machine meets both. Halved when answers take too long, or requests are too large.
 * Pure: what was learned is an argument and a result.
 */
export interface Sizing {
  /** Rows of the next requests; a power of two. */
  readonly size: number;
  /** The best that is known; `size` is another one only in a trial. */
  readonly best: number;
  /** Larger ones were too much. */
  readonly most: number;
  /** Rows per second in the turns of a trial so far; undefined: there is none. */
  readonly trial: { readonly size: number; readonly rates: readonly number[] } | undefined;
  /** Which way the next trial goes. */
  readonly way: 'larger' | 'smaller';
  /** Turns since the last one. */
  readonly rested: number;
}

/** What was seen in a turn, all of it at the present size. */
export interface SizingSeen {
  readonly rowsPerSecond: number;
  /** Median of the time that the model took for a request, ms. */
  readonly latencyMs: number;
  /** Of a request or its answer, whatever is more. */
  readonly bytes: number;
}

/** Small enough for a model that takes a second for a row. */
const FIRST_SIZE = 16;
export const LARGEST_SIZE = 8192;
/** What is lost with an instance is done again, and what it holds up waits for so long. */
const LONGEST_MS = 1000;
/** A request is in memory several times over: here, on its way and where it is scored. */
const MOST_BYTES = 2 ** 20;
/** Beside that, what a request costs by itself is little, also where several share an instance. */
const QUICK_MS = 100;
/** What is quick grows at once by so much at most: the first answers say little. */
const LARGEST_STEP = 8;
/** Whose turn it is in a trial: the best, then the other one, each first as often as second. */
const TURNS = [false, true, true, false, false, true] as const;
/** Less is noise. */
const GAIN = 1.05;
/** Turns between two trials: the worse size of a trial costs little, and a change is found soon. */
const REST = 20;

export function beginSizing(): Sizing {
  return {
    size: FIRST_SIZE,
    best: FIRST_SIZE,
    most: LARGEST_SIZE,
    trial: undefined,
    way: 'larger',
    rested: REST,
  };
}

export function decideSize(sizing: Sizing, seen: SizingSeen): Sizing {
  const { size, best, most, trial } = sizing;
  const { latencyMs, bytes, rowsPerSecond } = seen;
  if (bytes > MOST_BYTES || latencyMs > LONGEST_MS) return halveSize(sizing);
  const quick = Math.min(size * quickStep(seen), most);
  if (quick > size) return settle(sizing, Math.max(best, quick));
  if (trial) return decideTrial(sizing, trial.size, [...trial.rates, rowsPerSecond]);
  if (sizing.rested < REST) return { ...sizing, rested: sizing.rested + 1 };
  return beginTrial(sizing, seen);
}

/** The model does not take so many at once. */
export function halveSize(sizing: Sizing): Sizing {
  const half = Math.max(1, sizing.size / 2);
  return { ...settle(sizing, Math.min(sizing.best, half)), most: half };
}

/** How many times larger a request may be that is still quick, if each of its rows takes as long as now. */
function quickStep({ latencyMs, bytes }: SizingSeen): number {
  const isQuick = (step: number): boolean =>
    latencyMs * step <= QUICK_MS && bytes * step <= MOST_BYTES;
  let step = 1;
  while (step < LARGEST_STEP && isQuick(step * 2)) step *= 2;
  return step;
}

function settle(sizing: Sizing, size: number): Sizing {
  return { ...sizing, size, best: size, trial: undefined, rested: 0 };
}

function beginTrial(sizing: Sizing, { latencyMs, bytes }: SizingSeen): Sizing {
  const { best, most, way } = sizing;
  const next = { ...sizing, rested: 0, way: way === 'larger' ? 'smaller' : 'larger' } as const;
  if (way === 'smaller') {
    const isQuick = latencyMs <= QUICK_MS;
    return best === 1 || isQuick ? next : { ...next, trial: { size: best / 2, rates: [] } };
  }
  if (bytes * 2 > MOST_BYTES) return next;
  // What was too much then need not be so now.
  if (best * 2 > most) return { ...next, most: LARGEST_SIZE };
  return { ...next, trial: { size: best * 2, rates: [] } };
}

function decideTrial(sizing: Sizing, other: number, rates: readonly number[]): Sizing {
  if (rates.length < TURNS.length) {
    const size = TURNS[rates.length] === true ? other : sizing.best;
    return { ...sizing, size, trial: { size: other, rates } };
  }
  if (medianGain(rates) < GAIN) return settle(sizing, sizing.best);
  // Perhaps there is more to gain this way.
  const way = other > sizing.best ? 'larger' : 'smaller';
  return { ...settle(sizing, other), way, rested: REST };
}

/** Of each pair of turns, which stand side by side: by how much the other one was faster. */
function medianGain(rates: readonly number[]): number {
  const gains: number[] = [];
  for (let at = 0; at < rates.length; at += 2) {
    const [first = 0, second = 0] = [rates[at], rates[at + 1]];
    const [best, other] = TURNS[at] === true ? [second, first] : [first, second];
    gains.push(other / best);
  }
  return gains.toSorted((a, b) => a - b)[gains.length >> 1] ?? 0;
}
