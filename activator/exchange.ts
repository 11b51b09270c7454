import type { RoutingRevision } from '#domain/routing.ts';
import { duration } from '#domain/units.ts';
import { type Destination, type Dialect, findDestination, findNamed } from './address.ts';
import {
  type Answer,
  makeHealth,
  makeOpenAiModels,
  makeRefusal,
  makeV1Model,
  makeV2Model,
  makeV2Ready,
  makeV2Server,
} from './answers.ts';
import type { Client } from './client.ts';
import {
  FULL_BYTES,
  FULL_COUNT,
  type Gate,
  HOLD,
  NO_HOLD,
  type Refused,
  type Waiter,
} from './gate.ts';
import type { ResponseHead } from './http/response-head.ts';
import { writeChunk } from './http/write-chunk.ts';
import { countRefusal, createRevisionMetrics } from './metrics.ts';
import { MAX_HELD_BODY, MAX_HOLD_MS, MAX_ROUTED_BODY, type Plane } from './plane.ts';
import { Response } from './response.ts';
import { type ModelRoute, mustRefuse, type RevisionRoute } from './routes.ts';
import type { Slot } from './slot.ts';
import { chooseRevision, type Choice } from './split.ts';
import { timingOf } from './timing.ts';
import { Upstream, type UpstreamUser } from './upstream.ts';

const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);
const NEVER = Number.POSITIVE_INFINITY;
/** A caller that closed its connection, in the metrics: the code that nginx made common. */
const CLIENT_CLOSED = 499;

/** `ROUTING`: the body is read in order to find the model. `HELD`: in a gate. */
const OVER = 0;
const PREPARED = 1;
const ROUTING = 2;
const HELD = 3;
const CONNECTING = 4;
const SENT = 5;
const RESPONDING = 6;
const TUNNEL = 7;

/**
 * One request's life on a connection: routed, held, granted, forwarded, answered. Used again for the next.
 *
 * Invariants:
 *  1. `slot` is set exactly while the gate counts this request in flight; `end` gives it back once.
 *  2. Body bytes are in `held` or have been written upstream, never both, until nothing can be replayed.
 *  3. After the first byte of a response went to the caller nothing else than the rest of it follows;
 *     what can't be completed is cut.
 */
export class Exchange implements Waiter, UpstreamUser {
  previous: Waiter | undefined;
  next: Waiter | undefined;
  waitsIn: Gate | undefined;
  order = 0;
  heldBytes = 0;
  private readonly client: Client;
  private readonly plane: Plane;
  private readonly response: Response;
  private state = OVER;
  private dialect: Dialect = 'problem';
  private path = '';
  private route: RevisionRoute | undefined;
  private setCookie = '';
  private slot: Slot | undefined;
  private upstream: Upstream | undefined;
  private held: Buffer[] = [];
  private routedBytes = 0;
  private bodyEnding = '';
  private replayable = true;
  private callerWaits = false;
  private arrivedAt = 0;
  private grantedAt = 0;
  private waited = false;
  private deadline = NEVER;
  private totalDeadline = NEVER;

  constructor(client: Client, plane: Plane) {
    this.client = client;
    this.plane = plane;
    this.response = new Response(client.socket);
  }

  get isTunnel(): boolean {
    return this.state === TUNNEL;
  }

  /** A new request: its head has been read, its body may follow before `begin`. */
  prepare(): void {
    this.state = PREPARED;
    this.route = undefined;
    this.setCookie = '';
    this.held = [];
    this.heldBytes = 0;
    this.bodyEnding = '';
    this.replayable = true;
    this.callerWaits = this.client.head.expectContinue;
    this.arrivedAt = this.plane.now();
    this.grantedAt = 0;
    this.waited = false;
    this.deadline = NEVER;
    this.totalDeadline = NEVER;
  }

  begin(): void {
    this.follow(findDestination(this.client.head, this.plane.routes));
  }

  // The request's body

  onBody(buffer: Buffer, ranges: readonly number[]): void {
    if (this.state === OVER) return;
    if (this.state >= SENT && this.upstream) {
      this.replayable = false;
      if (!this.writeBody(this.upstream, buffer, ranges)) this.client.socket.pause();
      return;
    }
    for (let i = 0; i < ranges.length; i += 2) this.hold(buffer.subarray(ranges[i], ranges[i + 1]));
  }

