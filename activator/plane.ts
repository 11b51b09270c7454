import type { Addressing } from './addressing.ts';
import type { Callers } from './callers.ts';
import type { StartFailure } from '#domain/routing.ts';
import type { SharedMetrics } from './metrics/metrics.ts';
import type { Parties } from './gate/parties.ts';
import type { Routes } from './routes.ts';
import type { Shadows } from './shadow/shadows.ts';
import type { RequestDesk } from './request-desk.ts';
import type { InstanceRoute } from './upstream/instance-route.ts';
import type { Inquiry } from './status/inquiry.ts';
import type { Watches } from './status/watches.ts';

/** Limits of the data plane; every one is in force for each connection or for all of them together. */
export interface PlaneLimits {
  /** Bytes of a request head. */
  readonly head: number;
  /** Bytes of a request body. */
  readonly body: number;
  /**
   * Bytes of all requests that wait or are read in order to find their model, of heads not whole, of large heads, of
   * what is sent ahead.
   */
  readonly heldBytes: number;
  /** Open ones; as many streams of HTTP/2 in all of them together. */
  readonly connections: number;
}

/** What all connections of one data plane share. */
export interface Plane {
  readonly routes: Routes;
  readonly addressing: Addressing;
  /** The models are strangers' servers: calls of inference are not read, and browsers get no page of ours. */
  readonly isPassThrough: boolean;
  /** What is for Rouse in requests is for another one behind this; answers get no fields of ours. */
  readonly isTransparent: boolean;
  readonly callers: Callers;
  readonly inquiry: Inquiry;
  readonly watches: Watches;
  readonly desk: RequestDesk;
  readonly shadows: Shadows;
  readonly metrics: SharedMetrics;
  readonly limits: PlaneLimits;
  readonly version: string;
  /** Of `limits.heldBytes`, now. */
  heldBytes: number;
  /** Who shares these. */
  readonly parties: Parties;
  /** Of HTTP/2, open now. */
  streams: number;
  /** No new requests: connections close after the one they have. */
  closing: boolean;
  /** ms since the epoch, with fractions. */
  now(): number;
  /** The field line of a new trace; nothing where none begins, as with `isPassThrough`. */
  startTrace(): string;
  /** The instance refused a connection: tell control, and try it again a little later. */
  onUnreachable(instance: InstanceRoute, reason: string): void;
  /** What runs elsewhere answers again, after this failure: tell control, once. */
  onReached(instance: InstanceRoute, failure: StartFailure): void;
  /** The instance gave no answer to a request for as long as this may run. */
  onSilent(instance: InstanceRoute, reason: string): void;
}

/** A body that is read in order to find its model, at most; also what a caller may send to an OpenAI path. */
export const MAX_ROUTED_BODY = 8 * 1024 * 1024;
/**
 * From its head to the end of such a body, which takes of the bytes that all hold together: 8 MiB at a little over 1 Mbit/s.
 * Who is slower names the model in the head.
 */
export const ROUTED_BODY_TIMEOUT_MS = 60_000;
/** Of a held request's body this much is read and counted; the rest stays in the socket when there is little room. */
export const MAX_HELD_BODY = 64 * 1024;
/** A caller may ask to be held longer than the model says, up to this. */
export const MAX_HOLD_MS = 10 * 60_000;
/** From the first byte of a head to its last: slower clients are cut off. */
export const HEAD_TIMEOUT_MS = 10_000;
/** Between two bytes of a request body. */
export const BODY_TIMEOUT_MS = 60_000;
/** Between two moments at which a caller takes something of an answer that waits for it. */
export const SEND_TIMEOUT_MS = 60_000;
/** Between two requests on a connection. */
export const KEEP_ALIVE_MS = 75_000;
/** The same once the data plane closes: a request that was sent before its caller could know arrives by then. */
export const CLOSING_MS = 500;
/** After a final answer: how long what the caller still sends is taken and thrown away. */
export const LINGER_MS = 2_000;
