import {
  type Decided,
  type SelectionSpec,
  type SelectionState,
  selectionState,
  type SelectionView,
  type Wanted,
} from '#domain/selection.ts';
import type { Actor } from '#domain/records.ts';
import type { RolloutRecord } from '#domain/rollout.ts';
import type { Clock } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import { createLoop } from '#lib/loop.ts';
import type { Choice } from '#policies/selection/choice.ts';
import { BY_HAND, decideMoment, decideWanted, type Moment } from '#policies/selection/moment.ts';
import { decideQuiet, type Quiet } from '#policies/selection/quiet.ts';
import { decideChoice } from '#policies/selection/strategies.ts';
import type { Store } from '#store/store.ts';
import type { Catalog, ModelEntry } from '../records/catalog.ts';
import { specOf } from '../records/facts.ts';
import type { Journal } from '../records/journal.ts';
import type { Measures } from '../measures/measures.ts';
import type { ControlMetrics } from '../metrics.ts';
import { loadPartState } from '../records/part-state.ts';
import { servingOf } from '../records/resolve.ts';
import { createChanges, type SeenModel } from './changes.ts';
import type { Reference } from '../records/references.ts';
import type { Rollouts } from '../rollout/rollouts.ts';
import { isOpen } from '../rollout/split.ts';
import { gatherArrivals, gatherSeen, namedBy } from './seen.ts';
import { nextLook } from './timetable.ts';
import { makeSelectionView } from './view.ts';
import type { Turns } from '../records/turns.ts';

/**
 * Which revision serves, where the model file leaves that to what is measured.
 *
 * 1. Once something serves, it does until another one is chosen, whatever gets ready meanwhile.
 * 2. What was decided is stored before it is told, and in one transaction with the split that it makes.
 * 3. What was decided on a model that has changed meanwhile is dropped, and it is looked at again: a split that people
 *    write counts.
 * 4. While a rollout is under way, nothing else is decided.
 * 5. Models without selection cost nothing.
 */
export interface Selection {
  /** Asked for by hand: carried out at once, or in the quiet time. */
  choose(model: string, wanted: Pick<Wanted, 'revision' | 'change'>, actor: Actor): Promise<void>;
  view(model: string): SelectionView | undefined;
  /** What retention may not take: what may be chosen by name, and what is about to be. */
  referencesOf(entry: ModelEntry): Reference[];
  close(): Promise<void>;
}

const TICK_MS = 1000;
/** The quiet time of a model is a week's traffic to read. */
const QUIET_MS = 60_000;
/** That it was looked, and nothing was new, is written so often: for a schedule that goes on after a restart. */
const WRITE_MS = 60_000;

/** What a tick knows of a model without the store. */
interface Known {
  readonly version: number;
  readonly spec: SelectionSpec | undefined;
  lookedAt: number | undefined;
  /** What follows from the last look: a schedule may take long to search. */
  due: { readonly last: number; readonly at: number | undefined } | undefined;
  quietAt: number;
  decided: Decided | undefined;
}

