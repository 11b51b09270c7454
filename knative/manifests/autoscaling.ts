import type { RevisionSpec } from '#domain/model.ts';
import type { Wanted } from '#runtime/runtime.ts';
import type { KubeObject, Texts } from '../api/objects.ts';

/**
 * One of Knative's autoscalers owns the number of pods; Rouse steers it. What steers is live as annotations, from Knative
 * 1.21 on of the Revision, which hands them to its PodAutoscaler, before of the PodAutoscaler itself: the other one
 * is reverted, or never looked at. Any other annotation or label of a Revision would start all its pods anew.
 */

const GROUP = 'autoscaling.knative.dev';
/** The first version in which the Revision's annotations are handed on. */
const LIVE_ON_REVISIONS = 21;
/** The shortest that Knative takes. */
const SHORTEST_WINDOW = '6s';

/** What carries the live annotations. */
export type ScaleCarrier = 'revisions' | 'podautoscalers';

/** `version` as Knative's release labels say it: `1.20.3`, `v1.23.0`. What says no version is a build of today. */
export function decideScaleCarrier(version: string | undefined): ScaleCarrier {
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(version ?? '') ?? [];
  if (major === undefined || Number(major) > 1) return 'revisions';
  return Number(major) < 1 || Number(minor) < LIVE_ON_REVISIONS ? 'podautoscalers' : 'revisions';
}

/**
 * Who counts a Revision's pods, for as long as it lives: Knative itself by its bounds (`kpa`), or a
 * HorizontalPodAutoscaler that Knative makes, by the metric that Rouse serves (`knative/metrics-api`).
 */
export type Scaler = NonNullable<RevisionSpec['autoscaler']>;

/** Of a pod: how many of the instances that are wanted it stands for. */
export const METRIC = 'rouse_wanted_instances';

const CLASS = `${GROUP}/class`;

/**
 * Of every Revision, from the start. It shall be found out whether one instance becomes ready. The class is said,
 * whatever the cluster's default is: `hpa` never goes to zero. How long what is idle is kept is decided by Rouse; and
 * so is the pace, for which a HorizontalPodAutoscaler has a window of its own.
 */
export function makeStarting(scaler: Scaler): Texts {
  return {
    [CLASS]: `${scaler}.${GROUP}`,
    [`${GROUP}/initial-scale`]: '1',
    [`${GROUP}/scale-to-zero-pod-retention-period`]: '0s',
    ...(scaler === 'hpa' && {
      [`${GROUP}/metric`]: METRIC,
      [`${GROUP}/target`]: '1',
      [`${GROUP}/window`]: SHORTEST_WINDOW,
    }),
  };
}

export function scalerOf({ metadata }: KubeObject): Scaler {
  return metadata.annotations?.[CLASS] === `hpa.${GROUP}` ? 'hpa' : 'kpa';
}

/** What steers a Revision, by annotation; null: not set, so the cluster's default holds. */
export type Steering = Readonly<Record<string, string | null>>;

/** The pods of a Revision that are not about to go: there are none, none is ready yet, or one is. */
export type PodsState = 'none' | 'starting' | 'ready';

/**
 * A HorizontalPodAutoscaler is told the number by its metric, and here what it may be: the least and the most.
 *
 * Of Knative's own:
 * - `min-scale` is what is wanted now, `max-scale` the most; 0 would be no limit to Knative.
 * - `target-utilization-percentage` lets the autoscaler count as Rouse does.
 * - `window` is short while the last ones shall go: their keep-alive is over, and a mean over a minute that is over,
 *   too, is no reason to stay.
 * - `target-burst-capacity` -1 says of what sleeps what is so: all requests come through the activator. An
 *   autoscaler that was started anew knows nothing of a Revision without pods, and ignores its bounds until it hears
 *   of a request; but with -1 it takes silence for no load, and the lower bound wakes it. What starts keeps what
 *   it has.
 */
export function makeSteering(wanted: Wanted, pods: PodsState, scaler: Scaler): Steering {
  const { min, max, desired, target } = wanted;
  const most = Math.max(1, max);
  if (scaler === 'hpa') return makeBounds(Math.min(Math.max(1, min), most), most);
  const burst = pods === 'none' ? '-1' : null;
  return {
    ...makeBounds(Math.min(desired, most), most),
    [`${GROUP}/window`]: desired === 0 && pods !== 'none' ? SHORTEST_WINDOW : null,
    ...(target !== undefined && { [`${GROUP}/target-utilization-percentage`]: percentOf(target) }),
    ...(pods !== 'starting' && { [`${GROUP}/target-burst-capacity`]: burst }),
  };
}

function makeBounds(least: number, most: number): Steering {
  return { [`${GROUP}/min-scale`]: String(least), [`${GROUP}/max-scale`]: String(most) };
}

/** Whether the object is steered so already. */
export function isSteered(annotations: Texts | undefined, steering: Steering): boolean {
  return Object.entries(steering).every(([key, value]) => (annotations?.[key] ?? null) === value);
}

/** Knative takes 1 to 100. */
function percentOf(share: number): string {
  return String(Math.min(100, Math.max(1, Math.round(share * 100))));
}
