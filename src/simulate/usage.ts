import { revisionKey } from '#domain/names.ts';
import type { UsageRecord } from '#domain/records.ts';
import { compare, type Limits, type PolicyRow } from './compare.ts';
import { createTraceBuilder, type Trace, type TraceModel } from './trace.ts';

const MINUTE_MS = 60_000;
/** What is not known: the cold start of a revision that had none, in seconds, and the bytes of one not measured. */
const UNKNOWN_START = 1;
const UNKNOWN_MEMORY = 1;

interface Seen {
  readonly name: string;
  coldArrivals: number;
  coldSeconds: number;
  /** The most that it held in a minute, on average over it. */
  bytes: number;
}

/** Replays stored traffic through each policy. Memory is in bytes. */
export function compareUsage(
  rows: readonly UsageRecord[],
  { policies, ...limits }: Limits & { readonly policies: readonly string[] },
): PolicyRow[] {
  return compare(makeUsageTrace(rows), policies, limits);
}

/** A minute with requests is one arrival at its beginning, as in a trace of counts per minute. */
export function makeUsageTrace(rows: readonly UsageRecord[]): Trace {
  const builder = createTraceBuilder();
  const indices = new Map<string, number>();
  const seen: Seen[] = [];

  function indexOf(row: UsageRecord): number {
    const name = revisionKey(row.namespace, row.model, row.revision);
    const known = indices.get(name);
    if (known !== undefined) return known;
    indices.set(name, seen.length);
    return seen.push({ name, coldArrivals: 0, coldSeconds: 0, bytes: 0 }) - 1;
  }

  for (const row of rows) {
    // Only what was asked is a model of the trace; its memory is known from minutes without requests, too.
    if (row.arrivals === 0 && !indices.has(revisionKey(row.namespace, row.model, row.revision))) {
      continue;
    }
    const index = indexOf(row);
    const one = seen[index]!;
    one.coldArrivals += row.coldArrivals;
    one.coldSeconds += row.coldSeconds;
    one.bytes = Math.max(one.bytes, row.memoryByteSeconds / 60);
    if (row.arrivals > 0) builder.add(index, row.minute * MINUTE_MS, row.minute * MINUTE_MS);
  }
  const [from, to] = [rows[0]?.minute ?? 0, rows.at(-1)?.minute ?? 0];
  const span = { from: from * MINUTE_MS, to: (to + 1) * MINUTE_MS };
  return builder.finish(seen.map(makeModel), MINUTE_MS, span);
}

function makeModel({ name, coldArrivals, coldSeconds, bytes }: Seen): TraceModel {
  const coldCost = coldArrivals > 0 ? coldSeconds / coldArrivals : UNKNOWN_START;
  return { name, coldCost: coldCost || UNKNOWN_START, memory: bytes || UNKNOWN_MEMORY };
}
