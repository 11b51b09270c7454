import type { Clock } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';
import { modelOf, partsOfRevisionKey } from '#domain/names.ts';
import type { Actor } from '#domain/records.ts';
import type { Instance, Runtime, RuntimeEvent } from '#runtime/runtime.ts';
import type { Catalog } from '../records/catalog.ts';
import type { Drain } from '../data-planes/drain.ts';
import type { Dozing } from '../data-planes/dozing.ts';
import { type HealthBook, describeFailure } from '../health.ts';
import { concurrencyOf } from '../records/facts.ts';
import type { Journal } from '../records/journal.ts';
import type { Leases } from '../leases/leases.ts';
import type { ControlMetrics } from '../metrics.ts';
import type { Publishing } from '../data-planes/publish.ts';

/**
 * Carries what the runtime says of instances to the data planes, the metrics and the events, and what data
 * planes say of instances back to the runtime.
 */
export interface Instances {
  onRuntime(event: RuntimeEvent): void;
  /** Those ran before control did, and are published. */
  adopt(running: readonly Instance[]): void;
  /** A data plane could not use it. `hangs`: it has seen enough. */
  suspect(id: string, reason: string, hangs: boolean): void;
  /** It runs elsewhere, and answers again. */
  reached(id: string): void;
}

const ACTOR: Actor = { id: 'system:runtime', role: 'admin' };
/** So many complaints within the time, while the runtime says ready, and another takes its place. */
const SUSPICIONS = 3;
const SUSPICION_MS = 30_000;
const OFTEN = `suspected ${SUSPICIONS} times within ${SUSPICION_MS / 1000} s`;
/** An address that does not answer is asked again by the first request after this. */
const UNREACHABLE_MS = 5000;

/** What some of them wait for to be started. */
export function waitsFor(instances: readonly Instance[]): string | undefined {
  return instances.find(({ waitingFor }) => waitingFor !== undefined)?.waitingFor;
}

