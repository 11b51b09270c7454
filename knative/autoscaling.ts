import type { Wanted } from '#runtime/runtime.ts';
import type { Texts } from './objects.ts';

/**
 * Knative's autoscaler owns the number of pods; Rouse steers its bounds. They are live as annotations, from
 * Knative 1.21 on of the Revision, which hands them to its PodAutoscaler, before of the PodAutoscaler itself:
 * the other one is reverted, or never looked at.
 */

const GROUP = 'autoscaling.knative.dev';
/** The first version in which the Revision's annotations are handed on. */
const LIVE_ON_REVISIONS = 21;

/** What carries the live bounds. */
export type ScaleCarrier = 'revisions' | 'podautoscalers';

/** `version` as Knative's release labels say it: `1.20.3`, `v1.23.0`. What says no version is a build of today. */
export function decideScaleCarrier(version: string | undefined): ScaleCarrier {
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(version ?? '') ?? [];
  if (major === undefined || Number(major) > 1) return 'revisions';
  return Number(major) < 1 || Number(minor) < LIVE_ON_REVISIONS ? 'podautoscalers' : 'revisions';
}

/** Of every Revision, from the start: it shall be found out whether one instance becomes ready. */
export const STARTING: Texts = {
  [`${GROUP}/class`]: `kpa.${GROUP}`,
  [`${GROUP}/initial-scale`]: '1',
};

/** `desired` is the least that runs now. A `max` of 0 would be no limit to Knative. */
export function makeBounds({ max, desired }: Wanted): Texts {
  return {
    [`${GROUP}/min-scale`]: String(Math.min(desired, Math.max(1, max))),
    [`${GROUP}/max-scale`]: String(Math.max(1, max)),
  };
}

/** Whether the object has these bounds already. */
export function hasBounds(annotations: Texts | undefined, bounds: Texts): boolean {
  return Object.entries(bounds).every(([key, value]) => annotations?.[key] === value);
}
