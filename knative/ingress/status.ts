import type { Condition } from '../api/objects.ts';
import type { IngressStatus } from './objects.ts';

/** What is known of an Ingress when its status is written. */
export interface Seen {
  readonly generation: number;
  /** Why what it asks for cannot be served. `isFinal`: as it is, it never will. */
  readonly problem?: {
    readonly reason: string;
    readonly message: string;
    readonly isFinal: boolean;
  };
  /** Gateways that have shown that they serve it, of those that there are. */
  readonly proven: number;
  readonly gateways: number;
}

/** Names by which the gateways are reached in the cluster: from outside, and from inside. */
export interface Domains {
  readonly outside: string;
  readonly inside: string;
}

type News = Omit<Condition, 'lastTransitionTime'>;

/**
 * The status of an Ingress, with conditions in the order of their names, as Knative has them.
 *
 * @param before its status now: a condition that stays as it was keeps its time.
 * @param now as Kubernetes writes times.
 */
export function makeStatus(
  seen: Seen,
  domains: Domains,
  before: IngressStatus,
  now: string,
): IngressStatus {
  const network = describeNetwork(seen);
  const balancer = describeBalancer(seen);
  const bad = [network, balancer].find(({ status }) => status === 'False');
  const open = [network, balancer].find(({ status }) => status === 'Unknown');
  const ready: News = { ...(bad ?? open ?? network), type: 'Ready' };
  return {
    observedGeneration: seen.generation,
    conditions: [balancer, network, ready].map((news) => withTime(news, before, now)),
    publicLoadBalancer: { ingress: [{ domainInternal: domains.outside }] },
    privateLoadBalancer: { ingress: [{ domainInternal: domains.inside }] },
  };
}

/** Nothing is left to do for this generation. */
export function isSettled(
  status: IngressStatus | undefined,
  seen: Pick<Seen, 'generation'>,
  domains: Domains,
): boolean {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  return (
    status?.observedGeneration === seen.generation &&
    ready?.status === 'True' &&
    domainOf(status.publicLoadBalancer) === domains.outside &&
    domainOf(status.privateLoadBalancer) === domains.inside
  );
}

/** Whether a status says something else; times aside. */
export function isNews(before: IngressStatus | undefined, after: IngressStatus): boolean {
  return textOf(before) !== textOf(after);
}

function describeNetwork({ problem }: Seen): News {
  const type = 'NetworkConfigured';
  if (!problem) return { type, status: 'True' };
  const { reason, message, isFinal } = problem;
  return { type, status: isFinal ? 'False' : 'Unknown', reason, message };
}

function describeBalancer({ problem, gateways, proven }: Seen): News {
  const type = 'LoadBalancerReady';
  if (gateways > 0 && proven === gateways && !problem) return { type, status: 'True' };
  const message =
    gateways === 0
      ? 'No gateway of Rouse is ready'
      : `${proven} of ${gateways} gateways serve what is asked for`;
  return { type, status: 'Unknown', reason: gateways === 0 ? 'NoGateway' : 'Probing', message };
}

function withTime(news: News, { conditions = [] }: IngressStatus, now: string): Condition {
  const known = conditions.find(({ type }) => type === news.type);
  const since = known?.status === news.status ? known.lastTransitionTime : undefined;
  return { ...news, lastTransitionTime: since ?? now };
}

function domainOf(balancer: IngressStatus['publicLoadBalancer']): string | undefined {
  return balancer?.ingress?.[0]?.domainInternal;
}

function textOf(status: IngressStatus | undefined): string {
  const {
    observedGeneration,
    conditions = [],
    publicLoadBalancer,
    privateLoadBalancer,
  } = status ?? {};
  const said = conditions.map(({ type, status: state, reason, message }) => [
    type,
    state,
    reason,
    message,
  ]);
  const domains = [domainOf(publicLoadBalancer), domainOf(privateLoadBalancer)];
  return JSON.stringify([observedGeneration, said, domains]);
}
