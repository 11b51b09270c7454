import type { StartTimes } from '#domain/cold-start.ts';
import type { Address, RoutingInstance, StartFailure } from '#domain/routing.ts';
import { type Gate, type GateInstance, OWN } from '../gate/gate.ts';
import { InstanceSessions } from './instance-sessions.ts';
import type { UpstreamPool, Upstream } from './upstream.ts';
import { InstanceConnection } from './instance-connection.ts';

/** Idle connections kept per instance; more than that are closed when they become idle. */
const MAX_IDLE = 256;

/** Of what runs elsewhere, when no model leads there any more. */
const GONE = 'its model was deleted or has let go of it';

/**
 * An instance as the gate sees it, with its connections. The fields of `GateInstance` are written by the gate alone.
 *
 * Invariant: a connection is in use, idle or lingering; while `closed`, none is idle or lingers.
 */
export class InstanceRoute implements GateInstance, UpstreamPool<InstanceConnection> {
  readonly id: string;
  /** `namespace/model/revision`. */
  readonly revision: string;
  readonly address: Address;
  readonly gate: Gate<InstanceRoute>;
  /** ms since the epoch: its start asked for, its program running, ready. */
  askedAt = 0;
  startedAt = 0;
  readyAt = 0;
  index = -1;
  inFlight = 0;
  draining = false;
  /** Requests in a row that ran out of time without an answer. */
  silences = 0;
  /** Control was told that it answers after this failure. */
  reachedAfter: StartFailure | undefined;
  suspended = false;
  /** It is parked, and may be sent to for all that. */
  dozes: boolean;
  /** It was sent to while it dozed, and control has not said yet that it goes on. */
  isRoused = false;
  leased: number;
  claimed: number;
  /** Of the newest lease. */
  sequence = 0;
  private readonly now: () => number;
  /** All that are open. */
  private readonly connections = new Set<InstanceConnection>();
  private readonly idle: InstanceConnection[] = [];
  private readonly lingering = new Set<InstanceConnection>();
  private sessions: InstanceSessions | undefined;
  private readonly takesHttp2: boolean;
  private closed = false;

  constructor(instance: RoutingInstance, gate: Gate<InstanceRoute>, now: () => number) {
    this.now = now;
    this.id = instance.id;
    this.revision = instance.revision;
    this.address = instance.address;
    this.takesHttp2 = 'h2c' in instance.address && instance.address.h2c === true;
    this.gate = gate;
    this.dozes = instance.state === 'dozing';
    this.leased = instance.leased ? 0 : OWN;
    this.claimed = this.leased;
    this.setTimes(instance);
  }

  setTimes({ askedAt, startedAt, readyAt }: StartTimes): void {
    this.askedAt = askedAt;
    this.startedAt = startedAt;
    this.readyAt = readyAt;
  }

  /** It is sent to, and goes on as soon as control hears of it. */
  rouse(): void {
    const now = this.now();
    this.setTimes({ askedAt: now, startedAt: now, readyAt: now });
    this.dozes = false;
    this.isRoused = true;
  }

  /** A connection for the first request, made while the instance cannot take any. */
  connectAhead(): void {
    if (this.takesHttp2 || this.idle.length > 0) return;
    const connection = new InstanceConnection(this, this.now);
    // As one that was used before: the instance may be closing it when its turn comes.
    connection.served = 1;
    this.idle.push(connection);
  }

  /** Whether a request goes there over HTTP/2. */
  isAskedHttp2(isGrpc: boolean): boolean {
    return isGrpc || this.takesHttp2;
  }

  /** A place for one request: on the connection that was used last, so that the others grow old and are dropped. */
  take(isGrpc: boolean): Upstream {
    if (this.isAskedHttp2(isGrpc)) return this.open(isGrpc);
    return this.idle.pop() ?? this.open(false);
  }

  /** A place for one request that is on no connection of the pool. */
  open(isGrpc: boolean): Upstream {
    if (!this.isAskedHttp2(isGrpc)) {
      const connection = new InstanceConnection(this, this.now);
      // As one that was used before: what was frozen may end in the place of going on.
      if (this.isRoused) connection.served = 1;
      this.connections.add(connection);
      return connection;
    }
    this.sessions ??= new InstanceSessions(this.address);
    return this.sessions.open(this.now, isGrpc);
  }

  keepIdle(upstream: InstanceConnection): void {
    if (this.closed || this.draining || this.idle.length >= MAX_IDLE) upstream.destroy();
    else this.idle.push(upstream);
  }

  dropIdle(upstream: InstanceConnection): void {
    const at = this.idle.indexOf(upstream);
    if (at >= 0) this.idle.splice(at, 1);
  }

  linger(upstream: InstanceConnection): void {
    if (this.closed) upstream.destroy();
    else this.lingering.add(upstream);
  }

  endLinger(upstream: InstanceConnection): void {
    this.lingering.delete(upstream);
  }

  forget(upstream: InstanceConnection): void {
    this.connections.delete(upstream);
  }

  /** Closes connections that have been idle, or waited for the instance, for too long. */
  sweep(now: number): void {
    this.sessions?.sweep(now);
    for (const upstream of this.lingering) if (upstream.lingersUntil <= now) upstream.giveUp();
    for (let i = this.idle.length - 1; i >= 0; i -= 1) {
      const upstream = this.idle[i]!;
      if (upstream.idleUntil > now) continue;
      this.idle.splice(i, 1);
      upstream.destroy();
    }
  }

  /** Keeps only what is in use. */
  close(): void {
    this.closed = true;
    this.sessions?.close();
    for (const upstream of this.idle.splice(0)) upstream.destroy();
    for (const upstream of this.lingering) upstream.destroy();
  }

  /** It is not to end after all. */
  reopen(): void {
    this.closed = false;
  }

  /** It is gone. A process ends its connections itself, with its last words in them; what runs elsewhere does not. */
  end(): void {
    this.close();
    if (!('host' in this.address) || this.address.authority === undefined) return;
    for (const connection of this.connections) connection.cut(GONE);
    this.sessions?.cut(GONE);
  }
}
