import type { RevisionLoad } from '#bus/messages.ts';
import type { NamespaceBudget } from '#domain/budgets.ts';
import { modelOf, revisionKey } from '#domain/names.ts';
import type { Clock } from '#lib/clock.ts';
import { Timers } from '#lib/timers.ts';
import type { Log } from '#lib/log.ts';
import type { Instance, Runtime, RuntimeEvent, Workload } from '#runtime/runtime.ts';
import type { Desired } from '#policies/desired.ts';
import { STABLE_SECONDS } from '#policies/scale.ts';
import { recordLoad } from '#policies/window.ts';
import { type Active, floorsOf, makeLostWorkload, markAdopted } from './active.ts';
import { createActives } from './actives.ts';
import type { Budget } from '../budget.ts';
import type { Catalog, ModelEntry } from '../records/catalog.ts';
import { createGrants } from './grants.ts';
import type { Dozing } from '../data-planes/dozing.ts';
import type { Journal } from '../records/journal.ts';
import type { KeepAlive } from '../keepalive/keep-alive.ts';
import type { Schedules } from '../keepalive/schedules.ts';
import type { LoadBook } from '../load.ts';
import type { ControlMetrics } from '../metrics.ts';
import { createOrders } from './orders.ts';
import {
  classOf,
  isWorthTelling,
  makeScaleEvent,
  makeTold,
  makeTrialEvent,
} from './scale-events.ts';
import type { Asked } from './signals/asked.ts';
import { createBudgetShares } from './signals/budget-shares.ts';
import { createReadings } from './signals/readings.ts';
import { type Plans, type Seen, countIn, decideFor, isBusy, parkedIn, see } from './seen.ts';
import type { Standby } from './standby.ts';

/**
 * How many instances each revision has: gathers what the policies need, asks them, gives the order.
 *
 * Invariants:
 * 1. It alone has orders given, and never for more than the ceilings and the memory budget allow.
 * 2. Deciding and ordering contain no `await`: what is seen still holds when the order is given.
 * 3. Only active revisions are here: with instances, load, or a floor. The tick costs nothing without them.
 */
export interface Autoscaler {
  /** Takes over what ran before control did: its numbers stand until its load is known. */
  adopt(): void;
  /** A model has changed, appeared or gone. */
  refresh(model: string): void;
  wake(dataPlane: string, revision: string, queued: number, inFlight?: number): void;
  /** A data plane has sent a request to this parked instance; `wake` follows. */
  resume(revision: string, instance: string): void;
  report(dataPlane: string, loads: readonly RevisionLoad[]): void;
  /** What was woken has been served: who waits for memory may have it. */
  served(revisions: readonly string[]): void;
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
  /** Keep-alive expects a request: an instance shall be there before it. */
  ahead(revision: string): void;
  /** Memory of what nobody uses and keep-alive alone keeps. */
  idleBytes(): number;
  /** Revisions that are active now. */
  active(): Iterable<string>;
  close(): void;
}

const TICK_MS = 1000;

