import { isDeepStrictEqual } from 'node:util';
import { namespaceFlag, partsOfModelKey, revisionKey } from '#domain/names.ts';
import type { Actor, RevisionRecord } from '#domain/records.ts';
import {
  readRollout,
  type RolloutAction,
  type RolloutRecord,
  type RolloutSpec,
} from '#domain/rollout.ts';
import { ROUSE } from '#lib/command.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import { createLoop } from '#lib/loop.ts';
import { decideRollout } from '#policies/rollout/decide.ts';
import type { Store } from '#store/store.ts';
import type { Catalog, ModelEntry } from '../records/catalog.ts';
import { specOf } from '../records/facts.ts';
import type { Journal, NewEvent } from '../records/journal.ts';
import type { ControlMetrics } from '../metrics.ts';
import { loadPartState } from '../records/part-state.ts';
import { servingOf } from '../records/resolve.ts';
import { actOn, begin, carryOut, end, findPlace, ROLLOUT, type RolloutChange } from './changes.ts';
import type { OutcomeBook } from './outcomes.ts';
import { gatherSeen } from './seen.ts';
import { createSources, type SourceOptions } from './sources.ts';
import { findNew, isOpen, latestOf, makeSplit } from './split.ts';
import type { Turns } from '../records/turns.ts';

/**
 * Brings new revisions in, step by step, and back out. Looks at each rollout once in its interval, asks the policy,
 * and carries out what it says.
 *
 * 1. A model has one rollout at most that is open: Running or Paused. Its record and its split are written together,
 *    in one turn with all other changes of models, so that what was decided on still holds.
 * 2. What the policy has learned is stored with each look: after a restart it goes on from there. What came since the
 *    last look is lost, no more.
 * 3. A split that people write ends it, and so does the end of the key `rollout`; a newer revision takes its place.
 */
export interface Rollouts {
  /** Looks whether something has to begin or end. */
  refresh(model: string): void;
  get(model: string): RolloutRecord | undefined;
  /**
   * Brings a revision in, in place of what serves; back at once what a rollout that runs would replace. The caller has the
   * turn of `alone`. Fault `conflict` where the model has no key `rollout`, or the revision is not ready.
   */
  start(model: string, request: StartRequest): Promise<void>;
  /** Fault `conflict` when it cannot be done now, `not_found` when there is no rollout. */
  act(model: string, action: RolloutAction, actor: Actor): Promise<RolloutRecord>;
  onEnded(listener: () => void): void;
  close(): Promise<void>;
}

export interface StartRequest {
  readonly revision: string;
  readonly by: RolloutRecord['by'];
  readonly why: string;
  readonly actor: Actor;
}

/** Intervals are whole seconds or more. */
const TICK_MS = 1000;

