import { join } from 'node:path';
import { backoffMs } from '#lib/backoff.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import type { PoolView, RuntimeEvent } from '../../runtime.ts';
import type { Program } from '../process/group.ts';
import type { ProcessHost } from '../process/process-host.ts';
import type { PoolRuntime } from '../prepare/prepare.ts';
import { createQuiet } from './quiet.ts';
import type { Miss } from './fit.ts';
import { startStandbyProcess, type StandbyProcess } from './standby-process.ts';

/**
 * So many processes of each kind that is kept, started ahead and refilled.
 *
 * 1. One is made at a time, when no instance starts, or has for long.
 * 2. What is taken is in no stock from then on, and never comes back.
 */
export interface Stock {
  /** These kinds from now on, and no others. */
  keep(runtimes: readonly PoolRuntime[]): void;
  keeps(runtime: PoolRuntime): boolean;
  /** One that is idle and for which nothing speaks against its program; or why there is none. */
  take(
    runtime: PoolRuntime,
    refusal: (program: Program) => Miss | undefined,
  ): StandbyProcess | Miss;
  /** One of this kind has taken its work: what failed before is forgotten. */
  proved(runtime: PoolRuntime): void;
  views(): readonly StockView[];
  onEvent(event: RuntimeEvent): void;
  close(): void;
}

export type StockView = Omit<PoolView, 'hits' | 'misses'> & { readonly runtime: PoolRuntime };

/** Waits after a process that ended by itself, doubled each time in a row. */
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;

interface Shelf {
  readonly runtime: PoolRuntime;
  readonly members: Set<StandbyProcess>;
  program: Program | undefined;
  failures: number;
  retryAt: number;
}

export function createStock(options: {
  /** Processes for each kind. */
  size: number;
  runFolder: string;
  host: ProcessHost;
  clock: Clock;
  log: Log;
  newId: () => string;
  generic: (runtime: PoolRuntime) => Promise<Program>;
}): Stock {
  const { size, runFolder, host, clock, log, newId, generic } = options;
  const shelves = new Map<PoolRuntime, Shelf>();
  const kept = new Set<PoolRuntime>();
  const quiet = createQuiet(clock);
  let timer: Timer | undefined;
  let isLooking = false;
  let closed = false;

  function shelfOf(runtime: PoolRuntime): Shelf {
    const found = shelves.get(runtime);
    if (found) return found;
    const members = new Set<StandbyProcess>();
    const shelf: Shelf = { runtime, members, program: undefined, failures: 0, retryAt: 0 };
    shelves.set(runtime, shelf);
    return shelf;
  }

  function lacking(): Shelf[] {
    return Array.from(kept, shelfOf).filter(({ members }) => members.size < size);
  }

  function isWarming(): boolean {
    for (const { members } of shelves.values()) {
      for (const { state } of members) if (state === 'starting') return true;
    }
    return isLooking;
  }

  /** Makes one more process, or waits until it may. */
  function refill(): void {
    timer?.cancel();
    const shelf = lacking().toSorted((a, b) => a.retryAt - b.retryAt)[0];
    if (closed || !shelf || isWarming()) return;
    const wait = Math.max(quiet.since(), shelf.retryAt) - clock.now();
    if (wait > 0) timer = clock.after(wait, refill);
    else void look(shelf);
  }

  async function look(shelf: Shelf): Promise<void> {
    isLooking = true;
    try {
      shelf.program = await generic(shelf.runtime);
    } catch (error) {
      failed(shelf, messageOf(error));
    } finally {
      isLooking = false;
    }
    const isWanted = !closed && kept.has(shelf.runtime) && shelf.retryAt <= clock.now();
    if (isWanted && shelf.program) make(shelf, shelf.program);
    else refill();
  }

  function make(shelf: Shelf, program: Program): void {
    const { runtime, members } = shelf;
    const id = newId();
    const made = startStandbyProcess({
      id,
      runtime,
      program,
      socket: join(runFolder, id),
      host,
      clock,
      onLine: (stream, text) => log.debug({ runtime, stream, text }, 'a process that stands by'),
      onIdle: refill,
      onLost(how) {
        members.delete(made);
        failed(shelf, how);
        refill();
      },
    });
    members.add(made);
  }

  function failed(shelf: Shelf, how: string): void {
    shelf.failures++;
    shelf.retryAt = clock.now() + backoffMs(shelf.failures, FIRST_RETRY_MS, LONGEST_RETRY_MS);
    log.warn(
      { runtime: shelf.runtime, how },
      'a process that stood by has ended, or could not start',
    );
  }

  function empty({ members }: Shelf): void {
    for (const member of members) member.end();
    members.clear();
  }

  return {
    keep(runtimes) {
      kept.clear();
      for (const runtime of runtimes) kept.add(runtime);
      for (const runtime of kept) shelfOf(runtime);
      for (const shelf of shelves.values()) if (!kept.has(shelf.runtime)) empty(shelf);
      refill();
    },
    keeps: (runtime) => kept.has(runtime) && !closed,
    take(runtime, refusal) {
      const { members } = shelfOf(runtime);
      const found = Array.from(members).find(({ state }) => state === 'idle');
      if (!found) return 'empty';
      const reason = refusal(found.program);
      if (reason) return reason;
      members.delete(found);
      return found;
    },
    proved(runtime) {
      shelfOf(runtime).failures = 0;
    },
    views: () => Array.from(shelves.values(), viewOf),
    onEvent(event) {
      if (quiet.onEvent(event)) refill();
    },
    close() {
      closed = true;
      timer?.cancel();
      for (const shelf of shelves.values()) empty(shelf);
    },
  };
}

function viewOf({ runtime, members }: Shelf): StockView {
  const all = Array.from(members);
  return {
    runtime,
    starting: all.filter(({ state }) => state === 'starting').length,
    idle: all.filter(({ state }) => state === 'idle').length,
    memoryBytes: all.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
  };
}
