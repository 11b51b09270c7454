import { duration } from '#domain/units.ts';
import { type Destination, type Dialect, findDestination, findNamed } from './address.ts';
import { type Answer, makeLocalAnswer, makeRefusal } from './answers.ts';
import type { Connection } from './connection.ts';
import {
  FULL_BYTES,
  FULL_COUNT,
  type Gate,
  HOLD,
  NO_HOLD,
  type Refused,
  type Waiter,
} from './gate.ts';
import { HeldBody } from './held-body.ts';
import type { RequestHead } from './http/request-head.ts';
import type { ResponseHead } from './http/response-head.ts';
import { writeChunk } from './http/write-chunk.ts';
import { countRefusal, createRevisionMetrics } from './metrics.ts';
import { MAX_HOLD_MS, type Plane } from './plane.ts';
import {
  BAD_HOLD,
  BODY_STALLED,
  BODY_TOO_LARGE_TO_ROUTE,
  makeFull,
  makeGivenUp,
  makeHoldEnded,
  makeLost,
  makeNoHold,
  makeRunEnded,
  NOT_JSON,
  type Refusal,
  TOO_MANY_BODIES,
  UNASKED_UPGRADE,
} from './refusals.ts';
import { Response } from './response.ts';
import { type ModelRoute, mustRefuse, type RevisionRoute } from './routes.ts';
import type { Slot } from './slot.ts';
import { chooseRevision } from './split.ts';
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
 *  2. Body bytes are in `body` or have been written upstream, never both, until nothing can be replayed.
 *  3. After the first byte of a response went to the caller nothing else than the rest of it follows;
 *     what can't be completed is cut.
 */
export class Exchange implements Waiter<Slot>, UpstreamUser {
  previous: Waiter<Slot> | undefined;
  next: Waiter<Slot> | undefined;
  waitsIn: Gate<Slot> | undefined;
  order = 0;
  private readonly client: Connection;
  private readonly plane: Plane;
  private readonly response: Response;
  private state = OVER;
  private dialect: Dialect = 'problem';
  private path = '';
  private route: RevisionRoute | undefined;
  private setCookie = '';
  private slot: Slot | undefined;
  private upstream: Upstream | undefined;
  private readonly body: HeldBody;
  private replayable = true;
  private callerWaits = false;
  private arrivedAt = 0;
  private grantedAt = 0;
  private waited = false;
  private deadline = NEVER;
  private totalDeadline = NEVER;

  constructor(client: Connection, plane: Plane) {
    this.client = client;
    this.plane = plane;
    this.response = new Response(client.socket);
    this.body = new HeldBody(plane);
  }

  get heldBytes(): number {
    return this.body.bytes;
  }

  get isTunnel(): boolean {
    return this.state === TUNNEL;
  }

  /** A new request: its head has been read, its body may follow before `begin`. */
  prepare(): void {
    this.state = PREPARED;
    this.route = undefined;
    this.setCookie = '';
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
    this.body.ending = ending;
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
    this.fail(BODY_STALLED);
  }

  private hold(piece: Buffer): void {
    if (this.waitsIn && !this.waitsIn.hold(piece.length)) {
      if (this.route) this.refuse(makeFull(this.route, 'bytes'));
      return;
    }
    this.body.add(piece);
    if (this.body.isTooLargeToRoute) this.refuse(BODY_TOO_LARGE_TO_ROUTE);
    else if (this.body.isFull) this.client.socket.pause();
  }

  // Where it goes

