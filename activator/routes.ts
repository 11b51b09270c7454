import { isDeepStrictEqual } from 'node:util';
import type { RevisionDemand } from '#bus/messages.ts';
import type { StateChange } from '#bus/subscriber.ts';
import type { QueueSpec } from '#domain/model.ts';
import { hostLabel, modelKey, revisionKey } from '#domain/names.ts';
import type { RoutingModel, RoutingRevision, RoutingShadow } from '#domain/routing.ts';
import { decideShare } from '#policies/admission.ts';
import { pickByHash, pickByWeight } from '#policies/traffic.ts';
import { Gate, type GateEvents, type GateLimits } from './gate/gate.ts';
import { Parties, type Party } from './gate/parties.ts';
import type { RevisionMetrics } from './metrics/revision-metrics.ts';
import type { InstanceRoute } from './upstream/instance-route.ts';
import { Instances, type InstancesEvents, type InstancesHome } from './upstream/instances.ts';
import type { ResponseFields } from './metrics/timing.ts';

/** One revision that can be sent to, with its gate and counters; lives as long as the revision is routed. */
export interface RevisionRoute extends InstancesHome {
  readonly key: string;
  readonly model: ModelRoute;
  routing: RoutingRevision;
  /** Made with the first request, as the counters are. */
  fields: ResponseFields | undefined;
  /** Made with the first request: a model that sleeps for good costs nothing here. */
  metrics: RevisionMetrics | undefined;
}

export interface ModelRoute {
  routing: RoutingModel;
  /** This data plane's share of what may wait. */
  queue: QueueSpec;
  readonly revisions: Map<string, RevisionRoute>;
  /** Made with the first request, as the counters are. */
  split: Split | undefined;
  /** Rows that a header leads to, the first that matches counts; undefined: none. */
  matches: readonly MatchRow[] | undefined;
  /** Undefined: no request is copied. */
  shadow: ShadowRoute | undefined;
}

/** Which requests are copied, and to whom. */
interface ShadowRoute extends RoutingShadow {
  /** Grows by `percent` with each request; at 100 one is copied, so that the share is exact. */
  credit: number;
}

interface MatchRow {
  readonly revision: string;
  /** In lower case. */
  readonly header: string;
  readonly values: readonly string[];
}

/** What the traffic policy works on: the rows' percent, and its memory. */
interface Split {
  readonly weights: Int32Array;
  readonly credit: Int32Array;
}

/** Where a host name leads: a model, or one row of its split by tag. */
interface HostRoute {
  readonly model: ModelRoute;
  readonly tag: string | undefined;
}

export interface RoutesEvents extends InstancesEvents {
  /** `roused`: the instance that is sent to though it is parked; `inFlight` counts that request. */
  onWake(demand: RevisionDemand, roused?: InstanceRoute): void;
  onQuiet(revision: string): void;
  readonly roll: () => number;
}

/** Before the domain: the model, perhaps with its tag, and the namespace. */
const MODEL_LABELS = /^[a-z0-9-]+\.[a-z0-9-]+\.$/;

/**
 * The routing state in the shape that lookups want: every address is one hash lookup away, however many
 * models there are. A change touches the models that it names and no others; a revision keeps its gate, and
 * so its waiting requests, across all changes of its model.
 */
export class Routes {
  readonly models = new Map<string, ModelRoute>();
  readonly instances: Instances;
  /** Who shares the bytes that may be held. */
  readonly parties = new Parties();
  /** Changes with every change. */
  version = 0;
  private readonly hosts = new Map<string, HostRoute>();
  private readonly revisions = new Map<string, RevisionRoute>();
  private readonly domain: string;
  private readonly processes: number;
  private readonly events: RoutesEvents;
  private readonly onWeighed = (gate: Party): void => this.parties.change(gate);

  /** `processes`: so many data planes share what may wait for a model. */
  constructor(
    { domain, processes = 1 }: { readonly domain: string; readonly processes?: number },
    events: RoutesEvents,
  ) {
    this.domain = domain;
    this.processes = processes;
    this.events = events;
    this.instances = new Instances((revision) => this.findRevision(revision), events);
  }

