import type { Distribution } from '#domain/job.ts';
import { mergePoints, type Points } from '#domain/points.ts';
import { isBig, isTexts } from '../rows/batches.ts';
import type { BigValues, Column, ColumnValues, NumberValues } from '../rows/rows.ts';

/** How the values of one output are distributed: exact sums, and a picture of bounded size. */
export interface OutputMemory {
  readonly name: string;
  count: number;
  sum: number;
  low: number | null;
  high: number | null;
  points: Points;
  /** Of what has few values; null: it has too many. */
  values: Record<string, number> | null;
}

const MOST_POINTS = 50;
/** Of each batch so many values are looked at for the picture; all of them for the sums. */
const SAMPLE = 64;
const MOST_VALUES = 100;
const SHOWN_VALUES = 50;
const VALUE_CHARS = 100;

export function beginOutput(name: string): OutputMemory {
  return { name, count: 0, sum: 0, low: null, high: null, points: [], values: {} };
}

export function addValues(memory: OutputMemory, { type, values, width = 1 }: Column): void {
  if (isTexts(values)) {
    memory.count += values.length;
    countValues(memory, values);
    return;
  }
  const doubles = isBig(values) ? doublesOf(values) : values;
  const numbers = addSums(memory, doubles);
  if (type === 'FP32' || type === 'FP64' || width > 1) memory.values = null;
  else countValues(memory, isExact(memory) ? doubles : values);
  addPoints(memory, doubles, numbers);
}

/** For what need not be exact: bigints are slow, each an object of its own. */
function doublesOf(values: BigValues): Float64Array {
  const doubles = new Float64Array(values.length);
  for (let index = 0; index < values.length; index++) doubles[index] = Number(values[index]);
  return doubles;
}

/** Whether its integers are the same as doubles. */
function isExact({ low, high }: OutputMemory): boolean {
  return Number.isSafeInteger(low) && Number.isSafeInteger(high);
}

/** How many of them are numbers. */
function addSums(memory: OutputMemory, values: NumberValues): number {
  let numbers = 0;
  let { sum } = memory;
  let low = memory.low ?? Infinity;
  let high = memory.high ?? -Infinity;
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? NaN;
    if (!Number.isFinite(value)) continue;
    numbers++;
    sum += value;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  memory.count += numbers;
  memory.sum = sum;
  if (memory.count > 0) Object.assign(memory, { low, high });
  return numbers;
}

function addPoints(memory: OutputMemory, values: NumberValues, numbers: number): void {
  const step = Math.max(1, Math.floor(values.length / SAMPLE));
  const taken: number[] = [];
  for (let index = 0; index < values.length; index += step) {
    const value = Number(values[index]);
    if (Number.isFinite(value)) taken.push(value);
  }
  const weight = numbers / Math.max(1, taken.length);
  const points = taken.map((value): [number, number] => [value, weight]);
  memory.points = mergePoints([memory.points, points], MOST_POINTS);
}

function countValues(memory: OutputMemory, list: ColumnValues): void {
  const { values } = memory;
  if (values === null) return;
  for (const [value, count] of countEach(list)) {
    const text = String(value).slice(0, VALUE_CHARS);
    values[text] = (values[text] ?? 0) + count;
  }
  if (Object.keys(values).length > MOST_VALUES) memory.values = null;
}

function countEach(list: ColumnValues): ReadonlyMap<string | number | bigint, number> {
  const counts = new Map<string | number | bigint, number>();
  for (const value of list) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

/** The same output, seen by somebody else. */
export function addOutput(memory: OutputMemory, other: OutputMemory): void {
  const extremes = [memory.low, memory.high, other.low, other.high].filter((each) => each !== null);
  memory.count += other.count;
  memory.sum += other.sum;
  memory.low = extremes.length > 0 ? Math.min(...extremes) : null;
  memory.high = extremes.length > 0 ? Math.max(...extremes) : null;
  memory.points = mergePoints([memory.points, other.points], MOST_POINTS);
  memory.values = addCounts(memory.values, other.values);
}

function addCounts(
  one: OutputMemory['values'],
  other: OutputMemory['values'],
): OutputMemory['values'] {
  if (one === null || other === null) return null;
  const sums = { ...one };
  for (const [value, count] of Object.entries(other)) sums[value] = (sums[value] ?? 0) + count;
  return Object.keys(sums).length > MOST_VALUES ? null : sums;
}

export function makeDistribution(memory: OutputMemory): Distribution {
  const { name, count, sum, low, high, points, values } = memory;
  const frequent = Object.entries(values ?? {})
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, SHOWN_VALUES);
  const isNumber = low !== null && high !== null;
  return {
    name,
    count,
    ...(isNumber && { mean: sum / Math.max(1, count), low, high }),
    ...(isNumber && { points: points.map(([value, weight]): [number, number] => [value, weight]) }),
    ...(frequent.length > 0 && { values: frequent }),
  };
}