export async function createSelection(options: {
  store: Store;
  journal: Journal;
  catalog: Catalog;
  measures: Measures;
  metrics: Pick<ControlMetrics, 'counted'>;
  rollouts: Pick<Rollouts, 'get' | 'start' | 'onEnded'>;
  clock: Clock;
  log: Log;
  alone: Turns;
}): Promise<Selection> {
  const { catalog, journal, rollouts, clock, log } = options;
  const read = (value: unknown): SelectionState | undefined => readState(value, clock.now());
  const states = await loadPartState({ ...options, part: 'selection', read });
  const changes = createChanges({ ...options, states });
  const models = new Set<string>();
  const known = new Map<string, Known>();
  const loop = createLoop({ clock, everyMs: TICK_MS, step, onError: warn });

  function warn(error: unknown): void {
    log.error({ error: messageOf(error) }, 'a selection was not decided');
  }

  function refresh(model: string): void {
    const selects = catalog.model(model)?.stored.value.document.spec.selection !== undefined;
    if (selects || states.get(model)) models.add(model);
    if (models.has(model)) loop.ask();
  }

  async function step(): Promise<void> {
    for (const model of models) await look(model).catch(warn);
  }

  async function look(model: string): Promise<void> {
    const entry = catalog.model(model);
    const one = entry && knownOf(entry);
    if (!entry || !one?.spec) {
      models.delete(model);
      known.delete(model);
      if (entry) await changes.end(entry);
      return;
    }
    const { spec } = one;
    const stored =
      states.get(model) ?? (await changes.begin(entry, (since) => nextLook(spec, since)));
    const followed =
      stored?.asked === undefined ? stored : await changes.follow({ entry, state: stored });
    // Who wants another one by hand does not wait for what runs.
    const state = followed ?? (stored?.wanted?.reason === BY_HAND ? stored : undefined);
    if (!state || isElsewhere(rollouts.get(model), state)) return;
    if (!entry.split && !(await changes.keepServing({ entry, state }))) return;
    const kept = catalog.model(model);
    if (kept?.stored === entry.stored) await decide(kept, one, one.spec, state);
  }

  function knownOf(entry: ModelEntry): Known {
    const { version } = entry.stored;
    const before = known.get(entry.key);
    if (before?.version === version) return before;
    const spec = specOf(entry).selection;
    const { lookedAt, quietAt = -Infinity, decided } = before ?? {};
    const one = { version, spec, lookedAt, due: undefined, quietAt, decided };
    known.set(entry.key, one);
    return one;
  }

  async function decide(
    entry: ModelEntry,
    one: Known,
    spec: SelectionSpec,
    state: SelectionState,
  ): Promise<void> {
    const now = clock.now();
    const last = one.lookedAt ?? state.lookedAt;
    const at = dueAt(one, spec, last);
    const isDue = at !== undefined && at <= now;
    if (!isDue && (!state.wanted || now - one.quietAt < QUIET_MS)) return;
    const due = isDue && spec.strategy !== 'manual' ? spec : undefined;
    const choice = due && decideChoice(due, await gatherSeen(due, entry, state, options, now));
    const wanted = stillWanted(
      entry,
      rollouts.get(entry.key),
      due && choice ? decideWanted(state.wanted, choice, due.change, now) : state.wanted,
    );
    const moment = decideMoment(
      wanted,
      await quietOf(entry, one, spec, wanted),
      spec.lowTraffic.wait,
      now,
    );
    const { wanted: _, ...rest } = state;
    const decided = makeDecided(wanted, moment, choice, now);
    const next = { ...rest, lookedAt: isDue ? now : last, decided };
    const seen = { entry, state };
    const isDone =
      wanted && moment.action === 'change'
        ? await changes.carryOut(seen, next, wanted)
        : await tell(seen, wanted ? { ...next, wanted } : next);
    if (isDone) Object.assign(one, { lookedAt: next.lookedAt, decided });
  }

  async function quietOf(
    entry: ModelEntry,
    one: Known,
    { lowTraffic }: SelectionSpec,
    wanted: Wanted | undefined,
  ): Promise<Quiet | undefined> {
    if (wanted?.change !== 'lowTraffic') return undefined;
    const now = clock.now();
    one.quietAt = now;
    const arrivals = await gatherArrivals(entry, options, now);
    const { createdAt: since } = entry.stored.value;
    const until = wanted.since + lowTraffic.wait;
    return decideQuiet(lowTraffic, { arrivals, since, until }, now);
  }

  async function tell(
    seen: SeenModel & { readonly state: SelectionState },
    next: SelectionState & { readonly decided: Decided },
  ): Promise<boolean> {
    const before = seen.state;
    const isNews = !isSame(before.decided, next.decided);
    const isOld = next.lookedAt - before.lookedAt >= WRITE_MS;
    const isWanted = before.wanted?.revision !== next.wanted?.revision;
    return !(isNews || isOld || isWanted) || (await changes.write(seen, next, isNews));
  }

  rollouts.onEnded(() => loop.ask());
  journal.onChange(refresh);
  for (const [model] of states.entries()) refresh(model);
  for (const model of catalog.keys({ prefix: '', limit: catalog.size })) refresh(model);

  return {
    async choose(model, wanted, actor) {
      await changes.choose(model, wanted, actor);
      const one = known.get(model);
      if (one) one.quietAt = -Infinity;
      await look(model);
    },
    view(model) {
      const entry = catalog.model(model);
      if (!entry) return undefined;
      const one = knownOf(entry);
      if (!one.spec) return undefined;
      const state = states.get(model);
      const last = one.lookedAt ?? state?.lookedAt;
      const nextLookAt = last === undefined ? undefined : dueAt(one, one.spec, last);
      const decided = one.decided ?? state?.decided;
      return makeSelectionView(entry, { strategy: one.spec.strategy, state, decided, nextLookAt });
    },
    referencesOf(entry) {
      const { spec } = knownOf(entry);
      return spec ? listReferences(spec, states.get(entry.key)) : [];
    },
    close: () => loop.close(),
  };
}

