import type { RoutingInstance, RoutingKey, RoutingModel } from '#domain/routing.ts';
import type { RequestInquiry, RequestReply, Submission } from './requests.ts';

/**
 * What data plane and control say to each other; plain JSON. A receiver ignores types and fields that it
 * does not know, so versions may mix during an upgrade.
 */

/** From control to the data plane. */
export type Downward =
  | Snapshot
  | Delta
  /**
   * So many slots of each instance are this data plane's. Fewer than before: `released` says when they are free.
   * `version` is that of the state which they go with; `gaps`: of so many gaps the data plane had told on this link.
   */
  | {
      readonly type: 'lease';
      readonly epoch: string;
      readonly version: number;
      readonly gaps?: number;
      readonly leases: readonly NewLease[];
    }
  /** Answer with `metrics` that carries the same `id`. */
  | { readonly type: 'scrape'; readonly id: number }
  /** Answer with `told` that carries the same `id`. */
  | ({ readonly type: 'ask'; readonly id: number } & Question)
  /** To the data plane that has asked: what the others told. `complete`: all of them have. */
  | {
      readonly type: 'answers';
      readonly id: number;
      readonly told: readonly RevisionWaits[];
      readonly complete: boolean;
    }
  /** To the data plane that sent a `submit` or `inquire` with this `id`. */
  | { readonly type: 'reply'; readonly id: number; readonly reply: RequestReply };

/** What waits for a revision, and where in the queue a request is. */
export interface Question {
  readonly revision: string;
  /** A name of a held request, with its model's and its caller's; ''. */
  readonly request: string;
}

/** All of the routing state. `epoch` is new with each start of control; `version` counts within it. */
export interface Snapshot {
  readonly type: 'snapshot';
  readonly epoch: string;
  readonly version: number;
  readonly models: readonly RoutingModel[];
  readonly instances: readonly RoutingInstance[];
  readonly keys?: readonly RoutingKey[];
  /** The next message goes on with this one; what they say is applied in one turn. */
  readonly more?: true;
}

/** What changed from `version - 1` to `version`, applied in one turn. Removals first. */
export interface Delta {
  readonly type: 'delta';
  readonly epoch: string;
  readonly version: number;
  readonly models?: readonly RoutingModel[];
  readonly removedModels?: readonly string[];
  readonly instances?: readonly RoutingInstance[];
  readonly removedInstances?: readonly string[];
  readonly keys?: readonly RoutingKey[];
  readonly removedKeys?: readonly string[];
  /** As in a snapshot. */
  readonly more?: true;
}

/** Absolute numbers, for one data plane and an instance whose slots are leased. */
export interface Lease {
  readonly instance: string;
  readonly slots: number;
  /** Grows from lease to lease. */
  readonly sequence: number;
}

export interface NewLease extends Lease {
  /** What was sent before may be lost: `released` shall say what is held now, whatever that is. */
  readonly answer?: true;
}

/** From the data plane to control. */
export type Upward =
  /**
   * First message on a link: who this is, and the state it has, so that only what is newer is sent. Once more when
   * something is missing in what came over the link: then all is sent again.
   */
  | {
      readonly type: 'hello';
      readonly dataPlane: string;
      readonly epoch?: string;
      readonly version?: number;
      /** Slots that it may be using: what was leased to it and not released, with the newest that it heard of. */
      readonly leases?: readonly Lease[];
    }
  /** Requests wait and no capacity is on its way that this data plane knows of. Sent at once. */
  | {
      readonly type: 'wake';
      readonly revision: string;
      readonly queued: number;
      /** With what is sent to `instance`. Absent: as it was told last. */
      readonly inFlight?: number;
      /** It dozed, and has been sent a request: it goes on at once, whatever is decided. */
      readonly instance?: string;
    }
  /** It uses no more than `slots` of this instance, and will not until a later lease; `sequence` is that of the newest it heard of. */
  | ({ readonly type: 'released' } & Lease)
  /**
   * After a `wake`: when what it was for has been served. For leased slots also every few milliseconds while somebody
   * waits, and when nobody does any more.
   */
  | { readonly type: 'demand'; readonly revisions: readonly RevisionDemand[] }
  /** Every second, for revisions with anything to tell; once without any when there is nothing more to tell. */
  | { readonly type: 'load'; readonly at: number; readonly revisions: readonly RevisionLoad[] }
  /** Nothing of this draining instance is in flight here, and nothing will be sent to it. */
  | { readonly type: 'drained'; readonly instance: string }
  /** This instance, which dozed, will be sent nothing before it is ready. */
  | { readonly type: 'closed'; readonly instance: string }
  /** The instance refused connections or broke its protocol. Control looks into it. */
  | {
      readonly type: 'suspect';
      readonly instance: string;
      readonly reason: string;
      /** It takes requests and answers none: no further complaint is needed. */
      readonly hangs?: boolean;
    }
  /** What runs elsewhere has answered a request after it could not be reached. */
  | { readonly type: 'reached'; readonly instance: string }
  | { readonly type: 'metrics'; readonly id: number; readonly text: string }
  /** For the other data planes, by way of control. */
  | ({ readonly type: 'ask'; readonly id: number } & Question)
  | { readonly type: 'told'; readonly id: number; readonly waits: RevisionWaits }
  /** A caller does not wait for the answer to its request. Answer with `reply` once that is durable. */
  | { readonly type: 'submit'; readonly id: number; readonly submission: Submission }
  /** What became of such a request. Answer with `reply`. */
  | { readonly type: 'inquire'; readonly id: number; readonly inquiry: RequestInquiry }
  /** Nobody waits for that reply any more. */
  | { readonly type: 'dismiss'; readonly id: number };

/** Now, at one data plane. */
export interface RevisionDemand {
  readonly revision: string;
  readonly inFlight: number;
  readonly queued: number;
}

/** How a revision's requests wait at one data plane, or at several together. */
export interface RevisionWaits {
  readonly waiting: number;
  readonly inFlight: number;
  /** An instance is there that may be sent to. */
  readonly warm: boolean;
  /** A request that comes now is served at once. */
  readonly hasRoom: boolean;
  /** For how long an instance has been asked for that is not there yet, seconds. */
  readonly startingSeconds?: number;
  /** Requests that may be in flight at once; 0 also where there is no limit. */
  readonly capacity: number;
  /** Mean time that a request takes at an instance. Absent: not measured. */
  readonly serviceSeconds?: number;
  /** The revision that the request waits for, where it is another than the one that was asked for. */
  readonly heldFor?: string;
  /** Requests before the one that was asked for. Absent: that does not wait here. */
  readonly ahead?: number;
  /** What became of the one that was asked for, if it waited here lately. */
  readonly ended?: 'granted' | 'refused';
}

/** Since the last report, except `inFlight` and `queued`, which are now. */
export interface RevisionLoad extends RevisionDemand {
  /** Time-weighted mean of in-flight + queued over the interval. */
  readonly concurrency: number;
  readonly arrivals: number;
  readonly coldArrivals: number;
  readonly busySeconds: number;
  readonly coldSeconds: number;
  /**
   * What became of requests that ended: answered below 500, or failed by what the revision did. Those that waited for
   * an instance to start, callers that left, and what Rouse itself refused for lack of room are in none. Absent: 0.
   */
  readonly ok?: number;
  readonly failed?: number;
  /** Of `ok`, from arrival to the end of the answer: pairs of a bucket of `#domain/latency.ts` and a count. */
  readonly latency?: readonly number[];
  /** The wait of those that were answered, in the same form; cold ones are in it. */
  readonly waits?: readonly number[];
}
