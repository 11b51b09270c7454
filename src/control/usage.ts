import type { RevisionLoad } from '#bus/messages.ts';
import { partsOfRevisionKey } from '#domain/names.ts';
import type { UsageRecord } from '#domain/records.ts';
import type { Clock } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import { createLoop } from '#lib/loop.ts';
import type { Runtime } from '#runtime/runtime.ts';
import type { Store } from '#store/store.ts';

/** Traffic and memory per revision and minute, gathered here and added to the store well within a minute. */
export interface Usage {
  report(loads: readonly RevisionLoad[]): void;
  /** Writes what there is and ends. */
  close(): Promise<void>;
}

/** Memory is sampled as often as the load. */
const SAMPLE_MS = 1000;
/** Durable within a minute, with room for a slow disk. */
const FLUSH_MS = 15_000;
const MINUTE_MS = 60_000;
/** Rows that wait for a store that fails: hours for hundreds of revisions, in some tens of megabytes. */
const ROWS_LIMIT = 100_000;
const ROWS_KEPT = 90_000;

type Row = { -readonly [P in keyof UsageRecord]: UsageRecord[P] };

export function createUsage(options: {
  store: Store;
  runtime: Runtime;
  clock: Clock;
  log: Log;
  activeRevisions: () => Iterable<string>;
}): Usage {
  const { store, runtime, clock, log, activeRevisions } = options;
  let rows = new Map<string, Row>();
  let measuredAt = clock.now();
  let flushedAt = clock.now();
  const loop = createLoop({
    clock,
    everyMs: SAMPLE_MS,
    step,
    onError: (error) => log.error({ error: messageOf(error) }, 'usage was not written'),
  });

  function rowOf(revision: string): Row {
    const minute = Math.floor(clock.now() / MINUTE_MS);
    const key = `${revision}/${minute}`;
    const known = rows.get(key);
    if (known) return known;
    const counts = { arrivals: 0, coldArrivals: 0, busySeconds: 0, coldSeconds: 0 };
    const row = { ...partsOfRevisionKey(revision), minute, ...counts, memoryByteSeconds: 0 };
    rows.set(key, row);
    limitRows();
    return row;
  }

  /** The oldest stand in front. Many go at once, so that this is neither slow nor a flood in the log. */
  function limitRows(): void {
    if (rows.size <= ROWS_LIMIT) return;
    const kept = Array.from(rows).slice(-ROWS_KEPT);
    log.error(
      { lost: rows.size - kept.length },
      'too much usage waits for the store: the oldest is dropped',
    );
    rows = new Map(kept);
  }

  function measureMemory(): void {
    const now = clock.now();
    const seconds = Math.max(0, now - measuredAt) / 1000;
    measuredAt = now;
    for (const revision of activeRevisions()) {
      const instances = runtime.instances(revision);
      const bytes = instances.reduce((sum, instance) => sum + instance.memoryBytes, 0);
      if (bytes > 0) rowOf(revision).memoryByteSeconds += bytes * seconds;
    }
  }

  async function step(): Promise<void> {
    measureMemory();
    if (clock.now() - flushedAt >= FLUSH_MS) await flush();
  }

  async function flush(): Promise<void> {
    flushedAt = clock.now();
    if (rows.size === 0) return;
    const written = rows;
    rows = new Map();
    try {
      await store.addUsage([...written.values()]);
    } catch (error) {
      putBack(written);
      throw error;
    }
  }

  /** What was not written stays in front of what came meanwhile: it is older. */
  function putBack(lost: Map<string, Row>): void {
    const newer = rows;
    rows = lost;
    for (const [key, row] of newer) {
      const known = rows.get(key);
      if (known) add(known, row);
      else rows.set(key, row);
    }
    limitRows();
  }

  return {
    report(loads) {
      for (const load of loads) {
        const { arrivals, coldArrivals, busySeconds, coldSeconds } = load;
        if (arrivals === 0 && busySeconds === 0 && coldSeconds === 0) continue;
        const added = { arrivals, coldArrivals, busySeconds, coldSeconds, memoryByteSeconds: 0 };
        add(rowOf(load.revision), added);
      }
    },
    async close() {
      await loop.close();
      measureMemory();
      await flush().catch((error: unknown) =>
        log.error({ error: messageOf(error) }, 'usage was not written at the end'),
      );
    },
  };
}

function add(row: Row, more: Omit<Row, 'namespace' | 'model' | 'revision' | 'minute'>): void {
  row.arrivals += more.arrivals;
  row.coldArrivals += more.coldArrivals;
  row.busySeconds += more.busySeconds;
  row.coldSeconds += more.coldSeconds;
  row.memoryByteSeconds += more.memoryByteSeconds;
}
