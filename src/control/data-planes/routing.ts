import { type RevisionSpec, revisionSpec } from '#domain/model.ts';
import { revisionKey } from '#domain/names.ts';
import type { KeyRecord, RevisionRecord } from '#domain/records.ts';
import type {
  RoutingInstance,
  RoutingKey,
  RoutingModel,
  RoutingRevision,
} from '#domain/routing.ts';
import type { Instance } from '#runtime/runtime.ts';
import { type ModelEntry, revisionsOf } from '../records/catalog.ts';
import { specOf } from '../records/facts.ts';
import type { Health } from '../health.ts';
import { shadowOf } from './shadow.ts';

/** What data planes are told of a revision beside its record. */
export interface RoutingFacts {
  readonly healthOf: (revision: string) => Health | undefined;
  /** What an instance of it waits for to be started. */
  readonly waitsFor: (revision: string) => string | undefined;
}

/** What the data plane needs to know of a model. */
export function makeRoutingModel(
  entry: ModelEntry,
  generation: number,
  facts: RoutingFacts,
): RoutingModel {
  const { sticky, queue } = specOf(entry);
  const shadow = shadowOf(entry);
  return {
    namespace: entry.namespace,
    name: entry.name,
    generation,
    targets: entry.resolved.targets,
    ...(sticky && { sticky: makeSticky(sticky) }),
    ...(shadow && { shadow }),
    ...(entry.stored.value.job !== undefined && { ofJob: true }),
    queue,
    revisions: revisionsOf(entry).map((record) =>
      makeRoutingRevision(
        record,
        revisionSpec.parse(record.spec),
        revisionKey(entry.namespace, entry.name, record.name),
        facts,
      ),
    ),
  };
}

function makeSticky(sticky: {
  header?: string | undefined;
  cookie?: string | undefined;
}): NonNullable<RoutingModel['sticky']> {
  const { header, cookie } = sticky;
  return { ...(header && { header }), ...(cookie && { cookie }) };
}

function makeRoutingRevision(
  record: RevisionRecord,
  spec: RevisionSpec,
  key: string,
  { healthOf, waitsFor }: RoutingFacts,
): RoutingRevision {
  const health = healthOf(key);
  const waiting = waitsFor(key);
  const { runtime, concurrency, timeouts, retry } = spec;
  return {
    name: record.name,
    runtime,
    state: record.state,
    reason: firstLineOf(record.reason),
    concurrency,
    timeouts,
    retry,
    coldStartSeconds: health?.coldStartSeconds || record.coldStartSeconds,
    ...(waiting !== undefined && { waitingFor: firstLineOf(waiting) }),
    ...(health?.startFailure && { startFailure: forCallers(health.startFailure) }),
    platform: record.inspection?.platform ?? runtime,
    inputs: record.inspection?.inputs ?? [],
    outputs: record.inspection?.outputs ?? [],
  };
}

/** Below its first line a reason quotes what programs wrote, secrets perhaps: callers don't get that. */
function firstLineOf(reason: string): string {
  const end = reason.search(/[\r\n]/);
  return end < 0 ? reason : reason.slice(0, end);
}

function forCallers({ message, until }: NonNullable<Health['startFailure']>) {
  return { message: firstLineOf(message), until };
}

/**
 * An instance as the data plane sees it; undefined while nothing can be sent to it.
 *
 * @param how.isLeased whether several data planes share its slots.
 * @param how.dozes whether it may be sent to while it is parked.
 */
export function makeRoutingInstance(
  instance: Instance,
  how: { readonly isLeased: boolean; readonly dozes: boolean },
): RoutingInstance | undefined {
  const { id, revision, address, askedAt, startedAt, readyAt } = instance;
  const state = seenState(instance.state, how.dozes);
  if (address === undefined || state === undefined) return undefined;
  const view = { id, revision, address, state, askedAt, startedAt, readyAt };
  return how.isLeased ? { ...view, leased: true } : view;
}

function seenState(state: Instance['state'], dozes: boolean): RoutingInstance['state'] | undefined {
  if (state === 'starting') return undefined;
  if (state === 'parking') return 'draining';
  return state === 'parked' && dozes ? 'dozing' : state;
}

/** What the data plane needs in order to know a caller by its key. */
export function makeRoutingKey({ id, role, hash, priority = 'normal' }: KeyRecord): RoutingKey {
  return { id, role, hash, priority };
}
