import type { RevisionLoad } from '#bus/messages.ts';
import { partsOfRevisionKey, modelKey } from '#domain/names.ts';
import type { Clock } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import type { Instance, Runtime, RuntimeEvent, Wanted, Workload } from '#runtime/runtime.ts';
import { type Bound, type Desired, decideDesired } from '#policies/desired.ts';
import { decideKeepAlive } from '#policies/keepalive.ts';
import type { IdleRevision } from '#policies/placement.ts';
import {
  CALM,
  PANIC_SECONDS,
  type ScaleMemory,
  STABLE_SECONDS,
  decideScale,
} from '#policies/scale.ts';
import { type LoadWindow, makeLoadWindow, meanLoad, recordLoad } from '#policies/window.ts';
import type { Budget } from './budget.ts';
import type { Catalog } from './catalog.ts';
import { type RevisionFacts, factsOf } from './facts.ts';
import type { Journal } from './journal.ts';
import type { LoadBook } from './load.ts';
import type { ControlMetrics } from './metrics.ts';
import { makeScaleEvent, makeWaitingEvent } from './scale-events.ts';

/**
 * How many instances each revision has: gathers what the policies need, asks them, gives the order.
 *
 * Invariants:
 * 1. It alone calls `runtime.want`, and never for more than the ceilings and the memory budget allow.
 * 2. Deciding and ordering contain no `await`: what is seen still holds when the order is given.
 * 3. Only active revisions are here: with instances, load, or a floor. The tick costs nothing without them.
 */
export interface Autoscaler {
  /** A model has changed, appeared or gone. */
  refresh(model: string): void;
  wake(dataPlane: string, revision: string, queued: number): void;
  report(dataPlane: string, loads: readonly RevisionLoad[]): void;
  left(dataPlane: string): void;
  onRuntime(event: RuntimeEvent): void;
  /** A floor of one instance for as long as a revision is proven. */
  prove(revision: string, wanted: boolean): void;
  /** Nothing of this workload, which the catalog does not know any more, shall run. */
  dismiss(workload: Workload): void;
  /** Has another take the place of an instance that does not serve. */
  replace(instance: Instance): void;
  /** Revisions that are active now. */
  active(): Iterable<string>;
  close(): void;
}

const TICK_MS = 1000;

interface Active {
  readonly key: string;
  facts: RevisionFacts;
  deleted: boolean;
  proof: boolean;
  readonly window: LoadWindow;
  scale: ScaleMemory;
  lastRequestAt: number | undefined;
  /** Instances that the memory budget has room for, at most as many as desired. */
  granted: number;
  /** Who needs its memory more. */
  evictedFor: string | undefined;
  waitingForMemory: boolean;
  ordered: Wanted | undefined;
  /** Of the decision told last: see `classOf`. */
  told: { desired: number; class: string };
}

interface Seen {
  readonly stable: number;
  readonly panic: number;
  readonly ready: number;
  /** Starting or ready. */
  readonly instances: number;
  readonly queued: number;
  readonly inFlight: number;
}