  private follow(destination: Destination): void {
    switch (destination.kind) {
      case 'unknown':
        this.dialect = destination.dialect;
        this.refuse({ status: 404, code: 'not_found', detail: destination.detail });
        break;
      case 'local':
        this.finishLocally(makeLocalAnswer(destination, this.plane.routes, this.plane.version));
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

  private readToRoute(): void {
    const { body, client, plane } = this;
    if (plane.routedBytes > plane.limits.routedBodies) {
      this.refuse(TOO_MANY_BODIES);
      return;
    }
    this.state = ROUTING;
    body.startRouting();
    if (body.isTooLargeToRoute) this.refuse(BODY_TOO_LARGE_TO_ROUTE);
    else if (client.bodyDone) this.routeByBody();
    else {
      client.socket.resume();
      this.sendContinue();
    }
  }

  private routeByBody(): void {
    let name: unknown;
    try {
      name = this.body.findModel();
    } catch {
      this.refuse(NOT_JSON);
      return;
    }
    this.follow(findNamed(name, this.client.head.target, this.plane.routes));
  }

  private toModel(model: ModelRoute, revision: string, tag: string | undefined): void {
    this.body.endRouting();
    const choice = chooseRevision(this.plane, model, revision, tag, this.client.head.fields);
    if ('detail' in choice) {
      this.refuse(choice);
      return;
    }
    this.setCookie = choice.setCookie;
    this.enter(choice.route);
  }

  private enter(route: RevisionRoute): void {
    this.route = route;
    const { namespace, name } = route.model.routing;
    route.metrics ??= createRevisionMetrics(namespace, name, route.routing.name);
    route.metrics.arrivals += 1;
    if (mustRefuse(route.routing, this.arrivedAt)) {
      this.onRefused('failed');
      return;
    }
    const holdMs = holdOf(this.client.head, route);
    if (holdMs < 0) {
      this.refuse(BAD_HOLD);
      return;
    }
    const { total } = route.routing.timeouts;
    if (total !== undefined) this.totalDeadline = this.arrivedAt + total;
    this.state = HELD;
    this.deadline = this.arrivedAt + holdMs;
    const decision = route.gate.enter(this, holdMs);
    if (decision === HOLD) this.onHeld();
    else if (decision === FULL_COUNT) this.refuse(makeFull(route, 'count'));
    else if (decision === FULL_BYTES) this.refuse(makeFull(route, 'bytes'));
    else if (decision === NO_HOLD) {
      route.gate.knock();
      this.refuse(makeNoHold(route));
    }
  }

  // Waiting

  private onHeld(): void {
    this.waited = true;
    if (this.body.isFull) this.client.socket.pause();
  }

  onRefused(reason: Refused): void {
    if (this.route) this.refuse(makeGivenUp(this.route, reason, this.plane.now()));
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
    socket.write(makeHead(client, slot, this.path), 'latin1');
    this.flushHeld(upstream);
    if (this.body.ending !== '') socket.write(this.body.ending, 'latin1');
    socket.uncork();
    if (!client.bodyDone) this.sendContinue();
    if (!socket.writableNeedDrain) client.socket.resume();
  }

  /** A whole, small body is kept until the instance answers: it may have to be sent again. */
  private flushHeld(upstream: Upstream): void {
    const { body, client } = this;
    for (const piece of body.pieces) this.writeBody(upstream, piece, [0, piece.length]);
    if (body.bytes === 0 || (client.bodyDone && !body.isFull)) return;
    this.replayable = false;
    body.pieces.length = 0;
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
    } else this.refuse(makeLost(reason));
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
    this.deadline = this.arrivedAt + holdOf(this.client.head, route);
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
      this.refuse(UNASKED_UPGRADE);
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
    const { route } = this;
    if ((now < this.deadline && now < this.totalDeadline) || !route) return;
    if (this.state === OVER) return;
    if (this.state === HELD) this.refuse(makeHoldEnded(route, now - this.arrivedAt));
    else this.fail(makeRunEnded(route));
  }

  onCallerGone(): void {
    if (this.state === OVER) return;
    if (this.state < RESPONDING) this.countCode(CLIENT_CLOSED);
    this.abandon();
  }

  private fail(refusal: Refusal): void {
    if (this.response.started) {
      this.abandon();
      this.client.cut();
    } else this.refuse(refusal);
  }

  private refuse({ status, code, detail, retryAfter }: Refusal): void {
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
    this.body.clear();
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
}

/** The caller's Rouse-Hold or the model's own, ms; -1: it is no duration. */
function holdOf(head: RequestHead, { routing }: RevisionRoute): number {
  const { hold } = routing.timeouts;
  if (head.rouseHold === '') return hold;
  const parsed = duration.safeParse(head.rouseHold);
  return parsed.success ? Math.min(parsed.data, Math.max(MAX_HOLD_MS, hold)) : -1;
}

/** The head that goes to the instance. */
function makeHead(client: Connection, slot: Slot, path: string): string {
  const { head, caller } = client;
  const inner = 'host' in slot.address ? slot.address : undefined;
  const host = inner?.authority ?? (head.host === '' ? 'localhost' : head.host);
  const forwardedHost = head.host === '' ? '' : `X-Forwarded-Host: ${head.host}\r\n`;
  return (
    `${head.forwardHead((inner?.basePath ?? '') + path, host)}X-Forwarded-For: ${caller.id}\r\n` +
    `X-Forwarded-Proto: http\r\n${forwardedHost}\r\n`
  );
}