  apply(change: StateChange): void {
    this.version += 1;
    if (change.full) this.dropAbsent(change);
    for (const key of change.removedModels) this.removeModel(key);
    this.instances.removeGone(change);
    for (const model of change.models) this.setModel(model);
    for (const instance of change.instances) this.instances.set(instance);
  }

  /** There has been a routing state: before it every model would be unknown. */
  get isKnown(): boolean {
    return this.version > 0;
  }

  /** `hostname` in lower case, without port. */
  findHost(hostname: string): HostRoute | undefined {
    return this.hosts.get(hostname);
  }

  /** Whether it can be nothing but the host of a model, of one that is known or of none. */
  isModelHost(hostname: string): boolean {
    const { domain } = this;
    if (!hostname.endsWith(domain)) return false;
    return MODEL_LABELS.test(hostname.slice(0, -domain.length));
  }

  findRevision(key: string): RevisionRoute | undefined {
    return this.revisions.get(key);
  }

  allRevisions(): IterableIterator<RevisionRoute> {
    return this.revisions.values();
  }

  /** The revision for a request without a tag or revision of its own; undefined: none is ready. */
  pick(model: ModelRoute): RevisionRoute | undefined {
    const { weights, credit } = splitOf(model);
    return this.rowOf(model, pickByWeight(weights, credit));
  }

  /** The same, where the split is all that decides and its row can take requests. */
  pickPlain(model: ModelRoute): RevisionRoute | undefined {
    return model.routing.sticky || model.matches ? undefined : this.pick(model);
  }

  pickSticky(model: ModelRoute, hash: number): RevisionRoute | undefined {
    return this.rowOf(model, pickByHash(splitOf(model).weights, hash));
  }

  private rowOf(model: ModelRoute, row: number): RevisionRoute | undefined {
    const target = model.routing.targets[row];
    return target && model.revisions.get(target.revision);
  }

  private dropAbsent(change: StateChange): void {
    const models = new Set(change.models.map((model) => modelKey(model.namespace, model.name)));
    for (const key of this.models.keys()) if (!models.has(key)) this.removeModel(key);
  }

  private setModel(routing: RoutingModel): void {
    const key = modelKey(routing.namespace, routing.name);
    const known = this.models.get(key);
    if (known) this.forgetHosts(known);
    const queue = shareOf(routing.queue, this.processes);
    const model: ModelRoute = known ?? {
      routing,
      queue,
      revisions: new Map(),
      split: undefined,
      matches: undefined,
      shadow: undefined,
    };
    const sameSplit = JSON.stringify(known?.routing.targets) === JSON.stringify(routing.targets);
    model.routing = routing;
    model.queue = queue;
    model.matches = matchesOf(routing);
    model.shadow = routing.shadow && { ...routing.shadow, credit: model.shadow?.credit ?? 0 };
    this.models.set(key, model);
    this.setRevisions(model);
    if (!sameSplit) model.split = undefined;
    this.learnHosts(model);
  }

  private setRevisions(model: ModelRoute): void {
    const { routing } = model;
    const named = new Set(routing.revisions.map((revision) => revision.name));
    for (const [name, revision] of model.revisions) {
      if (!named.has(name)) this.removeRevision(revision);
    }
    for (const revision of routing.revisions) this.setRevision(model, revision);
  }

  private setRevision(model: ModelRoute, routing: RoutingRevision): void {
    const limits = { concurrency: routing.concurrency, ...model.queue };
    const known = model.revisions.get(routing.name);
    if (!known) {
      this.addRevision(model, routing, limits);
      return;
    }
    const { startFailure } = routing;
    const isNews = !isDeepStrictEqual(startFailure, known.routing.startFailure);
    known.routing = routing;
    known.gate.change(limits);
    if (startFailure && isNews) known.gate.startFailed();
    if (mustRefuse(known, this.events.now())) known.gate.refuseAll('failed');
  }

