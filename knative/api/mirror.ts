import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import { pause } from '#lib/pause.ts';
import { makeAwayFault } from './kube-fault.ts';
import type { Kube } from './kube.ts';
import { keyOf, type KubeObject } from './objects.ts';
import type { Resource } from './resources.ts';
import type { WatchEvent } from './watch-events.ts';

/**
 * What there is of one kind in the cluster, kept up to date by a list and a watch that goes on from it.
 *
 * 1. A listener hears of every object that there is, of every change that the watch tells, and of every end, once;
 *    what came and went while the watch was away may be missed, what is left of it not.
 * 2. A watch whose connection broke goes on after its last event. When the cluster does not know that any more (410),
 *    refuses it, or says what cannot be read, everything is listed again: from there the same would come again. Then
 *    what is not in the list has ended.
 * 3. Waits after failures grow, with jitter, and are forgotten after an event. Nothing is asked for in between.
 */
export interface Mirror<T extends KubeObject> {
  get(namespace: string, name: string): T | undefined;
  all(): Iterable<T>;
  /** Whether a first list has been taken over. */
  readonly isSynced: boolean;
}

export type MirrorChange<T> =
  | { readonly type: 'set'; readonly object: T }
  | { readonly type: 'gone'; readonly object: T }
  /** All that was listed has been told. */
  | { readonly type: 'synced' };

/** Between these the server ends a watch, as other clients of it have it: so that not all come back at once. */
const WATCH_SECONDS = { least: 300, more: 300 };
const FIRST_WAIT_MS = 250;
/** Callers may be held for what it would tell. */
const LONGEST_WAIT_MS = 10_000;
/** No watch that does any good is so short. */
const SHORT_MS = 1000;

export interface MirrorOptions<T extends KubeObject> {
  kube: Pick<Kube, 'list' | 'watch'>;
  resource: Resource<T>;
  selector: string;
  clock: Clock;
  /** A number from 0 to 1. */
  roll: () => number;
  onChange: (change: MirrorChange<T>) => void;
  /** What keeps the watch away; undefined: it is back. */
  onTrouble: (fault: Fault | undefined) => void;
}

/** Goes on until it is aborted. */
export function runMirror<T extends KubeObject>(
  options: MirrorOptions<T>,
  signal: AbortSignal,
): Mirror<T> & { readonly done: Promise<void> } {
  const { kube, resource, selector, clock, roll, onChange, onTrouble } = options;
  const objects = new Map<string, T>();
  /** From where the watch goes on; undefined: a list comes first. */
  let version: string | undefined;
  let isSynced = false;
  let failures = 0;
  let isTroubled = false;

  function set(object: T): void {
    objects.set(keyOf(object), object);
    onChange({ type: 'set', object });
  }

  function drop(object: T): void {
    if (objects.delete(keyOf(object))) onChange({ type: 'gone', object });
  }

  async function listAll(): Promise<string> {
    const { items, resourceVersion } = await kube.list(resource, selector);
    const listed = new Set(items.map(keyOf));
    for (const [key, object] of objects) if (!listed.has(key)) drop(object);
    for (const object of items) {
      const known = objects.get(keyOf(object))?.metadata.resourceVersion;
      if (known === undefined || known !== object.metadata.resourceVersion) set(object);
    }
    isSynced = true;
    onChange({ type: 'synced' });
    return resourceVersion;
  }

  /** False: the version is not known any more. */
  function take(event: WatchEvent<T>): boolean {
    if (event.type === 'ERROR') {
      if (event.object.code === 410) return false;
      throw new Fault('bad_upstream', `the cluster ends the watch: ${event.object.message}`);
    }
    version = event.object.metadata.resourceVersion ?? version;
    if (event.type === 'DELETED') drop(event.object);
    else if (event.type !== 'BOOKMARK') set(event.object);
    return true;
  }

  /** Returns when the watch has ended in good order. */
  async function followOnce(): Promise<'ended' | 'gone'> {
    version ??= await listAll();
    const seconds = Math.round(WATCH_SECONDS.least + roll() * WATCH_SECONDS.more);
    const from = { selector, resourceVersion: version, seconds, signal };
    const events = await kube.watch(resource, from);
    if (events === 'gone') return 'gone';
    trouble(undefined);
    for await (const event of events) {
      if (!take(event)) return 'gone';
      failures = 0;
    }
    return 'ended';
  }

  function trouble(fault: Fault | undefined): void {
    if (fault === undefined && !isTroubled) return;
    isTroubled = fault !== undefined;
    onTrouble(fault);
  }

  async function follow(): Promise<void> {
    while (!signal.aborted) {
      const begunAt = clock.now();
      try {
        const end = await followOnce();
        if (end === 'gone') version = undefined;
        // What ends at once, whatever the reason, must not be asked for in a tight loop.
        if (end === 'gone' || clock.now() - begunAt < SHORT_MS) failures++;
        else failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        failures++;
        if (error instanceof Fault && error.code !== 'unavailable') version = undefined;
        trouble(error instanceof Fault ? error : makeAwayFault(error));
      }
      if (failures > 0) await pause(clock, waitOf(failures, roll()), signal);
    }
  }

  return {
    get: (namespace, name) => objects.get(`${namespace}/${name}`),
    all: () => objects.values(),
    get isSynced() {
      return isSynced;
    },
    done: follow(),
  };
}

/** Doubled with each failure in a row; from half of that to all of it, by chance. */
export function waitOf(failures: number, roll: number): number {
  const most = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - 1));
  return most / 2 + (most / 2) * roll;
}
