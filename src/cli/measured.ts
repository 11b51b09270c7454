import { readMeasures } from '#domain/read-views.ts';
import type { MeasureView } from '#domain/views.ts';
import { type Client, modelPath } from './client.ts';
import { readPages } from './pages.ts';
import { formatAge } from './print.ts';

/** What was measured of a revision under one name, in the last day. */
export interface Measured {
  /** Undefined: measured of the model as a whole. */
  readonly revision: string | undefined;
  readonly name: string;
  readonly count: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  /** The beginning of the last minute, ms since the epoch. */
  readonly lastAt: number;
}

const PAGE = 5000;
const MINUTE_MS = 60_000;
/** Digits that a reader compares by. */
const DIGITS = 4;

export const MEASURED_HEAD = ['REVISION', 'MEASURE', 'COUNT', 'MEAN', 'LOW', 'HIGH', 'LAST'];

export async function readMeasured(
  client: Client,
  namespace: string,
  model: string,
): Promise<Measured[]> {
  const path = `${modelPath(namespace, model)}/measures`;
  const found = new Map<string, Measured>();
  for await (const rows of readPages(client, { path, query: { limit: PAGE } }, readMeasures)) {
    for (const row of rows) {
      const key = `${row.revision ?? ''}/${row.name}`;
      found.set(key, addTo(found.get(key), row));
    }
  }
  return [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, measured]) => measured);
}

function addTo(before: Measured | undefined, row: MeasureView): Measured {
  const { revision, name, minute, count, sum, low, high } = row;
  const lastAt = minute * MINUTE_MS;
  if (!before) return { revision, name, count, mean: sum / count, low, high, lastAt };
  const all = before.count + count;
  return {
    revision,
    name,
    count: all,
    mean: (before.mean * before.count + sum) / all,
    low: Math.min(before.low, low),
    high: Math.max(before.high, high),
    lastAt,
  };
}

export function makeMeasuredRow(measured: Measured, now: number): string[] {
  const { revision = '-', name, count, mean, low, high, lastAt } = measured;
  const numbers = [mean, low, high].map((value) => String(Number(value.toPrecision(DIGITS))));
  return [revision, name, String(count), ...numbers, formatAge(now, lastAt)];
}
