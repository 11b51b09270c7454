import type { Clock } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import { createLoop } from '#lib/loop.ts';
import type { Store, Stored, Write } from '#store/store.ts';
import type { Bins } from '#policies/keepalive/bins.ts';
import type { History } from '#policies/keepalive/history.ts';
import type { IdleBudget } from '#policies/keepalive/idle-budget.ts';
import type { OnlineFleet } from '#policies/keepalive/online.ts';
import { isPast } from '#policies/keepalive/price.ts';
import {
  PACKED_VERSION,
  packFleet,
  packHistory,
  unpackFleet,
  unpackHistory,
} from '#policies/keepalive/packed.ts';
import { rowsOf } from '../records/pages.ts';

/**
 * What keep-alive has learned, in the store: one record for all models together, one for each revision.
 *
 * 1. Written rarely, and only what has changed; the record for all comes last, so that what it holds is in no record
 *    that is older than it.
 * 2. What cannot be read is set aside under another key, with a warning, and learned anew.
 */

/** Key of the record for all in the store's `memory`, and what those of revisions begin with. */
const FLEET = 'keep-alive/fleet';
const REVISIONS = 'keep-alive/revision/';
const ASIDE = 'aside/';
/** Less than this is learned again from the traffic that is stored each minute. */
const SAVE_MS = 10 * 60_000;
/** Records of one write: bounds for how long control is away. */
const CHUNK = 100;

export interface Learned {
  readonly all: OnlineFleet;
  readonly idle: IdleBudget;
  /** When it was written, ms since the epoch; undefined: it begins now. */
  readonly savedAt: number | undefined;
  readonly models: ReadonlyMap<string, History>;
}

export async function loadLearned(options: {
  store: Store;
  bins: Bins;
  log: Log;
  clock: Clock;
  make: () => Pick<Learned, 'all' | 'idle'>;
  exists: (revision: string) => boolean;
}): Promise<Learned> {
  const { store, bins, log, clock, make, exists } = options;
  const unfit: Write[] = [];
  const models = new Map<string, History>();
  const fleet = await store.get('memory', FLEET);
  const all = fleet && isOurs(fleet) ? unpackFleet(fleet.value, bins) : undefined;
  if (fleet && !all) unfit.push(...makeAside(fleet));
  for await (const row of rowsOf(store, 'memory', REVISIONS)) {
    const revision = row.key.slice(REVISIONS.length);
    const history = isOurs(row) ? unpackHistory(row.value, bins) : undefined;
    if (!exists(revision)) unfit.push({ kind: 'memory', key: row.key, value: undefined });
    else if (history) models.set(revision, history);
    else unfit.push(...makeAside(row));
  }
  await setAside(store, unfit, log);
  if (!all) return { ...make(), savedAt: undefined, models };
  const now = clock.now();
  const savedAt = Math.min(Number(fleet?.value['savedAt']), now);
  return { ...endAt(all, now, make), savedAt, models };
}

/** Nothing was learned in times to come: a clock was set back since, and prices would be those of its hours. */
function endAt(
  { all: { fleet, prices }, idle }: Pick<Learned, 'all' | 'idle'>,
  now: number,
  make: () => Pick<Learned, 'all'>,
): Pick<Learned, 'all' | 'idle'> {
  const [since, countedAt] = [Math.min(fleet.since, now), Math.min(fleet.countedAt, now)];
  return {
    all: {
      fleet: { ...fleet, since, countedAt },
      prices: isPast(prices, now) ? prices : make().all.prices,
    },
    idle: { ...idle, countedAt: Math.min(idle.countedAt, now) },
  };
}

function isOurs({ value }: Stored<'memory'>): boolean {
  return value['version'] === PACKED_VERSION && Number.isFinite(value['savedAt']);
}

function makeAside({ key, value }: Stored<'memory'>): Write[] {
  return [
    { kind: 'memory', key: ASIDE + key, value },
    { kind: 'memory', key, value: undefined },
  ];
}

async function setAside(store: Store, writes: readonly Write[], log: Log): Promise<void> {
  const aside = writes.filter(({ value }) => value !== undefined);
  if (aside.length > 0) {
    const [first] = aside;
    log.warn(
      { records: aside.length, first: first?.key, version: PACKED_VERSION },
      'what keep-alive had learned is damaged or of another version: set aside, and learned anew',
    );
  }
  try {
    for (const part of chunksOf(writes)) await store.write(part);
  } catch (error) {
    log.warn({ error: messageOf(error) }, 'what keep-alive cannot read stays where it is');
  }
}

/** Saves now and then what has changed, and at the end. */
export function createSaver(options: {
  store: Store;
  clock: Clock;
  log: Log;
  learned: Pick<Learned, 'all' | 'idle'>;
  /** What has changed since it was asked last; undefined: it is gone. */
  takeChanged: () => ReadonlyMap<string, History | undefined>;
  /** What was taken could not be written. */
  putBack: (changed: ReadonlyMap<string, History | undefined>) => void;
}): { close(): Promise<void> } {
  const { store, clock, log, learned, takeChanged, putBack } = options;
  const failed = (error: unknown): void =>
    log.error({ error: messageOf(error) }, 'what keep-alive has learned was not saved');
  const loop = createLoop({ clock, everyMs: SAVE_MS, step: save, onError: failed });

  function pack(value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    return { version: PACKED_VERSION, savedAt: clock.now(), ...value };
  }

  async function save(): Promise<void> {
    const changed = takeChanged();
    if (changed.size === 0) return;
    try {
      for (const part of chunksOf([...changed])) await store.write(part.map(makeWrite));
      const value = pack(packFleet(learned.all, learned.idle));
      await store.write([{ kind: 'memory', key: FLEET, value }]);
    } catch (error) {
      putBack(changed);
      throw error;
    }
  }

  function makeWrite([revision, history]: [string, History | undefined]): Write {
    const key = REVISIONS + revision;
    return { kind: 'memory', key, value: history && pack(packHistory(history)) };
  }

  return {
    async close() {
      await loop.close();
      await save().catch(failed);
    },
  };
}

function* chunksOf<T>(list: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < list.length; at += CHUNK) yield list.slice(at, at + CHUNK);
}
