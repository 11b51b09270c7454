import { type RetentionDefaults, type RetentionRules, rulesOf } from '#domain/retention.ts';
import { modelOf } from '#domain/names.ts';
import type { Actor } from '#domain/records.ts';
import { formatPeriod } from '#domain/units.ts';
import { formatSize } from '#domain/format-size.ts';
import type { Clock } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import { createLoop } from '#lib/loop.ts';
import { decideRetention, type Fates } from '#policies/retention/retention.ts';
import { type Gaps, whenSeen } from '#policies/retention/watch.ts';
import type { RuntimeEvent } from '#runtime/runtime.ts';
import type { Artifacts } from '#store/artifacts.ts';
import type { Store } from '#store/store.ts';
import type { Catalog, ModelEntry } from '../records/catalog.ts';
import { specOf } from '../records/facts.ts';
import { createCalendar } from '../calendar.ts';
import type { Journal } from '../records/journal.ts';
import { MAX_TOMBSTONES } from '../limits.ts';
import type { ControlMetrics } from '../metrics.ts';
import { isSuperseded } from '../revision-update.ts';
import { type ArtifactSweep, createArtifactSweep, type FreeArtifact } from './artifact-sweep.ts';
import { createDeletions, type Deletions } from './deletions.ts';
import { type Deleted, type DeletedBook, loadDeleted } from './deleted.ts';
import { loadLastUse } from './last-use.ts';
import { isReachable, seeModel, type SeenOptions } from './seen.ts';
import { loadWatch } from './watch.ts';
import type { Turns } from '../records/turns.ts';

/**
 * Clears away what nobody has asked for: models, revisions, what could be restored, and content.
 *
 * 1. What goes is judged anew, alone, right before it goes: see `policies/retention`.
 * 2. All state is in the store; whoever begins again goes on with it, and counts nothing that nobody saw.
 * 3. A model is looked at when it has changed, when it may be due, and now and then: others cost nothing.
 */
export interface Retention {
  /** A request to it waits, runs or has ended. */
  used(revision: string): void;
  onRuntime(event: RuntimeEvent): void;
  /** A model has changed, appeared or gone. */
  refresh(model: string): void;
  readonly deletions: Deletions;
  readonly deleted: DeletedBook;
  rulesFor(entry: ModelEntry): RetentionRules;
  /** What would become of a model now. */
  fatesOf(entry: ModelEntry): Fates;
  /** What the API shows of it. */
  retainedOf(entry: ModelEntry): Retained;
  /** Until when it can be restored, if nothing stops the clock. */
  goesAt(deleted: Deleted): number;
  readonly artifacts: ArtifactSweep;
  /** Time that nobody saw. */
  readonly gaps: Gaps;
  /** Clears away now what may go, in these models; what has gone, in words. */
  collect(models: readonly string[]): Promise<Collected[]>;
  /** The same for what could be restored, and content. */
  collectRest(): Promise<Collected[]>;
  close(): Promise<void>;
}

export interface Retained {
  readonly lastRequestAt?: number;
  readonly goesAt?: number;
  readonly why: string;
}

/** What has gone. */
export interface Collected {
  readonly kind: 'model' | 'revision' | 'job' | 'deleted' | 'artifact';
  /** `namespace/model`, with `/revision`; `namespace/job`; a digest. */
  readonly key: string;
  readonly why: string;
}

/** Told of a model that goes, to who keeps it. */
export const MODEL_UNUSED = 'ModelUnused';

const ACTOR: Actor = { id: 'system:retention', role: 'admin' };
const TICK_MS = 1000;
/** Models looked at in one tick: bounds how long it takes when very many are due at once. */
const MOST_AT_ONCE = 200;
/** How long what is known of uses is in memory alone. */
const SAVE_MS = 30_000;
/** Data planes that lived on tell within seconds who was used while control was away. */
const SETTLE_MS = 60_000;
/** What keeps a model may end without a word. */
const LOOK_AGAIN_MS = 60 * 60_000;
/** How often all that can be restored is walked over. */
const FORGET_MS = 10_000;
/** How often all content is listed. */
const SWEEP_MS = 10 * 60_000;