  private addRevision(model: ModelRoute, routing: RoutingRevision, limits: GateLimits): void {
    const { namespace, name } = model.routing;
    const key = revisionKey(namespace, name, routing.name);
    const { onDrained, onReleased, now, roll } = this.events;
    const onWake = (queued: number): void => {
      this.events.onWake({ revision: key, queued, inFlight: route.gate.inFlight });
      // Meanwhile: being told that it is ready then finds a connection.
      route.parked.at(-1)?.connectAhead();
    };
    const onNobodyThere = (): InstanceRoute | undefined => {
      const roused = this.instances.rouse(route);
      const inFlight = route.gate.inFlight + 1;
      if (roused) this.events.onWake({ revision: key, queued: 0, inFlight }, roused);
      return roused;
    };
    const onQuiet = (): void => this.events.onQuiet(key);
    const gateEvents: GateEvents<InstanceRoute> = {
      onWake,
      onNobodyThere,
      onQuiet,
      onDrained,
      onReleased,
      onWeighed: this.onWeighed,
      now,
      roll,
      startMs: () => route.routing.coldStartSeconds * 1000,
    };
    const route: RevisionRoute = {
      key,
      model,
      routing,
      parked: [],
      fields: undefined,
      gate: new Gate(limits, gateEvents),
      metrics: undefined,
    };
    model.revisions.set(routing.name, route);
    this.revisions.set(key, route);
  }

  private removeRevision(route: RevisionRoute): void {
    route.model.revisions.delete(route.routing.name);
    this.revisions.delete(route.key);
    route.gate.refuseAll('removed');
  }

  private removeModel(key: string): void {
    const model = this.models.get(key);
    if (!model) return;
    this.forgetHosts(model);
    this.models.delete(key);
    for (const revision of model.revisions.values()) this.removeRevision(revision);
  }

  private learnHosts(model: ModelRoute): void {
    for (const [host, tag] of this.hostsOf(model)) this.hosts.set(host, { model, tag });
  }

  private forgetHosts(model: ModelRoute): void {
    for (const [host] of this.hostsOf(model)) this.hosts.delete(host);
  }

  private hostsOf(model: ModelRoute): [string, string | undefined][] {
    const { namespace, name, targets } = model.routing;
    const tags = [undefined, ...targets.flatMap((target) => (target.tag ? [target.tag] : []))];
    return tags.map((tag) => [`${hostLabel(name, tag)}.${namespace}.${this.domain}`, tag]);
  }
}

function shareOf({ requests, bytes }: QueueSpec, processes: number): QueueSpec {
  return { requests: decideShare(requests, processes), bytes: decideShare(bytes, processes) };
}

function matchesOf({ targets }: RoutingModel): readonly MatchRow[] | undefined {
  const rows = targets.flatMap(({ revision, match }) =>
    match ? [{ revision, header: match.header.toLowerCase(), values: match.values }] : [],
  );
  return rows.length === 0 ? undefined : rows;
}

function splitOf(model: ModelRoute): Split {
  const { targets } = model.routing;
  model.split ??= {
    weights: Int32Array.from(targets, (target) => target.percent),
    credit: new Int32Array(targets.length),
  };
  return model.split;
}

/**
 * Whether waiting for this revision is pointless now: it failed for good, or its starts fail repeatedly. What runs
 * serves on, whatever becomes of further instances.
 */
export function mustRefuse({ routing, gate }: RevisionRoute, now: number): boolean {
  if (routing.state === 'Failed') return true;
  return routing.startFailure !== undefined && routing.startFailure.until > now && !gate.isWarm;
}

/** It runs elsewhere: what fails is not its start, and only requests tell how it is. */
export function isElsewhere({ routing }: RevisionRoute): boolean {
  return routing.runtime === 'url';
}

/** Our own servers speak HTTP; what others are is known to who deployed them. */
export function speaksGrpc({ routing }: RevisionRoute): boolean {
  return routing.runtime === 'command' || routing.runtime === 'image' || routing.runtime === 'url';
}