export function createAutoscaler(options: {
  catalog: Catalog;
  runtime: Runtime;
  clock: Clock;
  log: Log;
  journal: Journal;
  metrics: ControlMetrics;
  loads: LoadBook;
  budget: Budget;
  /** Not even one instance fits into the whole budget. */
  onImpossible: (revision: string, why: string) => void;
}): Autoscaler {
  const { catalog, runtime, clock, log, journal, metrics, loads, budget, onImpossible } = options;
  const active = new Map<string, Active>();
  const byModel = new Map<string, Set<string>>();
  const waiting = new Set<Active>();
  let timer = clock.after(TICK_MS, tick);
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
    const fresh: Active = {
      key: facts.key,
      facts,
      deleted,
      proof: false,
      window: makeLoadWindow(clock.now()),
      scale: CALM,
      lastRequestAt: undefined,
      granted: 0,
      evictedFor: undefined,
      waitingForMemory: false,
      ordered: undefined,
      told: { desired: 0, class: 'idle' },
    };
    active.set(facts.key, fresh);
    const model = modelOf(facts.key);
    byModel.set(model, (byModel.get(model) ?? new Set()).add(facts.key));
    return fresh;
  }

  function retire(one: Active): void {
    active.delete(one.key);
    waiting.delete(one);
    const siblings = byModel.get(modelOf(one.key));
    siblings?.delete(one.key);
    if (siblings?.size === 0) byModel.delete(modelOf(one.key));
    budget.drop(one.key);
  }

  function see(one: Active, now: number): Seen {
    const { queued, inFlight } = loads.totals(one.key);
    return {
      stable: meanLoad(one.window, now, STABLE_SECONDS),
      panic: meanLoad(one.window, now, PANIC_SECONDS),
      ready: countIn(one.key, 'ready'),
      instances: countIn(one.key, 'ready') + countIn(one.key, 'starting'),
      queued,
      inFlight,
    };
  }

  function countIn(key: string, state: Instance['state']): number {
    let count = 0;
    for (const instance of runtime.instances(key)) if (instance.state === state) count++;
    return count;
  }

  function decide(one: Active, seen: Seen, now: number): { decision: Desired; why: string } {
    const { scaling, keepAlive, workload } = one.facts;
    const spec = { concurrency: workload.spec.concurrency, target: scaling.target };
    const scale = decideScale(spec, seen, one.scale, now);
    one.scale = scale.memory;
    const { lastRequestAt } = one;
    const keep = decideKeepAlive(keepAlive, { lastRequestAt, instances: seen.instances }, now);
    return decideDesired({
      scale: { ...scale.decision, why: scale.why },
      keepAlive: { keep: keep.decision.keep, why: keep.why },
      busy: seen.queued + seen.inFlight > 0,
      floors: floorsOf(one),
      ceilings: ceilingsOf(one),
    });
  }

  function reconcile(one: Active): void {
    if (closed || active.get(one.key) !== one) return;
    const now = clock.now();
    const seen = see(one, now);
    if (seen.queued + seen.inFlight > 0) {
      one.lastRequestAt = now;
      one.evictedFor = undefined;
    }
    const { decision, why } = decide(one, seen, now);
    const shortage = grant(one, decision);
    order(one, decision);
    tell(one, seen, decision, shortage ?? why);
    if (isAsleep(one, seen)) retire(one);
  }

  /** Takes what the budget gives; says why when that is less than desired. */
  function grant(one: Active, { desired }: Desired): string | undefined {
    const bytesEach = budget.bytesEach(one.facts);
    const running = runtime.instances(one.key).length;
    const more = desired - one.granted;
    let shortage: string | undefined;
    one.granted = Math.min(one.granted, desired);
    budget.hold(one.key, { bytesEach, granted: one.granted, running });
    if (more > 0) {
      const placed = budget.ask(bytesEach, more, () => findIdle(one));
      one.granted += placed.decision.grant;
      budget.hold(one.key, { bytesEach, granted: one.granted, running });
      for (const victim of placed.decision.evict) evict(victim, one.key);
      if (one.granted < desired) shortage = placed.why;
      if (!placed.decision.possible) onImpossible(one.key, placed.why);
    }
    waitForMemory(one, shortage);
    return shortage;
  }

  function waitForMemory(one: Active, shortage: string | undefined): void {
    if (shortage === undefined) {
      one.waitingForMemory = false;
      waiting.delete(one);
      return;
    }
    if (!one.waitingForMemory) journal.note(makeWaitingEvent(one.key, shortage, clock.now()));
    one.waitingForMemory = true;
    waiting.add(one);
  }

  function findIdle(asking: Active): IdleRevision[] {
    const idle: IdleRevision[] = [];
    for (const one of active.values()) {
      if (one === asking || one.granted === 0 || floorsOf(one).length > 0) continue;
      const { queued, inFlight } = loads.totals(one.key);
      if (queued + inFlight > 0) continue;
      const bytes = one.granted * budget.bytesEach(one.facts);
      if (bytes > 0) idle.push({ revision: one.key, bytes, idleSince: one.lastRequestAt ?? 0 });
    }
    return idle;
  }

  function evict(key: string, needer: string): void {
    const victim = active.get(key);
    if (!victim) return;
    victim.evictedFor = needer;
    reconcile(victim);
  }

  function order(one: Active, { min, max }: Desired): void {
    const wanted = { min: Math.min(min, one.granted), max, desired: one.granted };
    const before = one.ordered;
    if (before?.min === min && before.max === max && before.desired === wanted.desired) return;
    give(one, wanted);
  }

  function give(one: Active, wanted: Wanted): void {
    one.ordered = wanted;
    runtime.want(one.facts.workload, wanted).catch((error: unknown) => {
      // The next tick gives the order again.
      if (one.ordered === wanted) one.ordered = undefined;
      log.error({ revision: one.key, error: messageOf(error) }, 'an order was not taken');
    });
  }

  function tell(one: Active, seen: Seen, { desired, reason }: Desired, why: string): void {
    const settled = one.waitingForMemory ? 'ceiling:memory' : reason;
    const before = one.told;
    const next = { desired: one.granted, class: classOf(settled) };
    if (before.desired === next.desired && before.class === next.class) return;
    one.told = next;
    metrics.decided(next.class, next.desired - before.desired);
    const decision = { desired: one.granted, asked: desired, reason: settled };
    journal.note(makeScaleEvent(one.key, why, { seen: { ...seen }, decision }, clock.now()));
  }

  function isAsleep(one: Active, seen: Seen): boolean {
    if (one.granted > 0 || one.waitingForMemory || seen.queued + seen.inFlight > 0) return false;
    return floorsOf(one).length === 0 && runtime.instances(one.key).length === 0;
  }

  function serveWaiting(): void {
    // A copy: whoever still does not fit goes back into the set.
    for (const one of Array.from(waiting)) reconcile(one);
  }

  function tick(): void {
    for (const one of active.values()) reconcile(one);
    timer = clock.after(TICK_MS, tick);
  }

  function refreshOne(key: string): void {
    const one = active.get(key);
    if (!one) return;
    const facts = lookUp(key);
    one.deleted = facts === undefined;
    if (facts) one.facts = facts;
    reconcile(one);
  }

  return {
    refresh(model) {
      for (const key of byModel.get(model) ?? []) refreshOne(key);
      const entry = catalog.model(model);
      if (!entry || (entry.stored.value.document.spec.scaling?.min ?? 0) === 0) return;
      for (const target of entry.resolved.targets) {
        const one = ensure(`${model}/${target.revision}`);
        if (one) reconcile(one);
      }
    },
    wake(dataPlane, revision, queued) {
      if (catalog.revision(revision)?.value.state !== 'Ready') return;
      loads.wake(dataPlane, revision, queued);
      const one = ensure(revision);
      if (one) reconcile(one);
    },
    report(dataPlane, reported) {
      loads.report(dataPlane, reported);
      for (const load of reported) {
        if (catalog.revision(load.revision)?.value.state !== 'Ready') continue;
        const one = ensure(load.revision);
        if (!one) continue;
        if (load.arrivals > 0 || load.busySeconds > 0) one.lastRequestAt = clock.now();
        // Waiting for the first instance is not load on any; what waits then is counted as it is.
        if (countIn(one.key, 'ready') > 0) recordLoad(one.window, clock.now(), load.concurrency);
        reconcile(one);
      }
    },
    left(dataPlane) {
      loads.left(dataPlane);
    },
    onRuntime(event) {
      const { revision, memoryBytes } = event.instance;
      budget.measured(revision, memoryBytes);
      const one = ensure(revision);
      if (one) reconcile(one);
      if (event.type !== 'instance') serveWaiting();
    },
    prove(revision, wanted) {
      const one = wanted ? ensure(revision) : active.get(revision);
      if (!one) return;
      one.proof = wanted;
      reconcile(one);
    },
    dismiss(workload) {
      const known = active.get(workload.key);
      if (known || runtime.instances(workload.key).length === 0) return;
      reconcile(activate(makeLostFacts(workload), true));
    },
    replace(instance) {
      const one = active.get(instance.revision);
      if (one?.ordered) give(one, { ...one.ordered, replace: [instance.id] });
    },
    active: () => active.keys(),
    close() {
      closed = true;
      timer.cancel();
    },
  };
}