  /** `ending`: what closes a chunked body upstream. */
  onBodyEnd(ending: string): void {
    this.bodyEnding = ending;
    if (this.state === ROUTING) this.routeByBody();
    else if (this.state >= SENT && ending !== '') this.upstream?.socket.write(ending, 'latin1');
  }

  onBadBody(detail: string, answer?: () => void): void {
    if (this.response.started) {
      this.abandon();
      this.client.cut();
      return;
    }
    this.abandon();
    if (answer) answer();
    else this.client.refuse(400, 'bad_request', detail);
  }

  /** No byte of the body for too long. */
  onBodyStalled(): void {
    if (this.state === HELD) return;
    this.fail(408, 'bad_request', 'The request body came too slowly.');
  }

  private hold(piece: Buffer): void {
    this.held.push(piece);
    if (!this.waitsIn) this.heldBytes += piece.length;
    else if (!this.waitsIn.hold(this, piece.length)) {
      if (this.route) this.refuseFull(this.route, 'the waiting requests hold all bytes they may');
      return;
    }
    if (this.state === ROUTING) this.countRouted(piece.length);
    else if (this.heldBytes >= MAX_HELD_BODY) this.client.socket.pause();
  }

  /** Bodies that are read to find their model share one budget. */
  private countRouted(bytes: number): void {
    this.routedBytes += bytes;
    this.plane.routedBytes += bytes;
    if (this.routedBytes > MAX_ROUTED_BODY) this.refuseRouted();
  }

  private refuseRouted(): void {
    this.refuse(413, 'too_large', `The body is larger than ${MAX_ROUTED_BODY} bytes.`);
  }

  // Where it goes

  private follow(destination: Destination): void {
    switch (destination.kind) {
      case 'unknown':
        this.dialect = destination.dialect;
        this.refuse(404, 'not_found', destination.detail);
        break;
      case 'local':
        this.finishLocally(this.makeLocal(destination));
        break;
      case 'body':
        this.dialect = 'openai';
        this.readToRoute();
        break;
      case 'model':
        this.dialect = destination.dialect;
        this.path = destination.path;
        this.toModel(destination.model, destination.revision, destination.tag);
    }
  }

  private makeLocal(destination: Extract<Destination, { kind: 'local' }>): Answer {
    const { model, revision } = destination;
    switch (destination.what) {
      case 'v2-server':
        return makeV2Server(this.plane.version);
      case 'openai-models':
        return makeOpenAiModels(this.plane.routes);
      case 'v2-model':
        return model ? makeV2Model(model, revision) : makeHealth();
      case 'v2-model-ready':
        return model ? makeV2Ready(model, revision) : makeHealth();
      case 'v1-model':
        return model ? makeV1Model(model, revision) : makeHealth();
      default:
        return makeHealth();
    }
  }

  private readToRoute(): void {
    const { client, plane } = this;
    if (client.head.contentLength > MAX_ROUTED_BODY) this.refuseRouted();
    else if (plane.routedBytes > plane.limits.routedBodies) {
      this.refuse(503, 'unavailable', 'Too many bodies are being read at once.', 1);
    } else {
      this.state = ROUTING;
      this.countRouted(this.heldBytes);
      if (client.bodyDone) this.routeByBody();
      else {
        client.socket.resume();
        this.sendContinue();
      }
    }
  }

  private routeByBody(): void {
    if (this.state !== ROUTING) return;
    const { client } = this;
    let name: unknown;
    try {
      const body: unknown = JSON.parse(Buffer.concat(this.held).toString('utf8'));
      if (typeof body === 'object' && body !== null && 'model' in body) name = body.model;
    } catch {
      this.refuse(400, 'bad_request', 'The body is not JSON, so the model it names is unknown.');
      return;
    }
    this.follow(findNamed(name, client.head.target, this.plane.routes));
  }

  private toModel(model: ModelRoute, revision: string, tag: string | undefined): void {
    this.forgetRouted();
    const choice = chooseRevision(this.plane, model, revision, tag, this.client.head.fields);
    if ('detail' in choice) {
      this.refuse(choice.status, choice.code, choice.detail, choice.retryAfter);
      return;
    }
    this.enter(choice);
  }