function dueAt(one: Known, spec: SelectionSpec, last: number): number | undefined {
  if (one.due?.last !== last) one.due = { last, at: nextLook(spec, last) };
  return one.due.at;
}

function listReferences(spec: SelectionSpec, state: SelectionState | undefined): Reference[] {
  const named = [...(spec.candidates ?? []), ...namedBy(spec)];
  const wanted = state?.wanted?.revision;
  return [
    ...[...new Set(named)].map((revision) => ({ revision, why: 'its selection may choose it' })),
    ...(wanted === undefined ? [] : [{ revision: wanted, why: 'it shall serve soon' }]),
  ];
}

/** A rollout runs that selection has not asked for: it is judged first, unless a person wants something else. */
function isElsewhere(rollout: RolloutRecord | undefined, { wanted }: SelectionState): boolean {
  return rollout !== undefined && isOpen(rollout) && wanted?.reason !== BY_HAND;
}

/** One that has gone meanwhile is not, nor one that serves already and is not about to be replaced. */
function stillWanted(
  entry: ModelEntry,
  rollout: RolloutRecord | undefined,
  wanted: Wanted | undefined,
): Wanted | undefined {
  if (!wanted) return undefined;
  const isReplaced = rollout && isOpen(rollout) && rollout.canary !== wanted.revision;
  if (!isReplaced && wanted.revision === servingOf(entry.resolved)) return undefined;
  const revision = entry.revisions.get(wanted.revision);
  return revision?.value.state === 'Ready' ? wanted : undefined;
}

function makeDecided(
  wanted: Wanted | undefined,
  moment: Moment,
  choice: Choice | undefined,
  at: number,
): Decided {
  if (wanted) {
    const { revision, reason, why } = wanted;
    return { action: moment.action, reason, revision, why: `${why}; ${moment.why}`, at };
  }
  const { reason = 'gone', why = 'what was wanted serves, or is not ready any more' } =
    choice ?? {};
  const { judged = [] } = choice ?? {};
  return { action: 'stay', reason, why, at, ...(judged.length > 0 && { judged: [...judged] }) };
}

function isSame(a: Decided | undefined, b: Decided): boolean {
  const [before, now] = [a?.judged ?? [], b.judged ?? []].map((names) => names.join(' '));
  const isJudged = before === now;
  return isJudged && a?.action === b.action && a.reason === b.reason && a.revision === b.revision;
}

/** What a clock that was set back since calls to come is now. */
function readState(value: unknown, now: number): SelectionState | undefined {
  const state = selectionState.safeParse(value).data;
  if (!state || state.lookedAt <= now) return state;
  const { since, chosenAt, wanted, failed } = state;
  return {
    ...state,
    since: Math.min(since, now),
    lookedAt: now,
    ...(chosenAt !== undefined && { chosenAt: Math.min(chosenAt, now) }),
    ...(wanted && { wanted: { ...wanted, since: Math.min(wanted.since, now) } }),
    failed: Object.fromEntries(
      Object.entries(failed).map(([name, at]) => [name, Math.min(at, now)]),
    ),
  };
}