function floorsOf({ facts, proof, deleted }: Active): Bound[] {
  if (deleted) return [];
  const floors: Bound[] = [];
  if (proof) floors.push({ source: 'proof', count: 1, why: 'it has to become ready once' });
  const { min } = facts.scaling;
  if (min > 0 && facts.routed && facts.state === 'Ready') {
    floors.push({ source: 'min', count: min, why: `scaling.min is ${min}` });
  }
  return floors;
}

function ceilingsOf({ facts, proof, deleted, evictedFor }: Active): Bound[] {
  if (deleted) return [{ source: 'deleted', count: 0, why: 'the revision is deleted' }];
  const { max } = facts.scaling;
  const ceilings: Bound[] = [{ source: 'max', count: max, why: `scaling.max is ${max}` }];
  if (facts.state !== 'Ready' && !proof) {
    ceilings.push({ source: 'state', count: 0, why: `the revision is ${facts.state}` });
  }
  if (evictedFor !== undefined) {
    const why = `idle, and ${evictedFor} needs the memory`;
    ceilings.push({ source: 'memory', count: 0, why });
  }
  return ceilings;
}

/** Going back and forth between load and keep-alive is one thing: it is in use. Not worth an event each. */
function classOf(reason: string): string {
  return reason.startsWith('load:') || reason === 'keep-alive' ? 'use' : reason;
}

function modelOf(revision: string): string {
  const { namespace, model } = partsOfRevisionKey(revision);
  return modelKey(namespace, model);
}

function makeLostFacts(workload: Workload): RevisionFacts {
  return {
    key: workload.key,
    state: 'Failed',
    createdAt: 0,
    workload,
    scaling: { min: 0, max: 1, initial: 0, target: 1 },
    keepAlive: { policy: 'fixed', idle: 0 },
    routed: false,
  };
}