  private enter({ route, setCookie }: Extract<Choice, { route: RevisionRoute }>): void {
    this.route = route;
    this.setCookie = setCookie;
    const { namespace, name } = route.model.routing;
    route.metrics ??= createRevisionMetrics(namespace, name, route.routing.name);
    route.metrics.arrivals += 1;
    if (mustRefuse(route.routing, this.arrivedAt)) {
      this.onRefused('failed');
      return;
    }
    const holdMs = this.holdOf(route.routing);
    if (holdMs < 0) return;
    const { total } = route.routing.timeouts;
    if (total !== undefined) this.totalDeadline = this.arrivedAt + total;
    this.state = HELD;
    this.deadline = this.arrivedAt + holdMs;
    const decision = route.gate.enter(this, holdMs);
    if (decision === HOLD) this.onHeld();
    else if (decision === FULL_COUNT) this.refuseFull(route, 'as many requests wait as may wait');
    else if (decision === FULL_BYTES)
      this.refuseFull(route, 'the waiting requests hold all bytes they may');
    else if (decision === NO_HOLD) this.refuseNoHold(route);
  }

  /** The caller's Rouse-Hold, or the model's own; -1 after a refusal. */
  private holdOf(revision: RoutingRevision): number {
    const asked = this.client.head.rouseHold;
    if (asked === '') return revision.timeouts.hold;
    const parsed = duration.safeParse(asked);
    if (parsed.success) return Math.min(parsed.data, Math.max(MAX_HOLD_MS, revision.timeouts.hold));
    this.refuse(400, 'bad_request', 'Rouse-Hold must be a duration such as 500ms, 5s or 0.');
    return -1;
  }

  // Waiting

  private onHeld(): void {
    this.waited = true;
    if (this.heldBytes >= MAX_HELD_BODY) this.client.socket.pause();
  }

  private refuseFull(route: RevisionRoute, what: string): void {
    const { model, routing } = route;
    this.refuse(
      503,
      'queue_full',
      `Revision ${routing.name} of ${model.routing.name} is overloaded: ${what}.`,
      retryAfterOf(routing),
    );
  }

  private refuseNoHold(route: RevisionRoute): void {
    const detail = `No instance of ${route.model.routing.name} is free now, and Rouse-Hold says not to wait.`;
    route.gate.knock();
    this.refuse(503, 'unavailable', detail, retryAfterOf(route.routing));
  }

  onRefused(reason: Refused): void {
    const { routing } = this.route ?? {};
    if (reason === 'removed' || !routing) {
      this.refuse(404, 'not_found', 'The revision was deleted while the request waited for it.');
    } else if (routing.state === 'Failed') {
      this.refuse(503, 'revision_failed', `Revision ${routing.name} has failed: ${routing.reason}`);
    } else {
      const failure = routing.startFailure;
      const seconds = failure ? (failure.until - this.plane.now()) / 1000 : 1;
      const detail = `Revision ${routing.name} does not start: ${failure?.message ?? routing.reason}`;
      this.refuse(503, 'start_failed', detail, Math.max(1, Math.ceil(seconds)));
    }
  }

  onGranted(slot: Slot): void {
    this.slot = slot;
    this.grantedAt = this.plane.now();
    this.state = CONNECTING;
    this.deadline = this.grantedAt + (this.route?.routing.timeouts.run ?? NEVER);
    this.connect(slot, slot.takeIdle() ?? new Upstream(slot, () => this.plane.now()));
  }

  private connect(slot: Slot, upstream: Upstream): void {
    this.upstream = upstream;
    upstream.use(this, this.client.head.method);
    if (upstream.connected) this.send(slot, upstream);
  }

  // To the instance

  onConnected(): void {
    if (this.upstream && this.slot) this.send(this.slot, this.upstream);
  }

  private send(slot: Slot, upstream: Upstream): void {
    const { client } = this;
    const { socket } = upstream;
    this.state = SENT;
    socket.cork();
    socket.write(this.makeHead(slot), 'latin1');
    if (this.held.length > 0) this.flushHeld(upstream);
    if (client.bodyDone && this.bodyEnding !== '') socket.write(this.bodyEnding, 'latin1');
    socket.uncork();
    if (!client.bodyDone) this.sendContinue();
    if (!socket.writableNeedDrain) client.socket.resume();
  }

  private flushHeld(upstream: Upstream): void {
    for (const piece of this.held) this.writeBody(upstream, piece, [0, piece.length]);
    if (this.client.bodyDone && this.heldBytes <= MAX_HELD_BODY) return;
    this.replayable = false;
    this.held = [];
  }

