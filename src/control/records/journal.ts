import type { EventRecord } from '#domain/records.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import { callEach } from '#lib/listeners.ts';
import type { Log } from '#lib/log.ts';
import type { EventQuery, Store, Write } from '#store/store.ts';
import type { Catalog } from './catalog.ts';

export type NewEvent = Omit<EventRecord, 'id'>;

/**
 * The one way to change what is stored: write, then take over, then tell.
 *
 * Invariants: the catalog never shows what the store has not acknowledged; listeners hear of a change after
 * the catalog shows it, and none of them can make a commit fail that is durable; watchers see each event of the
 * log that fits, in order, once.
 */
export interface Journal {
  /** Resolves with the new version of each write, in order. */
  commit(writes: readonly Write[], events: readonly NewEvent[]): Promise<readonly number[]>;
  /** An event that nothing depends on: written soon, and a failure to write it is only logged. */
  note(event: NewEvent): void;
  /** Called with the key of each model that a commit has touched. */
  onChange(listener: (model: string) => void): void;
  /** Called with the key of each revision that a commit has deleted, after `onChange`. */
  onDeleted(listener: (revision: string) => void): void;
  watch(
    query: Omit<EventQuery, 'limit' | 'newest'>,
    listener: (event: EventRecord) => void,
    signal: AbortSignal,
  ): void;
  /** Resolves when all noted events are written. */
  flush(): Promise<void>;
}

/**
 * Most events tell of a start, and writing waits for the disk, with all of control: not in the midst of it.
 */
const NOTE_MS = 100;
/** Events that wait for the disk; beyond it the newest are dropped, and the log says so. */
const PENDING_LIMIT = 10_000;
/** Each watcher reads the log for itself. */
const WATCHER_LIMIT = 256;
/** Events that a watcher reads at once. */
const WATCH_PAGE = 200;

export function createJournal(options: {
  store: Store;
  catalog: Catalog;
  clock: Clock;
  log: Log;
}): Journal {
  const { store, catalog, clock, log } = options;
  const changeListeners: ((model: string) => void)[] = [];
  const deletionListeners: ((revision: string) => void)[] = [];
  const watchers = new Set<() => void>();
  let pending: NewEvent[] = [];
  let writing: Promise<void> | undefined;
  let timer: Timer | undefined;

  function writeNow(): void {
    timer?.cancel();
    timer = undefined;
    if (pending.length > 0) writing ??= writePending();
  }

  async function writePending(): Promise<void> {
    while (pending.length > 0) {
      const events = pending;
      pending = [];
      try {
        await store.write([], { events });
      } catch (error) {
        log.error({ error: messageOf(error), lost: events.length }, 'events were not written');
      }
      announce();
    }
    writing = undefined;
  }

  function announce(): void {
    for (const wake of watchers) wake();
  }

  return {
    async commit(writes, events) {
      // What was noted before comes before it in the log.
      writeNow();
      const versions = await store.write(writes, { events });
      const touched = catalog.accept(writes, versions);
      for (const key of touched) callEach(changeListeners, key, log);
      for (const { kind, key, value } of writes) {
        if (kind !== 'revision' || value !== undefined) continue;
        callEach(deletionListeners, key, log);
      }
      announce();
      return versions;
    },
    note(event) {
      if (pending.length >= PENDING_LIMIT) {
        log.error({ type: event.type }, 'too many events wait for the disk: one was dropped');
        return;
      }
      pending.push(event);
      timer ??= clock.after(NOTE_MS, writeNow);
    },
    onChange(listener) {
      changeListeners.push(listener);
    },
    onDeleted(listener) {
      deletionListeners.push(listener);
    },
    watch(query, listener, signal) {
      if (watchers.size >= WATCHER_LIMIT) {
        throw new Fault('unavailable', `${WATCHER_LIMIT} watchers already follow the events`);
      }
      const watcher = createWatcher(store, query, listener, (error) =>
        log.error({ error: messageOf(error) }, 'events could not be read for a watcher'),
      );
      const stop = (): void => {
        watcher.stop();
        watchers.delete(watcher.wake);
      };
      if (signal.aborted) return;
      watchers.add(watcher.wake);
      signal.addEventListener('abort', stop, { once: true });
      watcher.wake();
    },
    async flush() {
      writeNow();
      while (writing) await writing;
    },
  };
}

/** Follows the log from a cursor of its own, so that nothing is missed between reading and watching. */
function createWatcher(
  store: Store,
  query: Omit<EventQuery, 'limit' | 'newest'>,
  listener: (event: EventRecord) => void,
  onError: (error: unknown) => void,
): { wake: () => void; stop: () => void } {
  let cursor = query.after;
  let running = false;
  let asked = false;
  let stopped = false;

  async function follow(): Promise<void> {
    cursor ??= (await store.events({ newest: true, limit: 1 }))[0]?.id ?? 0;
    while (asked && !stopped) {
      asked = false;
      const events = await store.events({ ...query, after: cursor, limit: WATCH_PAGE });
      for (const event of events) {
        if (stopped) return;
        cursor = event.id;
        listener(event);
      }
      asked ||= events.length === WATCH_PAGE;
    }
  }

  function wake(): void {
    asked = true;
    if (running || stopped) return;
    running = true;
    void follow()
      .catch(onError)
      .finally(() => {
        running = false;
        // Asked for after the last look and before this line.
        if (asked) wake();
      });
  }

  return {
    wake,
    stop() {
      stopped = true;
    },
  };
}
