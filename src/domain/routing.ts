import type { Priority } from './priority.ts';
import type { RevisionState, Role, TensorInfo } from './records.ts';
import type { ShadowSpec } from './shadow.ts';
import type { HeaderMatch, QueueSpec, RuntimeName, Timeouts } from './model.ts';

/**
 * The routing state: all that the data plane knows. Control makes it from the store and the runtime and
 * sends it over the bus as a versioned snapshot and deltas; plain JSON, readonly, unknown fields ignored.
 */

export interface RoutingModel {
  readonly namespace: string;
  readonly name: string;
  /** Changes with every change of this model's routing; equal generation = equal content. */
  readonly generation: number;
  /** Resolved: `latest` has become a name, rows of 0 % are kept for their tags. Empty: nothing ready. */
  readonly targets: readonly RoutingTarget[];
  readonly sticky?: { readonly header?: string; readonly cookie?: string };
  /** It belongs to a batch job; lists of models leave it out. */
  readonly ofJob?: true;
  /** Its revision gets copies of requests. It is Ready and in no target with a share. */
  readonly shadow?: RoutingShadow;
  readonly queue: QueueSpec;
  readonly revisions: readonly RoutingRevision[];
}

export type RoutingShadow = Readonly<ShadowSpec>;

export interface RoutingTarget {
  readonly revision: string;
  readonly percent: number;
  readonly tag?: string;
  /** Requests with this header go there, before the others are split. */
  readonly match?: HeaderMatch;
}

export interface RoutingRevision {
  readonly name: string;
  readonly runtime: RuntimeName;
  readonly state: RevisionState;
  readonly reason: string;
  /** Requests that an instance takes at once; 0 = no limit. */
  readonly concurrency: number;
  readonly timeouts: Timeouts;
  /** From arrival, the wait for an instance counted, to the response's head; ms. Absent: only `timeouts.run` ends that. */
  readonly responseStart?: number;
  readonly retry: 'never' | 'safe';
  /** Estimate for `Retry-After`; seconds, 0 = not measured yet. */
  readonly coldStartSeconds: number;
  /** A start is under way, and waits for something outside of it: "waits for room: …". */
  readonly waitingFor?: string;
  /** The last start has failed. Until `until` (ms; 0: it is tried again) nobody is held for it, callers get the reason. */
  readonly startFailure?: StartFailure;
  readonly platform: string;
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
}

export interface StartFailure {
  readonly message: string;
  readonly until: number;
}

/** Where an instance listens. `node` names the machine; the data plane reaches what its node reaches. */
export type Address =
  | { readonly node: string; readonly socket: string }
  | {
      readonly node: string;
      readonly host: string;
      readonly port: number;
      /** For runtime `url`: TLS, Host to send, and what goes before each path. */
      readonly tls?: boolean;
      readonly authority?: string;
      readonly basePath?: string;
      /** Everything goes there over HTTP/2 in clear, spoken from the first byte. Absent: only gRPC does. */
      readonly h2c?: true;
    };

/** An instance as the data plane sees it: only those that may be sent to, are parked, or are on their way out. */
export interface RoutingInstance {
  readonly id: string;
  /** `namespace/model/revision`. */
  readonly revision: string;
  readonly address: Address;
  /**
   * `ready`: grant to it. `draining`: no new grants; answer `drained` when nothing is in flight. `parked`: no grants until
   * it is ready, which it is at once when it is woken; it takes connections, and reads them then. `dozing`: parked, but
   * where nothing else is to be had it is granted to, with a `wake` that names it. When it is parked for good, answer
   * `closed` unless that was sent: then it is about to be ready.
   */
  readonly state: 'ready' | 'draining' | 'parked' | 'dozing';
  /** Its slots are leased: a data plane uses as many as control leases to it, none until then. Absent: all are its own. */
  readonly leased?: true;
  /** When its start was asked for, when its program ran, when it was ready: ms since the epoch. */
  readonly askedAt: number;
  readonly startedAt: number;
  readonly readyAt: number;
}

/** A key that callers of models may show. */
export interface RoutingKey {
  readonly id: string;
  readonly role: Role;
  /** SHA-256 of the secret part, in hex. */
  readonly hash: string;
  /** The highest that its requests may have, and have when they ask for nothing. */
  readonly priority: Priority;
}