  private makeHead(slot: Slot): string {
    const { client } = this;
    const { head } = client;
    const { address } = slot;
    const inner = 'host' in address ? address : undefined;
    const path = inner?.basePath ? inner.basePath + this.path : this.path;
    const host = inner?.authority ?? (head.host === '' ? 'localhost' : head.host);
    return (
      `${head.forwardHead(path, host)}X-Forwarded-For: ${client.address}\r\n` +
      `X-Forwarded-Proto: http\r\n${head.host === '' ? '' : `X-Forwarded-Host: ${head.host}\r\n`}\r\n`
    );
  }

  private writeBody(upstream: Upstream, buffer: Buffer, ranges: readonly number[]): boolean {
    const { socket } = upstream;
    if (!this.client.head.chunked) return socket.write(buffer.subarray(ranges[0], ranges[1]));
    return writeChunk(socket, buffer, ranges);
  }

  private sendContinue(): void {
    if (!this.callerWaits) return;
    this.callerWaits = false;
    this.client.socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1');
  }

  onWritable(): void {
    if (this.state !== OVER) this.client.socket.resume();
  }

  onCallerWritable(): void {
    this.upstream?.socket.resume();
  }

  onBroken(before: 'connect' | 'response' | 'end', reason: string): void {
    const upstream = this.upstream;
    this.upstream = undefined;
    if (before === 'connect') this.goBack(reason);
    else if (this.response.started) {
      this.abandon();
      this.client.cut();
    } else if (before === 'response' && upstream && this.mayReplay(upstream)) {
      this.state = CONNECTING;
      if (this.slot) this.connect(this.slot, new Upstream(this.slot, () => this.plane.now()));
    } else
      this.refuse(502, 'instance_lost', `The instance was lost before it answered: ${reason}.`);
  }

  /** A reused connection that closed before any byte of a response was most likely closing already. */
  private mayReplay(upstream: Upstream): boolean {
    if (upstream.served < 2 || upstream.answering || !this.replayable) return false;
    return IDEMPOTENT.has(this.client.head.method) || this.route?.routing.retry === 'safe';
  }

  /** Not a byte was written: the request waits again, at the front, for another instance or a better moment. */
  private goBack(reason: string): void {
    const { slot, route } = this;
    if (!slot || !route) return;
    this.slot = undefined;
    this.state = HELD;
    this.waited = true;
    this.deadline = this.arrivedAt + Math.max(0, this.holdOf(route.routing));
    this.plane.onUnreachable(slot, reason);
    slot.gate.leave(slot);
    route.gate.rejoin(this);
  }

  // From the instance

  onInformational(head: ResponseHead): void {
    if (head.status === 100 || this.client.head.minor === 0) return;
    this.client.socket.write(`${head.forwardHead({ dropFraming: true })}\r\n`, 'latin1');
  }

  onHead(head: ResponseHead): void {
    if (head.status === 101) {
      this.beginTunnel(head);
      return;
    }
    this.state = RESPONDING;
    this.observeHead(head.status);
    this.response.begin(this.client, head, this.extraFields());
    this.deadline = this.idleDeadline();
  }

  private extraFields(): string {
    const { route, slot } = this;
    if (!route || !slot) return '';
    const timing = timingOf(slot, this.arrivedAt, this.grantedAt, this.plane.now(), this.isCold());
    return (
      `Rouse-Revision: ${route.routing.name}\r\nRouse-Cold-Start: ${this.isCold()}\r\n` +
      `Server-Timing: ${timing}\r\n${this.setCookie}`
    );
  }

  /** It waited, and for an instance that was not ready when it came. */
  private isCold(): boolean {
    return this.waited && this.slot !== undefined && this.slot.readyAt > this.arrivedAt;
  }

  private observeHead(status: number): void {
    const metrics = this.route?.metrics;
    if (!metrics) return;
    metrics.codes[status - 100]! += 1;
    const waitedMs = this.grantedAt - this.arrivedAt;
    metrics.wait.add(waitedMs / 1000);
    if (!this.isCold()) return;
    metrics.coldRequests += 1;
    metrics.coldArrivals += 1;
    metrics.coldMs += waitedMs;
    metrics.phases.queue.add(waitedMs / 1000);
    metrics.phases.infer.add((this.plane.now() - this.grantedAt) / 1000);
  }

  cork(): void {
    this.client.socket.cork();
  }

  uncork(): void {
    this.client.socket.uncork();
  }

  onData(buffer: Buffer, ranges: readonly number[]): void {
    this.deadline = this.idleDeadline();
    if (!this.response.write(buffer, ranges)) this.upstream?.socket.pause();
  }

  private idleDeadline(): number {
    const idle = this.route?.routing.timeouts.idle ?? 0;
    return idle === 0 ? NEVER : this.plane.now() + idle;
  }

