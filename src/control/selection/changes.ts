import type { Decided, SelectionState, Wanted } from '#domain/selection.ts';
import type { Actor } from '#domain/records.ts';
import type { RolloutRecord } from '#domain/rollout.ts';
import { formatTime } from '#domain/units.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import { BY_HAND } from '#policies/selection/moment.ts';
import type { Write } from '#store/store.ts';
import { type Catalog, makeSplitWrite, type ModelEntry } from '../records/catalog.ts';
import type { NewEvent } from '../records/journal.ts';
import { makeKept } from '../records/kept-split.ts';
import type { ControlMetrics } from '../metrics.ts';
import type { PartState } from '../records/part-state.ts';
import { sharesOf } from '../records/resolve.ts';
import type { Rollouts } from '../rollout/rollouts.ts';
import { isOpen } from '../rollout/split.ts';
import { hasFailed } from './failed.ts';
import type { Turns } from '../records/turns.ts';

/**
 * What selection changes, each in one transaction with what it remembers, and in one turn with all other changes of
 * models. False or undefined: somebody has changed the model since it was seen. Nothing is written then; it is to be
 * looked at again.
 */
export interface Changes {
  /**
   * Undefined, too: nothing serves yet, or what serves first is still being settled. `nextLook`: when it is decided for
   * the first time; undefined: never.
   */
  begin(
    entry: ModelEntry,
    nextLook: (since: number) => number | undefined,
  ): Promise<SelectionState | undefined>;
  /** The model file has no selection any more. */
  end(entry: ModelEntry): Promise<boolean>;
  /** What serves now keeps doing so, whatever gets ready. */
  keepServing(seen: SeenModel): Promise<boolean>;
  write(seen: SeenModel, next: Told, isNews: boolean): Promise<boolean>;
  carryOut(seen: SeenModel, next: Told, wanted: Wanted): Promise<boolean>;
  choose(model: string, wanted: Pick<Wanted, 'revision' | 'change'>, actor: Actor): Promise<void>;
  /** What became of the rollout that was asked for; undefined, too: it still runs. */
  follow(seen: SeenModel & { readonly state: SelectionState }): Promise<SelectionState | undefined>;
}

/** What was decided on. */
export interface SeenModel {
  readonly entry: ModelEntry;
  readonly state: SelectionState | undefined;
}

type Told = SelectionState & { readonly decided: Decided };

const SELECTION: Actor = { id: 'system:selection', role: 'admin' };

export function createChanges(options: {
  states: PartState<SelectionState>;
  catalog: Pick<Catalog, 'model'>;
  metrics: Pick<ControlMetrics, 'counted'>;
  rollouts: Pick<Rollouts, 'get' | 'start'>;
  clock: Clock;
  alone: Turns;
}): Changes {
  const { states, catalog, metrics, rollouts, clock, alone } = options;

  async function inTurn({ entry, state }: SeenModel, work: () => Promise<void>): Promise<boolean> {
    return await alone(async () => {
      const now = catalog.model(entry.key);
      const isAsSeen = isSame(now, entry) && states.get(entry.key) === state;
      if (isAsSeen) await work();
      return isAsSeen;
    });
  }

  async function write(entry: ModelEntry, next: Told, isNews: boolean, writes: Write[] = []) {
    const events = isNews ? [makeEvent(entry, next.decided)] : [];
    await states.commit(entry.key, next, { writes, events });
    if (isNews) metrics.counted('selection', next.decided.action);
  }

  async function rollOut(entry: ModelEntry, next: Told, { revision, why }: Wanted): Promise<void> {
    const before = rollouts.get(entry.key);
    // What it would have replaced comes back: what is told of that one's end is of the other.
    const asked = before && isOpen(before) && before.stable === revision ? before.canary : revision;
    // Control may have ended between the two writes.
    if (!runsTo(before, revision)) {
      await rollouts.start(entry.key, { revision, by: 'selection', why, actor: SELECTION });
    }
    await write(entry, { ...next, asked }, true);
  }

  async function switchOver(entry: ModelEntry, next: Told, { revision, why }: Wanted) {
    const split = { by: 'selection', why, targets: [{ revision, percent: 100 }] } as const;
    const chosen = { ...next, chosenAt: clock.now() };
    await write(entry, chosen, true, [makeSplitWrite(entry.key, split)]);
  }

  return {
    async begin(entry, nextLook) {
      const serving = sharesOf(entry.resolved.targets);
      if (serving.length === 0 || !isSettled(entry)) return undefined;
      const now = clock.now();
      const decided = makeBegun(nextLook(now), now);
      const state = { since: now, lookedAt: now, failed: {}, decided };
      const events = [makeEvent(entry, decided)];
      const seen = { entry, state: undefined };
      const isBegun = await inTurn(seen, () => states.commit(entry.key, state, { events }));
      return isBegun ? state : undefined;
    },
    end: (entry) =>
      inTurn({ entry, state: states.get(entry.key) }, () => states.commit(entry.key, undefined)),
    async keepServing(seen) {
      const { entry, state } = seen;
      const split = makeKept(entry);
      return (
        !split || (await inTurn(seen, () => states.commit(entry.key, state, { writes: [split] })))
      );
    },
    write: (seen, next, isNews) => inTurn(seen, () => write(seen.entry, next, isNews)),
    carryOut(seen, next, wanted) {
      const { entry } = seen;
      const hasRollout = entry.stored.value.document.spec.rollout !== undefined;
      const change = hasRollout ? rollOut : switchOver;
      return inTurn(seen, () => change(entry, next, wanted));
    },
    choose: (model, { revision, change }, actor) =>
      alone(async () => {
        const entry = catalog.model(model);
        const state = states.get(model);
        if (!entry || !state) {
          throw new Fault(
            'conflict',
            `model ${model}: nothing serves yet, so nothing can be chosen`,
          );
        }
        const { [revision]: _, ...failed } = state.failed;
        const why = `chosen by ${actor.id}`;
        const wanted = { revision, change, reason: BY_HAND, why, since: clock.now() };
        await states.commit(model, { ...state, failed, wanted });
      }),
    async follow(seen) {
      const { key } = seen.entry;
      const { asked = '', ...rest } = seen.state;
      const rollout = rollouts.get(key);
      if (runsTo(rollout, asked)) return undefined;
      const next = settle(rest, { asked, rollout, entry: seen.entry }, clock.now());
      return (await inTurn(seen, () => states.commit(key, next))) ? next : undefined;
    },
  };
}

