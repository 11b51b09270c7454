import { modelKey, modelOf } from '#domain/names.ts';
import { METRIC } from '../manifests/autoscaling.ts';
import { revisionKeyOf } from '../manifests/labels.ts';
import type { Pod } from '../api/objects.ts';
import type { Selects } from './selector.ts';

/** The values of the metric, as a HorizontalPodAutoscaler counts with them. */

export interface MetricSource {
  /** How many instances each revision shall have, by its key; those that nothing was ordered of are not there. */
  wanted(): ReadonlyMap<string, number>;
  /** Those of models. */
  pods(): Iterable<Pod>;
}

export const GROUP_VERSION = 'custom.metrics.k8s.io/v1beta2';

/** What of one namespace is asked for. */
export interface Asked {
  readonly namespace: string;
  readonly selects: Selects;
  /** Undefined: all that are selected. */
  readonly name: string | undefined;
}

export interface MetricValue {
  readonly describedObject: {
    readonly kind: string;
    readonly namespace: string;
    readonly name: string;
    readonly apiVersion: string;
  };
  readonly metric: { readonly name: string };
  readonly timestamp: string;
  /** A quantity. */
  readonly value: string;
}

/**
 * What is wanted of a revision, over its pods that a HorizontalPodAutoscaler counts: those that run and stay. It takes
 * their mean times their number, and rounds that up, so each value is cut off to thousandths, and is never more than
 * its share: a hair too much would be another pod.
 */
export function makePodValues(
  source: MetricSource,
  { namespace, name, selects }: Asked,
  now: number,
): MetricValue[] {
  const counted = Array.from(source.pods()).filter(
    (pod) => pod.metadata.namespace === namespace && isCounted(pod),
  );
  const wanted = source.wanted();
  const counts = new Map<string, number>();
  for (const pod of counted) {
    const revision = revisionKeyOf(pod) ?? '';
    counts.set(revision, (counts.get(revision) ?? 0) + 1);
  }
  return counted.flatMap((pod) => {
    const { name: own, labels = {} } = pod.metadata;
    const revision = revisionKeyOf(pod) ?? '';
    const all = wanted.get(revision);
    if (all === undefined || (name !== undefined && name !== own) || !selects(labels)) return [];
    const thousandths = Math.max(0, Math.ceil((all * 1000) / (counts.get(revision) ?? 1)) - 1);
    const described = { kind: 'Pod', namespace, name: own, apiVersion: 'v1' };
    return makeValue(described, `${thousandths}m`, now);
  });
}

/** What is wanted of all revisions of a model together; nothing is known of one that nothing was ordered of. */
export function makeModelValues(
  source: MetricSource,
  { namespace, name = '' }: Omit<Asked, 'selects'>,
  now: number,
): MetricValue[] {
  const model = modelKey(namespace, name);
  const counts = Array.from(source.wanted()).flatMap(([revision, count]) =>
    modelOf(revision) === model ? count : [],
  );
  if (counts.length === 0) return [];
  const sum = counts.reduce((all, count) => all + count, 0);
  const described = { kind: 'Model', namespace, name, apiVersion: 'rouse.dev/v1alpha1' };
  return [makeValue(described, String(sum), now)];
}

function makeValue(
  describedObject: MetricValue['describedObject'],
  value: string,
  now: number,
): MetricValue {
  const timestamp = `${new Date(now).toISOString().slice(0, 19)}Z`;
  return { describedObject, metric: { name: METRIC }, timestamp, value };
}

function isCounted({ metadata, status }: Pod): boolean {
  return metadata.deletionTimestamp === undefined && status?.phase === 'Running';
}
