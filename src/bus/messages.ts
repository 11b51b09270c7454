import type { RoutingInstance, RoutingModel } from '#domain/routing.ts';

/**
 * What data plane and control say to each other; plain JSON. A receiver ignores types and fields that it
 * does not know, so versions may mix during an upgrade.
 */

/** From control to the data plane. */
export type Downward =
  /** All of the routing state. `epoch` is new with each start of control; `version` counts within it. */
  | {
      readonly type: 'snapshot';
      readonly epoch: string;
      readonly version: number;
      readonly models: readonly RoutingModel[];
      readonly instances: readonly RoutingInstance[];
    }
  | Delta
  /** Answer with `metrics` that carries the same `id`. */
  | { readonly type: 'scrape'; readonly id: number };

/** What changed from `version - 1` to `version`, applied in one turn. Removals first. */
export interface Delta {
  readonly type: 'delta';
  readonly epoch: string;
  readonly version: number;
  readonly models?: readonly RoutingModel[];
  readonly removedModels?: readonly string[];
  readonly instances?: readonly RoutingInstance[];
  readonly removedInstances?: readonly string[];
}

/** From the data plane to control. */
export type Upward =
  /** First message on a link: who this is, and the state it has, so that only what is newer is sent. */
  | {
      readonly type: 'hello';
      readonly dataPlane: string;
      readonly epoch?: string;
      readonly version?: number;
    }
  /** Requests wait and no capacity is on its way that this data plane knows of. Sent at once. */
  | { readonly type: 'wake'; readonly revision: string; readonly queued: number }
  /** Every second, for revisions with anything to tell. */
  | { readonly type: 'load'; readonly at: number; readonly revisions: readonly RevisionLoad[] }
  /** Nothing of this draining instance is in flight here, and nothing will be sent to it. */
  | { readonly type: 'drained'; readonly instance: string }
  /** The instance refused connections or broke its protocol. Control looks into it. */
  | { readonly type: 'suspect'; readonly instance: string; readonly reason: string }
  | { readonly type: 'metrics'; readonly id: number; readonly text: string };

/** Since the last report, except `inFlight` and `queued`, which are now. */
export interface RevisionLoad {
  readonly revision: string;
  readonly inFlight: number;
  readonly queued: number;
  /** Time-weighted mean of in-flight + queued over the interval. */
  readonly concurrency: number;
  readonly arrivals: number;
  readonly coldArrivals: number;
  readonly busySeconds: number;
  readonly coldSeconds: number;
}
