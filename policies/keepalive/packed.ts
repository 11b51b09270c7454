import { AGE_CLASSES, type Bins } from './bins.ts';
import { type Fleet, makeFleet } from './hazard.ts';
import { type History, makeHistory } from './history.ts';
import type { IdleBudget } from './idle-budget.ts';
import type { OnlineFleet } from './online.ts';
import { NO_CONTEXT } from './pooled.ts';
import { type PriceMemory, WINDOW_HOURS } from './price.ts';

/**
 * What was learned as plain JSON, compact enough for one record for each model, and back. What is read may be
 * anything: what does not fit is undefined as a whole, so that nobody plans by half of it.
 */
export type Packed = Readonly<Record<string, unknown>>;

/** Of the form below. Another form gets another number. */
export const PACKED_VERSION = 2;
/** Digits that are kept of a count: more would say nothing. */
const DIGITS = 4;

export function packHistory(history: History): Packed {
  const { gaps, lastGap, gapBefore, context, idleSince, nextBin, countedAt, activity } = history;
  const { observed, expected, expectedNow, level, recent, events, atRisk } = history;
  return {
    gaps,
    context,
    nextBin,
    countedAt,
    activity,
    lastGap: orNull(lastGap),
    gapBefore: orNull(gapBefore),
    idleSince: orNull(idleSince),
    ...packAll({ observed, expected, expectedNow, level, recent, events, atRisk }),
  };
}

/** Undefined: it is not what `packHistory` has made for such bins. */
export function unpackHistory(packed: Packed, bins: Bins): History | undefined {
  const history = makeHistory(bins);
  const { observed, expected, expectedNow, level, recent, events, atRisk } = history;
  const isWhole =
    readAll(packed, { observed, expected, expectedNow, level, recent, events, atRisk }) &&
    readNumbers(packed, history, ['gaps', 'context', 'nextBin', 'countedAt', 'activity']) &&
    readNumbers(packed, history, ['lastGap', 'gapBefore', 'idleSince'], { orNone: true });
  const { gaps, nextBin, context } = history;
  const fits = isIndex(nextBin, bins.count) && isIndex(context, NO_CONTEXT) && gaps >= 0;
  const isSound = level.every((each) => each > 0) && level.length === AGE_CLASSES;
  return isWhole && fits && isSound ? history : undefined;
}

export function packFleet({ fleet, prices }: OnlineFleet, idle: IdleBudget): Packed {
  const { pooled, calibration, hour, day, countedAt, since } = fleet;
  const { events, atRisk } = pooled;
  const { weights, squares } = calibration;
  return {
    hour,
    day,
    countedAt,
    since,
    ...packAll({ events, atRisk, weights, squares }),
    prices: {
      since: prices.since,
      hour: prices.hour,
      // Exact: how they lie to each other is their meaning.
      prices: Array.from(prices.prices),
      used: prices.used.map(pack),
    },
    idle,
  };
}

/** Undefined: it is not what `packFleet` has made for such bins. */
export function unpackFleet(
  packed: Packed,
  bins: Bins,
): { all: OnlineFleet; idle: IdleBudget } | undefined {
  const { since } = packed;
  if (!isNumber(since)) return undefined;
  const fleet = makeFleet(bins, since);
  const idle = { taken: 0, weight: 0, countedAt: 0 };
  const prices = unpackPrices(packed['prices']);
  const isWhole =
    readFleet(packed, fleet) &&
    isRecord(packed['idle']) &&
    readNumbers(packed['idle'], idle, ['taken', 'weight', 'countedAt']);
  return isWhole && prices ? { all: { fleet, prices }, idle } : undefined;
}

function readFleet(packed: Packed, fleet: Fleet): boolean {
  const { events, atRisk } = fleet.pooled;
  const { weights, squares } = fleet.calibration;
  return (
    readAll(packed, { events, atRisk, squares }) &&
    readAll(packed, { weights }, { signed: true }) &&
    squares.every((square) => square > 0) &&
    readNumbers(packed, fleet, ['hour', 'day', 'countedAt'])
  );
}

function unpackPrices(packed: unknown): PriceMemory | undefined {
  if (!isRecord(packed)) return undefined;
  const { prices, used, since, hour } = packed;
  if (!Array.isArray(prices) || !Array.isArray(used) || !isNumber(since) || !isNumber(hour)) {
    return undefined;
  }
  const rings = used.map((ring: unknown) => readRing(ring));
  const memory = { prices: Float64Array.from(prices), used: rings, since, hour };
  return isPriceMemory(memory) ? memory : undefined;
}

/** An empty one fits nothing. */
function readRing(values: unknown): Float64Array {
  const ring = new Float64Array(WINDOW_HOURS);
  return readAll({ values }, { values: ring }) ? ring : new Float64Array();
}

/** As many rings as prices, all as long, and prices that fall. */
function isPriceMemory({ prices, used }: PriceMemory): boolean {
  const isFalling = prices.every(
    (price, index) => price > 0 && (index === 0 || price < prices[index - 1]!),
  );
  const areRings = used.every(
    (ring) => ring.length === WINDOW_HOURS && ring.every((amount) => amount >= 0),
  );
  return prices.length > 1 && used.length === prices.length && isFalling && areRings;
}

type Numbers = Float64Array | Float32Array;

/** Zeros at the end say nothing. */
function pack(numbers: Numbers): number[] {
  const last = numbers.findLastIndex((value) => value !== 0);
  return Array.from(numbers.subarray(0, last + 1), (value) => Number(value.toPrecision(DIGITS)));
}

function packAll(all: Readonly<Record<string, Numbers>>): Record<string, number[]> {
  return Object.fromEntries(Object.entries(all).map(([name, numbers]) => [name, pack(numbers)]));
}

/** Fills the arrays; false: one of them does not fit. */
function readAll(
  packed: Packed,
  all: Readonly<Record<string, Numbers>>,
  { signed = false } = {},
): boolean {
  return Object.entries(all).every(([name, into]) => {
    const values = packed[name];
    if (!Array.isArray(values) || values.length > into.length) return false;
    if (!values.every((value) => isNumber(value) && (signed || value >= 0))) return false;
    into.fill(0);
    into.set(values);
    return true;
  });
}

/** Fills the fields; false: one of them does not fit. */
function readNumbers<K extends string>(
  packed: Packed,
  into: Record<K, number>,
  names: readonly K[],
  { orNone = false } = {},
): boolean {
  return names.every((name) => {
    const value = packed[name];
    if (!isNumber(value) && !(orNone && value === null)) return false;
    into[name] = value ?? Number.NaN;
    return true;
  });
}

function orNull(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isIndex(value: number, most: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= most;
}

function isRecord(value: unknown): value is Packed {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