export function createAutoscaler(options: {
  catalog: Catalog;
  runtime: Runtime;
  clock: Clock;
  log: Log;
  journal: Journal;
  metrics: ControlMetrics;
  loads: LoadBook;
  budget: Budget;
  dozing: Pick<Dozing, 'has'>;
  standby: Standby;
  keepAlive: Pick<KeepAlive, 'used' | 'adopt' | 'planned' | 'worth'>;
  schedules: Pick<Schedules, 'floor'>;
  asked: Asked;
  /** What namespaces may use before their models share it. */
  budgets: readonly NamespaceBudget[] | undefined;
  /** It has begun to wait for memory, or waits no more. */
  onWaiting: (revision: string) => void;
  /** Not even one instance fits into the whole budget. */
  onImpossible: (revision: string, why: string) => void;
  /** The last instance of a deleted revision has ended: nothing will be said of it any more. */
  onGone: (revision: string) => void;
}): Autoscaler {
  const { catalog, runtime, clock, journal, metrics, loads, budget } = options;
  const { keepAlive, schedules } = options;
  const readings = createReadings(options);
  const shares = createBudgetShares(options);
  const actives = createActives(options);
  const orders = createOrders(options);
  const grants = createGrants({
    ...options,
    active: actives.all,
    onEvicted: reconcile,
    onWaiting: ({ key }) => options.onWaiting(key),
    onAgain: () => reconcileAll(grants.waiting()),
  });
  const timers = new Timers(clock);
  timers.every(TICK_MS, tick);
  let closed = false;
  const plans: Plans = {
    planned: (one) => keepAlive.planned(one.facts),
    notAhead: (one) => (one.facts.routed ? grants.shortage(one) : 'no traffic leads to it'),
  };

  /** What is not in the catalog was deleted while control was away. */
  function adoptOne(key: string): Active {
    const one = actives.ensure(key) ?? actives.addLost(makeLostWorkload(key));
    markAdopted(one, runningOf(key), parkedIn(runtime, key).length, clock.now());
    grants.hold(one);
    keepAlive.adopt(key);
    return one;
  }

  function runningOf(key: string): number {
    return countIn(runtime, key, 'starting') + countIn(runtime, key, 'ready');
  }

  /** What was made for revisions that were deleted while control was away. What a model had goes with it. */
  function lost(): string[] {
    const made = runtime.routes?.revisions() ?? [];
    return made.filter((key) => catalog.model(modelOf(key)) && !catalog.revision(key));
  }

  function use(one: Active, now: number): void {
    one.lastRequestAt = now;
    keepAlive.used(one.facts);
  }

  function isInUse(model: string): boolean {
    const since = clock.now() - STABLE_SECONDS * 1000;
    return Array.from(actives.ofModel(model)).some((key) => {
      return (actives.all.get(key)?.lastRequestAt ?? -Infinity) >= since;
    });
  }

  function retire(one: Active): void {
    actives.remove(one);
    grants.drop(one);
    readings.forget(one.key);
    if (one.deleted) options.onGone(one.key);
  }

  /** An order makes events, and events ask again: that waits until this decision is carried out and told. */
  function reconcile(one: Active): void {
    one.asked = true;
    if (one.deciding) return;
    one.deciding = true;
    try {
      while (one.asked && !closed && actives.all.get(one.key) === one) {
        one.asked = false;
        settle(one);
      }
    } finally {
      one.deciding = false;
    }
  }

  function settle(one: Active): void {
    const now = clock.now();
    one.scheduled = schedules.floor(modelOf(one.key));
    const seen = see(one, runtime, loads, now);
    if (isBusy(seen)) use(one, now);
    readings.follow(one.facts);
    const before = one.trial?.count;
    const { decision, why } = decideFor(one, seen, plans, readings, now);
    if (one.trial && one.trial.count !== before) {
      journal.note(makeTrialEvent(one.key, one.trial, now));
    }
    const shortage = grants.take(one, decision.desired);
    orders.give(one, decision, seen);
    tell(one, seen, decision, shortage ?? why);
    if (one.evicted !== undefined && hasGivenWay(one)) {
      // From now on it stands in line for memory like all others.
      one.evicted = undefined;
      one.asked = true;
    }
    if (isAsleep(one, seen)) retire(one);
  }

  function tell(one: Active, seen: Seen, wanted: Desired, why: string): void {
    const before = one.told;
    const told = makeTold(one, wanted);
    one.told = told;
    if (!isWorthTelling(before, told)) return;
    const { desired, parked, reason } = told;
    metrics.decided(classOf(reason), desired - before.desired);
    const decision = { desired, parked, asked: wanted.desired, reason };
    journal.note(makeScaleEvent(one.key, why, { seen, decision }, clock.now()));
  }

  function hasGivenWay(one: Active): boolean {
    return runtime.instances(one.key).every(({ state }) => state === 'draining');
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

  /** Without reading the whole text of each that is not. */
  function isHeld({ key, stored }: ModelEntry): boolean {
    const { scaling } = stored.value.document.spec;
    return (scaling?.min ?? 0) > 0 || schedules.floor(key) !== undefined;
  }

  function tick(): void {
    readings.sample();
    reconcileAll(actives.all.values());
    reconcileAll(shares.divide(actives.all.values()));
    grants.rest();
  }

  function take(load: RevisionLoad): void {
    if (catalog.revision(load.revision)?.value.state !== 'Ready') return;
    const one = actives.ensure(load.revision);
    if (!one) return;
    if (load.arrivals > 0 || load.busySeconds > 0) use(one, clock.now());
    // Waiting for the first instance is not load on any; what waits then is counted as it is.
    readings.report(load);
    const loaded = countIn(runtime, one.key, 'ready') > 0;
    if (loaded) recordLoad(one.window, clock.now(), load.concurrency);
    reconcile(one);
  }

  return {
    adopt() {
      const keys = runtime.instances().map(({ revision }) => revision);
      reconcileAll(Array.from(new Set([...keys, ...lost()]), adoptOne));
    },
    refresh(model) {
      for (const key of actives.ofModel(model)) {
        const one = actives.refresh(key);
        if (one) reconcile(one);
      }
      const entry = catalog.model(model);
      if (!entry || !isHeld(entry)) return;
      for (const target of entry.resolved.targets) {
        const one = actives.ensure(revisionKey(entry.namespace, entry.name, target.revision));
        if (one) reconcile(one);
      }
    },
    wake(dataPlane, revision, queued, inFlight) {
      if (catalog.revision(revision)?.value.state !== 'Ready') return;
      loads.wake(dataPlane, revision, queued, inFlight);
      const one = actives.ensure(revision);
      if (one) reconcile(one);
    },
    resume(revision, instance) {
      runtime.resume(instance);
      const one = actives.all.get(revision);
      if (!one) return;
      // All of its memory was counted while it dozed: it is not asked for once more beside what it holds.
      one.granted = Math.max(one.granted, runningOf(revision));
      // If something speaks against it now, the order for which it is one too many is given again.
      one.ordered = undefined;
    },
    report(dataPlane, reported) {
      loads.report(dataPlane, reported);
      grants.together(() => {
        for (const load of reported) take(load);
      });
    },
    served(revisions) {
      if (grants.waiting().length === 0) return;
      const known = revisions.flatMap((revision) => actives.all.get(revision) ?? []);
      reconcileAll([...known, ...grants.waiting()]);
    },
    left: (dataPlane) => loads.left(dataPlane),
    onRuntime(event) {
      const { revision, memoryBytes } = event.instance;
      const one = actives.ensure(revision);
      if (one) {
        if (event.instance.state !== 'parked') budget.measured(revision, memoryBytes);
        reconcile(one);
        grants.relieve();
      }
      if (event.type !== 'instance') reconcileAll(grants.waiting());
    },
    prove(revision, wanted) {
      const one = wanted ? actives.ensure(revision) : actives.all.get(revision);
      if (!one) return;
      if (one.proof && !wanted) one.provenAt = isInUse(modelOf(revision)) ? clock.now() : undefined;
      one.proof = wanted;
      reconcile(one);
    },
    waitingSince: (revision) => actives.all.get(revision)?.waitingSince,
    dismiss(workload) {
      if (actives.all.has(workload.key) || runtime.instances(workload.key).length === 0) return;
      reconcile(actives.addLost(workload));
    },
    replace(instance) {
      const one = actives.all.get(instance.revision);
      if (one) orders.replace(one, instance.id);
    },
    ahead(revision) {
      if (catalog.revision(revision)?.value.state !== 'Ready') return;
      const one = actives.ensure(revision);
      if (one) reconcile(one);
    },
    idleBytes() {
      let sum = 0;
      for (const one of actives.all.values()) {
        if (one.facts.keepAlive.policy === 'adaptive') sum += grants.idleBytes(one);
      }
      return sum;
    },
    active: () => actives.all.keys(),
    close() {
      closed = true;
      timers.close();
      grants.close();
    },
  };
}
