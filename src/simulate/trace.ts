import { DAY_MS, formatPeriod } from '#domain/units.ts';
import { Fault } from '#lib/fault.ts';

export interface TraceModel {
  readonly name: string;
  /** In the unit of the trace; 1 where it does not say. */
  readonly memory: number;
  /** What a cold start costs, in seconds; 1 where the trace does not say. */
  readonly coldCost: number;
  /** Present: it can be frozen, which keeps this share of its memory and wakes in so many seconds. */
  readonly parked?: { readonly share: number; readonly wake: number };
}

/** Arrivals in the order of their time: columns, because there may be millions. Times in ms since the epoch. */
export interface Trace {
  readonly models: readonly TraceModel[];
  /** Of its unit of memory; undefined: it does not say how much memory its models take. */
  readonly bytesPerUnit?: number;
  readonly at: Float64Array;
  /** When the request ended. */
  readonly end: Float64Array;
  /** Index into `models`. */
  readonly model: Uint32Array;
  readonly from: number;
  readonly to: number;
  /** To how many ms the times are known. */
  readonly resolution: number;
}

/** Bounds what a trace takes in memory: 20 bytes each. */
const MOST_ARRIVALS = 50_000_000;
const FIRST_CAPACITY = 1024;
/** Each minute is walked through. A longer one has a timestamp that is 0, or in another unit. */
const LONGEST_MS = 3650 * DAY_MS;
/** Goal of the local runtime for what is frozen, see load-tests/README.md. */
const WAKE_SECONDS = 0.003;

export interface TraceBuilder {
  add(model: number, at: number, end: number): void;
  finish(
    models: readonly TraceModel[],
    resolution: number,
    span?: { from: number; to: number },
  ): Trace;
}

export function createTraceBuilder(): TraceBuilder {
  let at = new Float64Array(FIRST_CAPACITY);
  let end = new Float64Array(FIRST_CAPACITY);
  let model = new Uint32Array(FIRST_CAPACITY);
  let length = 0;

  function grow(): void {
    if (length >= MOST_ARRIVALS) {
      throw new Fault('too_large', `the trace has more than ${MOST_ARRIVALS} arrivals`);
    }
    const capacity = Math.min(length * 2, MOST_ARRIVALS);
    at = copyInto(new Float64Array(capacity), at);
    end = copyInto(new Float64Array(capacity), end);
    model = copyInto(new Uint32Array(capacity), model);
  }

  return {
    add(index, arrival, ended) {
      if (length === at.length) grow();
      at[length] = arrival;
      end[length] = ended;
      model[length] = index;
      length++;
    },
    finish(models, resolution, span) {
      if (length === 0) throw new Fault('invalid', 'the trace has no arrivals');
      const order = orderOf(at, length);
      const [first, last] = [at[order[0]!]!, at[order[length - 1]!]!];
      if (last - first > LONGEST_MS) {
        const expected = `at most ${formatPeriod(LONGEST_MS)}; is a timestamp wrong?`;
        const found = `arrivals from ${first / 1000} to ${last / 1000}, in seconds`;
        throw new Fault('invalid', `the trace has ${found}: expected ${expected}`);
      }
      return {
        models,
        resolution,
        at: pick(order, at, new Float64Array(length)),
        end: pick(order, end, new Float64Array(length)),
        model: pick(order, model, new Uint32Array(length)),
        from: span?.from ?? first,
        // What all comes in one moment took some time, too: means are over it.
        to: span?.to ?? Math.max(last, first + resolution),
      };
    },
  };
}

/** The same trace, of models that can be frozen and then keep this share of their memory. */
export function withParking(trace: Trace, share: number): Trace {
  const parked = { share, wake: WAKE_SECONDS };
  return { ...trace, models: trace.models.map((model) => ({ ...model, parked })) };
}

function copyInto<T extends Float64Array | Uint32Array>(wider: T, from: T): T {
  wider.set(from);
  return wider;
}

function pick<T extends Float64Array | Uint32Array>(order: Uint32Array, from: T, into: T): T {
  for (let at = 0; at < order.length; at++) into[at] = from[order[at]!]!;
  return into;
}

/** Indices by time; those of one moment stay in the order in which they were read. */
function orderOf(at: Float64Array, length: number): Uint32Array {
  const order = Uint32Array.from({ length }, (_, index) => index);
  // Logs are, mostly; and a sort takes as much memory again.
  const isSorted = order.every((index) => index === 0 || at[index]! >= at[index - 1]!);
  return isSorted ? order : order.sort((a, b) => at[a]! - at[b]! || a - b);
}