/** The catalog replaces what changes. */
function isSame(now: ModelEntry | undefined, seen: ModelEntry): boolean {
  return (
    now?.stored === seen.stored && now.revisions === seen.revisions && now.split === seen.split
  );
}

function runsTo(rollout: RolloutRecord | undefined, revision: string): boolean {
  return rollout !== undefined && isOpen(rollout) && rollout.canary === revision;
}

interface Ended {
  readonly asked: string;
  readonly rollout: RolloutRecord | undefined;
  readonly entry: ModelEntry;
}

/** One that was rolled back or ended by hand is not chosen again soon; of one that was superseded nothing is known. */
function settle(
  state: SelectionState,
  { asked, rollout, entry }: Ended,
  now: number,
): SelectionState {
  if (rollout?.canary !== asked) return state;
  if (rollout.phase === 'Promoted') return { ...state, chosenAt: now };
  return { ...state, failed: { ...keepFailed(state.failed, entry, now), [asked]: now } };
}

/** Of what keeps a revision from being chosen: the rest would stay as long as the model does. */
function keepFailed(
  failed: SelectionState['failed'],
  { revisions }: ModelEntry,
  now: number,
): SelectionState['failed'] {
  return Object.fromEntries(
    Object.entries(failed).filter(([name, at]) => {
      const revision = revisions.get(name)?.value;
      return revision !== undefined && hasFailed(at, revision, now);
    }),
  );
}

/** What is waited for: nothing else is told until then. */
function makeBegun(next: number | undefined, at: number): Decided {
  const until =
    next === undefined
      ? 'until another one is chosen by hand'
      : `and is compared with others first at ${formatTime(next)}`;
  return { action: 'stay', reason: 'begun', why: `what serves stays, ${until}`, at };
}

function makeEvent(entry: ModelEntry, { action, reason, revision, why, at }: Decided): NewEvent {
  const { namespace, name: model } = entry;
  const type = action === 'change' ? 'SelectionChanged' : 'SelectionDecided';
  const named = revision === undefined ? {} : { revision };
  const data = { decision: { action, reason } };
  return { at, namespace, model, ...named, type, why, actor: SELECTION, data };
}

/** The first revisions of a model: which one is the latest is known when none is prepared any more. */
function isSettled({ stored, revisions }: ModelEntry): boolean {
  if (stored.value.generation > 1) return true;
  return [...revisions.values()].every(({ value }) => ['Ready', 'Failed'].includes(value.state));
}
