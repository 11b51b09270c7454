import { readdirSync } from 'node:fs';
import { sumOf } from '../measure/gauges.ts';
import type { Rouse } from '../measure/rouse.ts';

/** What must come back when nothing runs. */
export interface State {
  /** Of both threads, garbage collected. */
  readonly heapBytes: number;
  readonly rssBytes: number;
  readonly files: number;
  readonly inFlight: number;
  readonly queued: number;
  readonly queuedBytes: number;
  readonly heldBytes: number;
  readonly connections: number;
}

const MIB = 1024 * 1024;
/** Compiled code, shapes of objects, and the histories of models that are still there. */
const HEAP_SHARE = 1.1;
const HEAP_BYTES = 4 * MIB;
/** V8 and the allocator keep pages that they once had. */
const RSS_SHARE = 1.25;
const RSS_BYTES = 64 * MIB;

export async function readState(rouse: Rouse): Promise<State> {
  const { heapBytes } = await rouse.sample(true);
  const text = await (await fetch(`${rouse.control}/metrics`)).text();
  return {
    heapBytes,
    rssBytes: rouse.rssBytes(),
    files: readdirSync(`/proc/${rouse.pid}/fd`).length,
    inFlight: sumOf(text, 'rouse_requests_in_flight'),
    queued: sumOf(text, 'rouse_queue_depth'),
    queuedBytes: sumOf(text, 'rouse_queue_bytes'),
    heldBytes: sumOf(text, 'rouse_held_bytes'),
    connections: sumOf(text, 'rouse_client_connections'),
  };
}

/** What is not as it was; empty is what must be. */
export function findDrift(start: State, end: State): string[] {
  const heapMost = start.heapBytes * HEAP_SHARE + HEAP_BYTES;
  const rssMost = start.rssBytes * RSS_SHARE + RSS_BYTES;
  const rows: [string, number, number][] = [
    ['heap bytes', end.heapBytes, heapMost],
    ['resident bytes', end.rssBytes, rssMost],
    ['open files', end.files, start.files],
    ['requests in flight', end.inFlight, 0],
    ['requests queued', end.queued, 0],
    ['bytes queued', end.queuedBytes, 0],
    ['bytes held', end.heldBytes, 0],
    ['connections', end.connections, 0],
  ];
  return rows
    .filter(([, found, most]) => found > most)
    .map(([what, found, most]) => `${what}: found ${found}, expected at most ${Math.round(most)}`);
}
