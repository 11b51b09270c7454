import { isDeepStrictEqual } from 'node:util';
import { partsOfRevisionKey } from '#domain/names.ts';
import type { RoutingTarget } from '#domain/routing.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import { Fault, FAULTS, messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import { createLoop } from '#lib/loop.ts';
import type { Wanted, Workload } from '#runtime/runtime.ts';
import type { Kube } from '../api/kube.ts';
import type { Mirror } from '../api/mirror.ts';
import type {
  KnativeRevision,
  KnativeService,
  OwnerReference,
  PodAutoscaler,
  RevisionTemplate,
  TrafficEntry,
} from '../api/objects.ts';
import { PODAUTOSCALERS, REVISIONS } from '../api/resources.ts';
import { type PodsState, isSteered, makeSteering, scalerOf } from '../manifests/autoscaling.ts';
import type { Servers } from '../manifests/container.ts';
import { revisionName, serviceName } from '../manifests/names.ts';
import { makeRevisionTemplate } from '../manifests/revision.ts';
import { makeService } from '../manifests/service.ts';
import { makeFirstTraffic, makeTraffic, targetsOf } from '../manifests/traffic.ts';
import { applyOurs } from './apply.ts';
import { type Failures, makeMissing } from './failures.ts';
import type { Installed } from './installed.ts';
import { createRevisionNames } from './revision-names.ts';
import { readStatus } from './status.ts';
import type { Waits } from './waits.ts';

/**
 * Brings one model's Knative Service to what is wanted of it: its Revisions, how they are steered, its split. Asked for
 * after every order and every change that the cluster tells; what is right already is not touched.
 *
 * 1. One step at a time, and a Revision at a time: Knative makes one Revision of what a Service's template is, so the
 *    next template waits until the one before has become a Revision, or has failed to.
 * 2. A Service that Rouse did not make is never changed: it is applied by force only when it is ours, and then only
 *    that one (its uid).
 * 3. A Revision is made when an instance of it is wanted first, and removed when there shall be none at most (of class
 *    hpa: none now). It gets no traffic but what `route` says; the first of a model has all of it until then.
 */
export interface ModelLoop {
  want(workload: Workload, wanted: Wanted): void;
  route(targets: readonly RoutingTarget[]): void;
  /** Something of it has changed in the cluster. */
  ask(): void;
  /** Its Service is not there any more. */
  serviceGone(): void;
  close(): Promise<void>;
}

export interface ModelCluster {
  readonly kube: Pick<Kube, 'apply' | 'annotate' | 'remove'>;
  readonly services: Pick<Mirror<KnativeService>, 'get'>;
  readonly revisions: Pick<Mirror<KnativeRevision>, 'get'>;
  /** Of a model. */
  readonly revisionsOf: (model: string) => Iterable<KnativeRevision>;
  readonly autoscalers: Pick<Mirror<PodAutoscaler>, 'get'>;
  readonly installed: () => Installed;
  readonly servers: Servers;
  /** What a model belongs to, if it belongs to something. */
  readonly ownerOf: (model: string) => OwnerReference | undefined;
  /** What keeps Rouse from seeing what there is. */
  readonly trouble: () => Fault | undefined;
  readonly hasPods: (revision: string) => boolean;
  readonly podsState: (revision: string) => PodsState;
  readonly failures: Pick<Failures, 'lasts'>;
  readonly waits: Pick<Waits, 'set'>;
  readonly clock: Clock;
  readonly log: Log;
}

interface Problem {
  readonly reason: string;
  /** It is the cluster's, and no fault of the revision: it is waited for. */
  readonly passes: boolean;
}

interface Order {
  readonly workload: Workload;
  readonly wanted: Wanted;
}

/** All is compared again, should anything have been missed. */
const RESYNC_MS = 600_000;
/** After what the cluster refused. */
const RETRY_MS = 10_000;
const NOTHING: Wanted = { min: 0, max: 0, desired: 0 };