export function createInstances(options: {
  catalog: Catalog;
  runtime: Runtime;
  clock: Clock;
  log: Log;
  journal: Journal;
  metrics: ControlMetrics;
  publishing: Publishing;
  drain: Drain;
  dozing: Dozing;
  health: HealthBook;
  leases: Leases | undefined;
  /** What callers are told of this revision has changed. */
  onHealth: (revision: string) => void;
  replace: (instance: Instance) => void;
}): Instances {
  const { catalog, runtime, clock, log, journal, metrics, publishing, drain } = options;
  const { dozing, health, leases } = options;
  const known = new Map<string, Instance['state']>();
  const suspicions = new Map<string, number[]>();
  /** What each was last told to wait for. */
  const waiting = new Map<string, string>();

  function onInstance(instance: Instance): void {
    tellWaiting(instance);
    const before = known.get(instance.id);
    known.set(instance.id, instance.state);
    if (before === undefined) metrics.started(instance.revision);
    if (before === instance.state) return;
    if (instance.state === 'parked') dozing.begin(instance.id);
    const told = publishing.instance(instance);
    if (instance.state !== 'parked') dozing.end(instance.id);
    if (instance.state === 'ready') {
      share(instance, true);
      onReady(instance);
    } else leases?.end(instance.id);
    if (instance.state === 'parked') onParked(instance);
    if (instance.state !== 'draining' && instance.state !== 'parking') return;
    if (told) drain.begin(instance.id);
    else runtime.release(instance.id);
  }

  function tellWaiting(instance: Instance): void {
    const { id, revision, waitingFor } = instance;
    if (waiting.get(id) === waitingFor) return;
    if (waitingFor === undefined) waiting.delete(id);
    else {
      waiting.set(id, waitingFor);
      note(instance, 'InstanceWaiting', waitingFor);
    }
    publishing.model(modelOf(revision));
  }

  function share({ id, revision }: Instance, isNew: boolean): void {
    const capacity = concurrencyOf(catalog, revision);
    if (capacity > 0) leases?.begin({ id, revision, capacity, isNew });
  }

  function onReady(instance: Instance): void {
    const { revision, askedAt, readyAt, origin } = instance;
    metrics.becameReady(instance);
    // Going on is no start: an estimate of starts must not learn from it.
    if (origin === 'parked') return;
    const stored = catalog.revision(revision)?.value.coldStartSeconds ?? 0;
    const seconds = Math.max(0, readyAt - askedAt) / 1000;
    if (health.becameReady(revision, seconds, stored)) options.onHealth(revision);
  }

  function onParked(instance: Instance): void {
    drain.forget(instance.id);
    note(instance, 'InstanceParked', 'idle: frozen until the next request, or until it is ended');
  }

  function onGone(instance: Instance): void {
    const { id } = instance;
    known.delete(id);
    suspicions.delete(id);
    if (waiting.delete(id)) publishing.model(modelOf(instance.revision));
    publishing.instanceGone(id);
    drain.forget(id);
    dozing.end(id);
    leases?.end(id);
  }

  function onFailed(event: Extract<RuntimeEvent, { type: 'failed' }>): void {
    const { instance, reason, lastLines, failures } = event;
    note(instance, 'InstanceFailed', describeFailure(reason, lastLines, failures));
    log.warn({ revision: instance.revision, instance: instance.id, reason }, 'an instance failed');
    if (health.failed(event)) options.onHealth(instance.revision);
  }

  function note(instance: Instance, type: string, why: string): void {
    const parts = partsOfRevisionKey(instance.revision);
    const data = { instance: instance.id };
    journal.note({ ...parts, at: clock.now(), type, why, actor: ACTOR, data });
  }

  /** What runs elsewhere can't be replaced: callers are told until somebody tries again. */
  function onUnreachable(instance: Instance, source: string, reason: string): void {
    const message = `nothing answers at ${source}: ${reason}`;
    const isNews = health.of(instance.revision)?.startFailure?.message !== message;
    if (!health.impossible(instance.revision, message, clock.now() + UNREACHABLE_MS)) return;
    options.onHealth(instance.revision);
    if (!isNews) return;
    note(instance, 'InstanceUnreachable', message);
    log.warn({ revision: instance.revision, reason }, message);
  }

  return {
    adopt(running) {
      for (const instance of running) {
        const { id, state } = instance;
        known.set(id, state);
        if (state === 'ready') share(instance, false);
        if (state === 'draining' || state === 'parking') drain.adopt(id);
        if (state === 'parked') dozing.begin(id);
      }
    },
    onRuntime(event) {
      if (event.type === 'instance') {
        onInstance(event.instance);
        return;
      }
      onGone(event.instance);
      if (event.type === 'failed') onFailed(event);
    },
    reached(id) {
      const instance = runtime.instances().find((one) => one.id === id);
      if (!instance || !health.reached(instance.revision)) return;
      options.onHealth(instance.revision);
      note(instance, 'InstanceReached', 'it answers again');
    },
    suspect(id, reason, hangs) {
      const instance = runtime.instances().find((one) => one.id === id);
      if (instance?.state !== 'ready') return;
      const spec = catalog.revision(instance.revision)?.value.spec;
      if (spec?.runtime === 'url') {
        onUnreachable(instance, spec.source ?? '', reason);
        return;
      }
      const since = clock.now() - SUSPICION_MS;
      const recent = (suspicions.get(id) ?? []).filter((at) => at > since);
      recent.push(clock.now());
      suspicions.set(id, recent);
      log.warn({ revision: instance.revision, instance: id, reason }, 'an instance is suspected');
      if (recent.length === 1) note(instance, 'InstanceSuspected', reason);
      if (recent.length < SUSPICIONS && !hangs) return;
      suspicions.delete(id);
      note(
        instance,
        'InstanceGivenUp',
        `${hangs ? 'it answers no request' : OFTEN}, though it runs: ${reason}; the runtime is asked for another`,
      );
      options.replace(instance);
    },
  };
}
