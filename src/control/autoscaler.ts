import type { RevisionLoad } from '#bus/messages.ts';
import { modelOf, revisionKey } from '#domain/names.ts';
import type { Clock } from '#lib/clock.ts';
import { Timers } from '#lib/timers.ts';
import { messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import type { Instance, Runtime, RuntimeEvent, Wanted, Workload } from '#runtime/runtime.ts';
import type { Desired } from '#policies/desired.ts';
import { makeAdoptedScale } from '#policies/scale.ts';
import { recordLoad } from '#policies/window.ts';
import {
  type Active,
  classOf,
  floorsOf,
  makeActive,
  makeLostFacts,
  makeLostWorkload,
} from './active.ts';
import type { Budget } from './budget.ts';
import type { Catalog } from './catalog.ts';
import { type RevisionFacts, factsOf } from './facts.ts';
import { createGrants } from './grants.ts';
import type { Journal } from './journal.ts';
import type { LoadBook } from './load.ts';
import type { ControlMetrics } from './metrics.ts';
import { makeScaleEvent } from './scale-events.ts';
import { type Seen, countIn, decideFor, isBusy, parkedIn, see } from './seen.ts';
import type { Standby } from './standby.ts';

/**
 * How many instances each revision has: gathers what the policies need, asks them, gives the order.
 *
 * Invariants:
 * 1. It alone calls `runtime.want`, and never for more than the ceilings and the memory budget allow.
 * 2. Deciding and ordering contain no `await`: what is seen still holds when the order is given.
 * 3. Only active revisions are here: with instances, load, or a floor. The tick costs nothing without them.
 */
export interface Autoscaler {
  /** Takes over what ran before control did: its numbers stand until its load is known. */
  adopt(): void;
  /** A model has changed, appeared or gone. */
  refresh(model: string): void;
  wake(dataPlane: string, revision: string, queued: number, inFlight?: number): void;
  report(dataPlane: string, loads: readonly RevisionLoad[]): void;
  left(dataPlane: string): void;
  onRuntime(event: RuntimeEvent): void;
  /** A floor of `scaling.initial` instances for as long as a revision is proven. */
  prove(revision: string, wanted: boolean): void;
  /** Since when it has been without memory for all the instances that it shall have; undefined: it has them. */
  waitingSince(revision: string): number | undefined;
  /** Nothing of this workload, which the catalog does not know any more, shall run. */
  dismiss(workload: Workload): void;
  /** Has another take the place of an instance that does not serve. */
  replace(instance: Instance): void;
  /** Revisions that are active now. */
  active(): Iterable<string>;
  close(): void;
}

const TICK_MS = 1000;
/** Each holds three descriptors of the runtime, and its memory for who may never come back. */
const MAX_PARKED = 256;

export function createAutoscaler(options: {
  catalog: Catalog;
  runtime: Runtime;
  clock: Clock;
  log: Log;
  journal: Journal;
  metrics: ControlMetrics;
  loads: LoadBook;
  budget: Budget;
  standby: Standby;
  /** Not even one instance fits into the whole budget. */
  onImpossible: (revision: string, why: string) => void;
  /** The last instance of a deleted revision has ended: nothing will be said of it any more. */
  onGone: (revision: string) => void;
}): Autoscaler {
  const { catalog, runtime, clock, log, journal, metrics, loads, budget } = options;
  const active = new Map<string, Active>();
  const byModel = new Map<string, Set<string>>();
  const grants = createGrants({ ...options, active, onEvicted: reconcile });
  const timers = new Timers(clock);
  timers.every(TICK_MS, tick);
  let closed = false;

  function ensure(key: string): Active | undefined {
    const known = active.get(key);
    if (known) return known;
    const facts = lookUp(key);
    return facts && activate(facts, false);
  }

  function lookUp(key: string): RevisionFacts | undefined {
    const entry = catalog.model(modelOf(key));
    const stored = catalog.revision(key);
    return entry && stored && factsOf(entry, stored.value);
  }

  function activate(facts: RevisionFacts, deleted: boolean): Active {
    const fresh = makeActive(facts, deleted, clock.now());
    active.set(facts.key, fresh);
    const model = modelOf(facts.key);
    byModel.set(model, (byModel.get(model) ?? new Set()).add(facts.key));
    return fresh;
  }

  /** What is not in the catalog was deleted while control was away. */
  function adoptOne(key: string): Active {
    const one = ensure(key) ?? activate(makeLostFacts(makeLostWorkload(key)), true);
    const count = countIn(runtime, key, 'starting') + countIn(runtime, key, 'ready');
    one.granted = count;
    one.told = {
      desired: count,
      parked: parkedIn(runtime, key).length,
      class: classOf('keep-alive'),
    };
    one.lastRequestAt = clock.now();
    one.scale = makeAdoptedScale(count, clock.now());
    grants.hold(one);
    return one;
  }

  function retire(one: Active): void {
    active.delete(one.key);
    grants.drop(one);
    if (one.deleted) options.onGone(one.key);
    const siblings = byModel.get(modelOf(one.key));
    siblings?.delete(one.key);
    if (siblings?.size === 0) byModel.delete(modelOf(one.key));
  }

  /** An order makes events, and events ask again: that waits until this decision is carried out and told. */
  function reconcile(one: Active): void {
    one.asked = true;
    if (one.deciding) return;
    one.deciding = true;
    try {
      while (one.asked && !closed && active.get(one.key) === one) {
        one.asked = false;
        settle(one);
      }
    } finally {
      one.deciding = false;
    }
  }

  function settle(one: Active): void {
    const now = clock.now();
    const seen = see(one, runtime, loads, now);
    if (isBusy(seen)) one.lastRequestAt = now;
    // Whoever is needed again stands in line for memory like all others.
    if (isBusy(seen) || floorsOf(one).length > 0) one.evictedFor = undefined;
    const { decision, why } = decideFor(one, seen, now);
    const shortage = grants.take(one, decision.desired);
    order(one, decision, parkable(seen, decision));
    tell(one, seen, decision, shortage ?? why);
    if (isAsleep(one, seen)) retire(one);
  }

  /** Looking at all that is parked is only for the moment in which it becomes more. */
  function parkable({ parked }: Seen, wanted: Desired): number {
    if (wanted.parked <= parked || !runtime.capabilities.parks) return wanted.parked;
    const all = runtime.instances().filter(({ state }) => state === 'parked').length;
    return Math.min(wanted.parked, Math.max(0, MAX_PARKED - all) + parked);
  }

  function order(one: Active, { min, max }: Desired, parked: number): void {
    const desired = one.granted;
    const wanted = { min: Math.min(min, desired), max, desired, ...(parked > 0 && { parked }) };
    const before = one.ordered;
    const same = before?.min === wanted.min && before.max === max && before.desired === desired;
    if (!same || (before.parked ?? 0) !== parked) give(one, wanted);
  }

  function give(one: Active, wanted: Wanted): void {
    one.ordered = wanted;
    runtime.want(one.facts.workload, wanted).catch((error: unknown) => {
      // The next tick gives the order again.
      if (one.ordered === wanted) one.ordered = undefined;
      log.error({ revision: one.key, error: messageOf(error) }, 'an order was not taken');
    });
  }

  function tell(one: Active, seen: Seen, wanted: Desired, why: string): void {
    const { desired, parked } = wanted;
    const settled = one.waitingSince !== undefined ? 'ceiling:memory' : wanted.reason;
    const before = one.told;
    one.told = { desired: one.granted, parked, class: classOf(settled) };
    const isSame = before.desired === one.granted && before.parked === parked;
    // Why nothing runs is of interest when it stops running, not for each reason that comes after.
    if (isSame && (one.granted === 0 || before.class === one.told.class)) return;
    metrics.decided(one.told.class, one.granted - before.desired);
    const decision = { desired: one.granted, parked, asked: desired, reason: settled };
    journal.note(makeScaleEvent(one.key, why, { seen, decision }, clock.now()));
  }

  function isAsleep(one: Active, seen: Seen): boolean {
    if (one.granted > 0 || one.waitingSince !== undefined || isBusy(seen)) return false;
    return floorsOf(one).length === 0 && runtime.instances(one.key).length === 0;
  }

  function reconcileAll(many: Iterable<Active>): void {
    grants.together(() => {
      for (const one of many) reconcile(one);
    });
  }

  function tick(): void {
    reconcileAll(active.values());
    grants.rest();
  }

  function refreshOne(key: string): void {
    const one = active.get(key);
    if (!one) return;
    const facts = lookUp(key);
    one.deleted = facts === undefined;
    if (facts) one.facts = facts;
    reconcile(one);
  }

  function take(load: RevisionLoad): void {
    if (catalog.revision(load.revision)?.value.state !== 'Ready') return;
    const one = ensure(load.revision);
    if (!one) return;
    if (load.arrivals > 0 || load.busySeconds > 0) one.lastRequestAt = clock.now();
    // Waiting for the first instance is not load on any; what waits then is counted as it is.
    const loaded = countIn(runtime, one.key, 'ready') > 0;
    if (loaded) recordLoad(one.window, clock.now(), load.concurrency);
    reconcile(one);
  }

  return {
    adopt() {
      const keys = new Set(runtime.instances().map(({ revision }) => revision));
      reconcileAll(Array.from(keys, adoptOne));
    },
    refresh(model) {
      for (const key of byModel.get(model) ?? []) refreshOne(key);
      const entry = catalog.model(model);
      if (!entry || (entry.stored.value.document.spec.scaling?.min ?? 0) === 0) return;
      for (const target of entry.resolved.targets) {
        const one = ensure(revisionKey(entry.namespace, entry.name, target.revision));
        if (one) reconcile(one);
      }
    },
    wake(dataPlane, revision, queued, inFlight) {
      if (catalog.revision(revision)?.value.state !== 'Ready') return;
      loads.wake(dataPlane, revision, queued, inFlight);
      const one = ensure(revision);
      if (one) reconcile(one);
    },
    report(dataPlane, reported) {
      loads.report(dataPlane, reported);
      grants.together(() => {
        for (const load of reported) take(load);
      });
    },
    left: (dataPlane) => loads.left(dataPlane),
    onRuntime(event) {
      const { revision, memoryBytes } = event.instance;
      const one = ensure(revision);
      if (one) {
        if (event.instance.state !== 'parked') budget.measured(revision, memoryBytes);
        reconcile(one);
      }
      if (event.type !== 'instance') reconcileAll(grants.waiting());
    },
    prove(revision, wanted) {
      const one = wanted ? ensure(revision) : active.get(revision);
      if (!one) return;
      one.proof = wanted;
      reconcile(one);
    },
    waitingSince: (revision) => active.get(revision)?.waitingSince,
    dismiss(workload) {
      if (active.has(workload.key) || runtime.instances(workload.key).length === 0) return;
      reconcile(activate(makeLostFacts(workload), true));
    },
    replace(instance) {
      const one = active.get(instance.revision);
      if (one?.ordered) give(one, { ...one.ordered, replace: [instance.id] });
    },
    active: () => active.keys(),
    close() {
      closed = true;
      timers.close();
    },
  };
}