export function createModelLoop(
  { namespace, model }: { namespace: string; model: string },
  cluster: ModelCluster,
): ModelLoop {
  const { kube, services, revisions, autoscalers, failures, waits, clock, log } = cluster;
  const orders = new Map<string, Order>();
  const name = serviceName(model);
  const made = createRevisionNames({
    model: `${namespace}/${model}`,
    revisionsOf: cluster.revisionsOf,
    ordered: (key) => orders.get(key)?.workload,
  });
  let targets: readonly RoutingTarget[] | undefined;
  /** As applied last: what the mirror tells may be older. */
  let applied: KnativeService | undefined;
  const loop = createLoop({ clock, everyMs: RESYNC_MS, step, onError: onTrouble });
  let retry: Timer | undefined;

  async function step(): Promise<void> {
    for (const order of orders.values()) {
      const { key } = order.workload;
      tell(order, await settle(order).catch(problemOf));
      // Meanwhile it may be wanted again.
      if (isDone(order) && orders.get(key) === order) orders.delete(key);
    }
    await settleTraffic();
  }

  /** Nobody waits for what shall not run. */
  function tell({ workload, wanted }: Order, problem: Problem | undefined): void {
    const { key } = workload;
    const told = wanted.desired > 0 ? problem : undefined;
    const instance = makeMissing(`${namespace}/${revisionName(workload)}`, key, clock.now());
    const reason = told?.reason ?? '';
    const waiting = { ...instance, waitingFor: `waits for the cluster: ${reason}` };
    waits.set(sourceOf(key), told?.passes === true ? waiting : undefined);
    const failure = { instance, reason, lastLines: [] };
    failures.lasts(sourceOf(key), told?.passes === false ? failure : undefined);
  }

  /** Nothing is left of it, and nothing shall be. */
  function isDone({ workload, wanted }: Order): boolean {
    const isLeft = made.of(workload.key).length > 0 || isOffered(workload);
    return wanted.max === 0 && !isLeft;
  }

  function problemOf(error: unknown): Problem {
    onTrouble(error);
    const passes = error instanceof Fault && FAULTS[error.code].retryable;
    return { reason: messageOf(error), passes };
  }

  function onTrouble(error: unknown): void {
    log.warn({ model: `${namespace}/${model}`, err: messageOf(error) }, 'the cluster refuses it');
    retry?.cancel();
    retry = clock.after(RETRY_MS, () => loop.ask());
  }

  /** What keeps it from running, when there is no pod that would say it. */
  async function settle({ workload, wanted }: Order): Promise<Problem | undefined> {
    const revision = revisions.get(namespace, revisionName(workload));
    for (const each of made.of(workload.key)) {
      // One of other content, from before the revision was made again, is not what is wanted.
      await steer(each, each === revision ? wanted : NOTHING, workload.key);
      if (each !== revision || isOver(each, wanted)) await clearAway(each);
    }
    if (!revision && wanted.desired > 0) await create(workload);
    if (wanted.desired === 0 || cluster.hasPods(workload.key)) return undefined;
    const service = isOffered(workload) ? current() : undefined;
    const { state, reason } = readStatus({ service, revision });
    if (state === 'Failed') return { reason, passes: false };
    const trouble = cluster.trouble();
    return trouble && { reason: trouble.message, passes: true };
  }

  /** What the Service says is said of its template. */
  function isOffered(workload: Workload): boolean {
    return current()?.spec?.template?.metadata.name === revisionName(workload);
  }

  /** Not what traffic still goes to, nor the newest: Knative would make that again. */
  async function clearAway({ metadata: { name: made, uid } }: KnativeRevision): Promise<void> {
    const spec = current()?.spec;
    const isRouted = spec?.traffic?.some(({ revisionName: row }) => row === made) === true;
    if (isRouted || spec?.template?.metadata.name === made) return;
    await kube.remove(REVISIONS, { namespace, name: made }, uid);
  }

  async function steer(revision: KnativeRevision, wanted: Wanted, key: string): Promise<void> {
    const place = { namespace, name: revision.metadata.name };
    const isLive = cluster.installed().carrier === 'revisions';
    const carrier = isLive ? revision : autoscalers.get(namespace, place.name);
    const steering = makeSteering(wanted, cluster.podsState(key), scalerOf(revision));
    if (!carrier || isSteered(carrier.metadata.annotations, steering)) return;
    await kube.annotate(isLive ? REVISIONS : PODAUTOSCALERS, place, steering);
  }

  async function create(workload: Workload): Promise<void> {
    const service = current();
    const wantedName = revisionName(workload);
    if (isOffered(workload) || (service && !isMade(service))) return;
    const { limits } = cluster.installed();
    const template = makeRevisionTemplate(workload, { servers: cluster.servers, limits });
    await apply(template, service?.spec?.traffic ?? makeFirstTraffic(wantedName));
  }

  /** Or never will be. */
  function isMade(service: KnativeService): boolean {
    const revision = revisions.get(namespace, service.spec?.template?.metadata.name ?? '');
    return revision !== undefined || readStatus({ service }).state === 'Failed';
  }

  async function settleTraffic(): Promise<void> {
    const service = current();
    const template = service?.spec?.template;
    if (!template) return;
    const shown = (service.spec?.traffic ?? []).map(plainRow);
    const split = targets ?? targetsOf(shown, (name) => made.revisionOf(name));
    // Until all its Revisions are made there is no split that Knative would take.
    if (split.some(({ revision }) => made.nameOf(revision) === undefined)) return;
    if (split.reduce((sum, { percent }) => sum + percent, 0) !== 100) return;
    const rows = makeTraffic({ model, targets: split, kept: keptOf(), nameOf });
    if (!isDeepStrictEqual(rows, shown)) await apply(template, rows);
  }

  /** Asked for revisions that have one. */
  function nameOf(revision: string): string {
    return made.nameOf(revision) ?? '';
  }

  async function apply(
    template: RevisionTemplate,
    traffic: readonly TrafficEntry[],
  ): Promise<void> {
    const service = current();
    const uid = service?.metadata.uid;
    const owner = cluster.ownerOf(`${namespace}/${model}`);
    const { artifactsUrl } = cluster.servers;
    const object = makeService({ namespace, model, template, traffic, artifactsUrl, owner, uid });
    applied = await applyOurs(kube, object, service !== undefined);
  }

  function current(): KnativeService | undefined {
    const seen = services.get(namespace, name);
    const isBehind = (seen?.metadata.generation ?? 0) < (applied?.metadata.generation ?? 0);
    return isBehind ? applied : seen;
  }

  /** Those that shall run: Knative lets go of what no row names. One that is not ready would hold up all rows. */
  function keptOf(): string[] {
    return Array.from(orders.values()).flatMap(({ workload, wanted }) => {
      const revision = revisions.get(namespace, revisionName(workload));
      const isKept = wanted.desired > 0 && readStatus({ revision }).state === 'Ready';
      return isKept ? partsOfRevisionKey(workload.key).revision : [];
    });
  }

  return {
    want(workload, wanted) {
      orders.set(workload.key, { workload, wanted });
      loop.ask();
    },
    route(split) {
      targets = split;
      loop.ask();
    },
    ask: () => loop.ask(),
    serviceGone() {
      applied = undefined;
      loop.ask();
    },
    async close() {
      retry?.cancel();
      await loop.close();
      for (const key of orders.keys()) {
        failures.lasts(sourceOf(key), undefined);
        waits.set(sourceOf(key), undefined);
      }
    },
  };
}

/** Nothing of it shall be left. A HorizontalPodAutoscaler keeps one pod for as long as there is a Revision. */
function isOver(revision: KnativeRevision, { max, desired }: Wanted): boolean {
  return max === 0 || (desired === 0 && scalerOf(revision) === 'hpa');
}

/** Only what is compared and applied. */
function plainRow({ revisionName, percent = 0, tag }: TrafficEntry): TrafficEntry {
  return {
    ...(revisionName !== undefined && { revisionName }),
    latestRevision: false,
    percent,
    ...(tag !== undefined && { tag }),
  };
}

function sourceOf(revision: string): string {
  return `order ${revision}`;
}
