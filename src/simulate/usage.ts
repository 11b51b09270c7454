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

/** Stored traffic in the order of its minutes, page by page: there may be millions of rows. */
type Pages = AsyncIterable<readonly UsageRecord[]>;

/** Replays stored traffic through each policy; undefined: there were no requests. Memory is in bytes. */
export async function compareUsage(
  pages: Pages,
  { policies, ...limits }: Limits & { readonly policies: readonly string[] },
): Promise<PolicyRow[] | undefined> {
  const trace = await readUsageTrace(pages);
  return trace && compare(trace, policies, limits);
}

/** A minute with requests is one arrival at its beginning, as in a trace of counts per minute. */
export async function readUsageTrace(pages: Pages): Promise<Trace | undefined> {
  const builder = createTraceBuilder();
  const indices = new Map<string, number>();
  const seen: Seen[] = [];
  let span: { readonly from: number; readonly to: number } | undefined;

  function add(row: UsageRecord): void {
    const at = row.minute * MINUTE_MS;
    span = { from: span?.from ?? at, to: at + MINUTE_MS };
    const name = revisionKey(row.namespace, row.model, row.revision);
    let index = indices.get(name);
    if (index === undefined) {
      // Only what was asked is a model of the trace; its memory is known from minutes without requests, too.
      if (row.arrivals === 0) return;
      index = seen.push({ name, coldArrivals: 0, coldSeconds: 0, bytes: 0 }) - 1;
      indices.set(name, index);
    }
    const one = seen[index]!;
    one.coldArrivals += row.coldArrivals;
    one.coldSeconds += row.coldSeconds;
    one.bytes = Math.max(one.bytes, row.memoryByteSeconds / 60);
    if (row.arrivals > 0) builder.add(index, at, at);
  }

  for await (const rows of pages) for (const row of rows) add(row);
  return seen.length === 0 ? undefined : builder.finish(seen.map(makeModel), MINUTE_MS, span);
}

function makeModel({ name, coldArrivals, coldSeconds, bytes }: Seen): TraceModel {
  const coldCost = coldArrivals > 0 ? coldSeconds / coldArrivals : UNKNOWN_START;
  return { name, coldCost: coldCost || UNKNOWN_START, memory: bytes || UNKNOWN_MEMORY };
}