export async function createRollouts(
  options: SourceOptions & {
    store: Store;
    journal: Journal;
    log: Log;
    metrics: Pick<ControlMetrics, 'counted'>;
    outcomes: OutcomeBook;
    alone: Turns;
  },
): Promise<Rollouts> {
  const { catalog, clock, log, metrics, outcomes, alone } = options;
  const read = (value: unknown): RolloutRecord | undefined => readRollout(value, clock.now());
  const state = await loadPartState({ ...options, part: 'rollout', read });
  const sources = createSources(options);
  const open = new Set<string>();
  /** Why each that holds was told to hold. */
  const told = new Map<string, string>();
  const listeners: (() => void)[] = [];
  const loop = createLoop({ clock, everyMs: TICK_MS, step, onError: logFailure });
  let closed = false;
  for (const [model, record] of state.entries()) follow(model, undefined, record);

  function logFailure(error: unknown): void {
    log.error({ error: messageOf(error) }, 'a rollout could not be looked at');
  }

  async function step(): Promise<void> {
    for (const model of open) {
      try {
        await lookIfDue(model);
      } catch (error) {
        logFailure(error);
      }
    }
  }

  async function lookIfDue(model: string): Promise<void> {
    const entry = catalog.model(model);
    const record = state.get(model);
    const spec = entry && specOf(entry).rollout;
    if (!record || !spec) return refresh(model);
    const [stable, canary] = revisionsOf(model, record);
    for (const each of sources.queries) each.follow(model, spec, { stable, canary });
    if (clock.now() - record.lookedAt >= spec.interval) await look(model, record, spec);
  }

  async function look(model: string, record: RolloutRecord, spec: RolloutSpec): Promise<void> {
    const [stable, canary] = revisionsOf(model, record);
    const asked = await gatherSeen(sources, spec, {
      model,
      stable,
      canary,
      since: record.startedAt,
    });
    const taken = { stable: outcomes.take(stable), canary: outcomes.take(canary) };
    const now = clock.now();
    const seen = { ...taken, ...asked, paused: record.phase === 'Paused' };
    const decided = decideRollout(spec, seen, record.memory, now);
    const { decision } = decided;
    const reason = decision.kind === 'hold' ? decision.reason : undefined;
    let isDone = false;
    try {
      isDone = await alone(async () => {
        if (state.get(model) !== record) return false;
        await write(model, carryOut(record, decided, told.get(model), now));
        return true;
      });
    } finally {
      if (!isDone) putBack();
    }
    // Somebody has changed it meanwhile: it is looked at again.
    if (!isDone) return;
    if (reason === undefined || told.get(model) !== reason) {
      metrics.counted('rollout', decision.kind);
    }
    if (reason === undefined) told.delete(model);
    else told.set(model, reason);

    function putBack(): void {
      outcomes.putBack(stable, taken.stable);
      outcomes.putBack(canary, taken.canary);
    }
  }

  async function write(
    model: string,
    change: RolloutChange,
    first: NewEvent[] = [],
  ): Promise<void> {
    const before = state.get(model);
    const { record } = change;
    const isMoved = !before || !isDeepStrictEqual(shownOf(before), shownOf(record));
    const split = isMoved ? makeSplit(model, record) : undefined;
    const events = [...first, ...eventsOf(model, change)];
    await state.commit(model, record, { writes: split ? [split] : [], events });
    follow(model, before, record);
  }

  function eventsOf(
    model: string,
    { type, why, actor, record }: Omit<RolloutChange, 'record'> & { record: RolloutRecord },
  ): NewEvent[] {
    if (type === undefined) return [];
    const { stable, canary, percent } = record;
    const data = { decision: { stable, canary, percent } };
    const about = { ...partsOfModelKey(model), revision: canary, at: clock.now() };
    return [{ ...about, type, why, actor, data }];
  }

  /** What is open is looked at, and its requests are counted; who waits for its end is told. */
  function follow(model: string, before: RolloutRecord | undefined, record: RolloutRecord): void {
    const counted = before && isOpen(before) ? revisionsOf(model, before) : [];
    const counting: readonly string[] = isOpen(record) ? revisionsOf(model, record) : [];
    for (const revision of counted) if (!counting.includes(revision)) outcomes.unwatch(revision);
    for (const revision of counting) outcomes.watch(revision);
    if (isOpen(record)) open.add(model);
    else drop(model);
    if (!before || !isOpen(before)) return;
    if (isOpen(record) && before.startedAt === record.startedAt) return;
    told.delete(model);
    for (const listener of listeners) listener();
  }

  function refresh(model: string): void {
    const entry = catalog.model(model);
    if (!entry) {
      forget(model);
    } else if (isUnsettled(entry, state.get(model))) {
      alone(() => settle(model)).catch(logFailure);
    }
  }

  function isUnsettled(entry: ModelEntry, record: RolloutRecord | undefined): boolean {
    const spec = record && isOpen(record) ? specOf(entry).rollout : undefined;
    if (record && spec && findPlace(record, spec, clock.now())) return true;
    return mustEnd(entry, record) !== undefined || findNew(entry, record) !== undefined;
  }

  function forget(model: string): void {
    const record = state.get(model);
    if (record) for (const revision of revisionsOf(model, record)) outcomes.unwatch(revision);
    drop(model);
    told.delete(model);
  }

  function drop(model: string): void {
    open.delete(model);
    for (const each of sources.queries) each.forget(model);
  }

  async function settle(model: string): Promise<void> {
    const entry = catalog.model(model);
    const record = state.get(model);
    if (!entry || closed) return;
    const why = mustEnd(entry, record);
    if (record && why !== undefined) await write(model, end(record, 'Ended', why, ROLLOUT));
    const found = findNew(entry, record);
    const spec = specOf(entry).rollout;
    if (!spec) return;
    if (!found) return await takePlace(model, spec);
    const request = {
      ...found,
      by: 'rollout',
      why: 'a new revision is ready',
      actor: ROLLOUT,
    } as const;
    await beginIn(model, begin(request, spec, clock.now()));
  }

  async function takePlace(model: string, spec: RolloutSpec): Promise<void> {
    const record = state.get(model);
    const change = record && isOpen(record) && findPlace(record, spec, clock.now());
    if (change) await write(model, change);
  }

  async function beginIn(model: string, change: RolloutChange): Promise<void> {
    const before = state.get(model);
    const why = `${change.record.canary} takes its place`;
    const over =
      before && isOpen(before)
        ? eventsOf(model, { record: before, type: 'RolloutSuperseded', why, actor: change.actor })
        : [];
    await write(model, change, over);
  }

  return {
    refresh,
    get: (model) => state.get(model),
    async start(model, { revision, by, why, actor }) {
      const { entry, spec } = requireSpec(catalog, model);
      const record = state.get(model);
      const runs = record && isOpen(record);
      const stable = runs ? record.stable : servingOf(entry.resolved);
      if (stable === undefined) return;
      if (stable !== revision) {
        const canary = requireReady(entry, revision);
        await beginIn(model, begin({ stable, canary, by, why, actor }, spec, clock.now()));
      } else if (runs) {
        await write(model, end(record, 'Aborted', `back to ${stable}: ${why}`, actor));
      }
    },
    act: async (model, action, actor) =>
      await alone(async () => {
        const record = state.get(model);
        if (!record) throw new Fault('not_found', `model ${model} has had no rollout`);
        const { entry, spec } = requireSpec(catalog, model);
        if (!isOpen(record)) throw makeEnded(entry, record);
        const change = actOn(record, action, spec, actor, clock.now());
        if (change.record.phase === 'Promoted') requireReady(entry, record.canary);
        await write(model, change);
        // Resumed, it takes the first of steps that were written anew meanwhile.
        await takePlace(model, spec);
        return state.get(model) ?? change.record;
      }),
    onEnded: (listener) => void listeners.push(listener),
    async close() {
      closed = true;
      await loop.close();
      await sources.close();
    },
  };
}