export async function createRetention(
  options: Omit<SeenOptions, 'lastUse'> & {
    store: Store;
    catalog: Catalog;
    journal: Journal;
    artifacts: Artifacts;
    clock: Clock;
    log: Log;
    metrics: Pick<ControlMetrics, 'counted'>;
    defaults: RetentionDefaults;
    alone: Turns;
    /** Digests of content that other parts need, beside that of revisions. */
    contentInUse: () => readonly string[];
  },
): Promise<Retention> {
  const { store, catalog, journal, clock, log, metrics, defaults, alone, runtime } = options;
  const lastUse = await loadLastUse({ store, catalog, clock });
  const watch = await loadWatch({ store, clock });
  const deleted = await loadDeleted(store);
  const deletions = createDeletions({ store, catalog, journal, clock, deleted, lastUse });
  const unusedFor = defaults.artifacts.unusedFor;
  const artifacts = createArtifactSweep({ ...options, deleted, watch, unusedFor });
  const calendar = createCalendar<string>(clock.now());
  const startedAt = clock.now();
  let savedAt = clock.now();
  let forgotAt = clock.now();
  const onError = (error: unknown): void =>
    log.error({ error: messageOf(error) }, 'retention is put off');
  const loop = createLoop({ clock, everyMs: TICK_MS, step, onError });
  // Much content takes its time, for which models do not wait.
  const sweeping = createLoop({
    clock,
    everyMs: Math.max(TICK_MS, Math.min(SWEEP_MS, unusedFor)),
    step: async () => void (await sweep()),
    onError,
  });

  function rulesFor(entry: ModelEntry): RetentionRules {
    return rulesOf(specOf(entry).retention, defaults);
  }

  function fatesOf(entry: ModelEntry): Fates {
    const seen = seeModel(entry, watch.gaps, { ...options, lastUse });
    return decideRetention(rulesFor(entry), seen, clock.now());
  }

  /** The next time that something of it may be due. */
  function plan(model: string, { model: own, revisions }: Fates): void {
    const again = clock.now() + LOOK_AGAIN_MS;
    const times = [own, ...revisions.map(({ fate }) => fate)].map(({ goesAt }) => goesAt ?? again);
    calendar.set(model, Math.min(again, ...times));
  }

  async function review(model: string): Promise<Collected[]> {
    const entry = catalog.model(model);
    if (!entry) return [];
    const { undo, modelUnusedFor, revisionUnusedFor } = rulesFor(entry);
    const settledAt = startedAt + Math.min(SETTLE_MS, modelUnusedFor, revisionUnusedFor);
    if (clock.now() < settledAt) {
      calendar.set(model, settledAt);
      return [];
    }
    const fates = fatesOf(entry);
    plan(model, fates);
    const by = (why: string): { actor: Actor; why: string; undo: number } => ({
      actor: ACTOR,
      why,
      undo,
    });
    if (!fates.model.keep && entry.stored.value.owner !== undefined) {
      tellKeeper(entry, fates.model.why);
      return [];
    }
    if (!fates.model.keep) {
      await deletions.model(entry, by(fates.model.why));
      return [count({ kind: 'model', key: model, why: fates.model.why })];
    }
    const gone: Collected[] = [];
    for (const { name, fate } of fates.revisions) {
      const stored = entry.revisions.get(name);
      if (fate.keep || !stored) continue;
      await deletions.revision(entry, stored, by(fate.why));
      gone.push(count({ kind: 'revision', key: stored.key, why: fate.why }));
    }
    return gone;
  }

  /** It is deleted with its object, or it would be made again. When nobody does so, that is told again in a while. */
  function tellKeeper({ namespace, name: model }: ModelEntry, reason: string): void {
    const why = `${reason}; its Model object asks to be deleted then`;
    journal.note({ at: clock.now(), namespace, model, type: MODEL_UNUSED, why, actor: ACTOR });
  }

  function count(one: Collected): Collected {
    metrics.counted('retention', one.kind);
    return one;
  }

  async function reviewSafely(model: string): Promise<Collected[]> {
    try {
      return await alone(() => review(model));
    } catch (error) {
      // Somebody has just changed it: that asks for another look.
      if (!isSuperseded(error))
        log.error({ model, error: messageOf(error) }, 'nothing is cleared away yet');
      return [];
    }
  }

  function goesAt({ deletedAt, undo }: Deleted): number {
    return whenSeen(deletedAt, undo, clock.now(), watch.gaps);
  }

  async function forgetOld(): Promise<Collected[]> {
    forgotAt = clock.now();
    const gone: Collected[] = [];
    let surplus = deleted.size - MAX_TOMBSTONES;
    for (const each of deleted.all()) {
      const isOver = goesAt(each) <= clock.now();
      if (!isOver && surplus-- <= 0) continue;
      const why = isOver
        ? `deleted more than ${formatPeriod(each.undo)} ago`
        : `more than ${MAX_TOMBSTONES} deletions could be undone`;
      await alone(() => deletions.forget(each, { actor: ACTOR, why, undo: 0 }));
      gone.push(count({ kind: 'deleted', key: each.model, why }));
    }
    return gone;
  }

  async function sweep(): Promise<Collected[]> {
    const removed = await artifacts.sweep();
    if (removed.length > 0) {
      const event = { at: clock.now(), namespace: '', model: '', actor: ACTOR };
      journal.note({ ...event, type: 'ArtifactsRemoved', why: describeArtifacts(removed) });
    }
    return removed.map(({ digest, fate }) =>
      count({ kind: 'artifact', key: `sha256:${digest}`, why: fate.why }),
    );
  }

  async function save(): Promise<void> {
    savedAt = clock.now();
    await lastUse.save();
  }

  async function step(): Promise<void> {
    for (const model of calendar.take(clock.now(), MOST_AT_ONCE)) await reviewSafely(model);
    if (clock.now() - savedAt >= SAVE_MS) await save();
    if (clock.now() - forgotAt >= FORGET_MS) await forgetOld();
  }

  return {
    used: (revision) => lastUse.used(revision),
    onRuntime({ type, instance }) {
      const stored = catalog.revision(instance.revision);
      if (!stored || !isReachable(stored.value, runtime)) return;
      lastUse.used(stored.key);
      // The last that has gone kept its model until now.
      if (type !== 'instance') calendar.set(modelOf(stored.key), clock.now());
    },
    refresh(model) {
      lastUse.refresh(model);
      if (catalog.model(model)) calendar.set(model, clock.now());
      else calendar.delete(model);
    },
    deletions,
    deleted,
    rulesFor,
    fatesOf,
    retainedOf(entry) {
      const { why, goesAt: at } = fatesOf(entry).model;
      const lastRequestAt = lastUse.ofModel(entry.key);
      return {
        ...(lastRequestAt !== undefined && { lastRequestAt }),
        ...(at !== undefined && { goesAt: at }),
        why,
      };
    },
    goesAt,
    artifacts,
    gaps: watch.gaps,
    async collect(models) {
      const gone: Collected[] = [];
      for (const model of models) gone.push(...(await reviewSafely(model)));
      return gone;
    },
    collectRest: async () => [...(await forgetOld()), ...(await sweep())],
    async close() {
      await Promise.all([loop.close(), sweeping.close()]);
      try {
        await save();
        await watch.close();
      } catch (error) {
        log.error({ error: messageOf(error) }, 'when models were used last was not stored');
      }
    },
  };
}

/** Names of one event; the rest is a number. */
const MOST_NAMED = 10;

function describeArtifacts(removed: readonly FreeArtifact[]): string {
  const size = formatSize(removed.reduce((sum, each) => sum + each.size, 0));
  const named = removed.slice(0, MOST_NAMED).map(({ digest, name }) => `${name} sha256:${digest}`);
  const more = removed.length > MOST_NAMED ? `, and ${removed.length - MOST_NAMED} more` : '';
  return `nothing refers to ${named.join(', ')}${more}: ${size} are free`;
}