  onEnd(trailers: string): void {
    this.response.end(trailers);
    const keep = this.client.keepsAlive() && !this.response.endsConnection;
    this.end(this.client.bodyDone);
    this.client.next(keep);
  }

  // After a 101

  private beginTunnel(head: ResponseHead): void {
    if (this.client.head.upgrade === '') {
      this.abandon();
      this.refuse(502, 'bad_upstream', 'The instance switched protocols without being asked.');
      return;
    }
    this.state = TUNNEL;
    this.observeHead(101);
    this.response.started = true;
    this.client.socket.write(
      `${head.forwardHead({ dropFraming: true })}Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n` +
        `${this.extraFields()}\r\n`,
      'latin1',
    );
    this.deadline = this.idleDeadline();
    const early = this.client.takeAhead();
    if (early) this.onCallerTunnelData(early);
    this.client.socket.resume();
  }

  onCallerTunnelData(buffer: Buffer): void {
    this.deadline = this.idleDeadline();
    if (!this.upstream) return;
    if (!this.upstream.socket.write(buffer)) this.client.socket.pause();
  }

  onTunnelData(buffer: Buffer): void {
    this.deadline = this.idleDeadline();
    if (!this.client.socket.write(buffer)) this.upstream?.socket.pause();
  }

  onTunnelEnd(): void {
    this.end(false);
    this.client.linger();
  }

  // Ends

  /** Time passes: the nearest of hold, run, idle and total. */
  sweep(now: number): void {
    if (now < this.deadline && now < this.totalDeadline) return;
    if (this.state === OVER || this.state === ROUTING) return;
    if (this.state === HELD) this.onHoldEnded();
    else if (this.state >= RESPONDING) {
      this.abandon();
      this.client.cut();
    } else {
      const seconds = (this.route?.routing.timeouts.run ?? 0) / 1000;
      this.fail(504, 'run_timeout', `The model did not answer within ${seconds}s.`);
    }
  }

  private onHoldEnded(): void {
    const { route } = this;
    if (!route) return;
    const waited = Math.round((this.plane.now() - this.arrivedAt) / 100) / 10;
    const state = route.gate.isWarm ? 'all its instances are busy' : 'no instance became ready';
    const detail = `The request waited ${waited}s for ${route.model.routing.name} and ${state}.`;
    this.fail(504, 'hold_timeout', detail, retryAfterOf(route.routing));
  }

  onCallerGone(): void {
    if (this.state === OVER) return;
    if (this.state < RESPONDING) this.countCode(CLIENT_CLOSED);
    this.abandon();
  }

  private fail(status: number, code: string, detail: string, retryAfter?: number): void {
    if (this.response.started) {
      this.abandon();
      this.client.cut();
    } else this.refuse(status, code, detail, retryAfter);
  }

  private refuse(status: number, code: string, detail: string, retryAfter?: number): void {
    countRefusal(this.plane.metrics, code);
    this.countCode(status);
    const extra =
      (retryAfter === undefined ? '' : `Retry-After: ${retryAfter}\r\n`) +
      (this.route ? `Rouse-Revision: ${this.route.routing.name}\r\n` : '');
    this.finishLocally(makeRefusal(this.dialect, status, code, detail), extra);
  }

  private finishLocally(answer: Answer, extra = ''): void {
    this.abandon();
    this.client.answer(answer, extra);
  }

  /** Ends without a whole response: the wait is cancelled or the upstream connection is dropped. */
  private abandon(): void {
    this.waitsIn?.cancel(this);
    this.end(false);
  }

  private end(clean: boolean): void {
    if (this.state === OVER) return;
    this.state = OVER;
    this.forgetRouted();
    this.held = [];
    this.heldBytes = 0;
    const { upstream, slot } = this;
    this.upstream = undefined;
    this.slot = undefined;
    this.response.reset();
    this.route?.metrics?.duration.add((this.plane.now() - this.arrivedAt) / 1000);
    upstream?.release(clean);
    if (slot) slot.gate.leave(slot);
  }

  private countCode(status: number): void {
    const codes = this.route?.metrics?.codes;
    if (codes) codes[status - 100]! += 1;
  }

  private forgetRouted(): void {
    this.plane.routedBytes -= this.routedBytes;
    this.routedBytes = 0;
  }
}

function retryAfterOf(revision: RoutingRevision): number {
  return Math.max(1, Math.ceil(revision.coldStartSeconds));
}