/** Why a rollout that is open has nothing to say any more. */
function mustEnd(entry: ModelEntry, record: RolloutRecord | undefined): string | undefined {
  if (!record || !isOpen(record)) return undefined;
  if (entry.stored.value.document.spec.rollout === undefined) {
    return 'the key rollout was removed: traffic goes where spec.traffic says';
  }
  if (!entry.split) return 'traffic was written by hand, which counts from now on';
  return undefined;
}

function requireSpec(catalog: Catalog, model: string): { entry: ModelEntry; spec: RolloutSpec } {
  const entry = catalog.model(model);
  if (!entry) throw new Fault('not_found', `there is no model ${model}`);
  const spec = specOf(entry).rollout;
  if (!spec) throw new Fault('conflict', `model ${model} has no key rollout`);
  return { entry, spec };
}

/** It takes no more actions. */
function makeEnded(entry: ModelEntry, { canary, phase }: RolloutRecord): Fault {
  const ended = `the rollout of ${canary} has ended: ${phase}`;
  const isServable = entry.revisions.get(canary)?.value.state === 'Ready';
  if (phase === 'Promoted' || !isServable) return new Fault('conflict', ended);
  // With a name nothing that comes later is rolled out.
  const name = latestOf(entry)?.name === canary ? 'latest' : canary;
  const way = `${ROUSE} traffic ${entry.name} ${name}=100${namespaceFlag(entry.namespace)}`;
  return new Fault('conflict', `${ended}; to have ${canary} serve all the same: ${way}`);
}

function requireReady({ key, revisions }: ModelEntry, name: string): RevisionRecord {
  const record = revisions.get(name)?.value;
  if (record?.state === 'Ready') return record;
  const is = record ? `is ${record.state}, expected Ready` : 'has gone';
  throw new Fault('conflict', `revision ${name} of model ${key} ${is}`);
}

/** What the split is made of. */
function shownOf({ phase, stable, canary, by, percent }: RolloutRecord): unknown[] {
  return [phase, stable, canary, by, percent];
}

function revisionsOf(
  model: string,
  { stable, canary }: Pick<RolloutRecord, 'stable' | 'canary'>,
): [string, string] {
  const { namespace, model: name } = partsOfModelKey(model);
  return [revisionKey(namespace, name, stable), revisionKey(namespace, name, canary)];
}
