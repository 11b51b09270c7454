import type { Downstream } from './downstream.ts';
import type { HeldBody } from './held-body.ts';
import type { Framed } from '../http/body-reader.ts';
import type { Broken, OnOver, Upstream, UpstreamEvents } from '../upstream/upstream.ts';
import { parseTokens } from '../http/fields.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { pieceOf } from '../http/pieces.ts';
import { grpcStatusIn, isServerError } from '../http2/grpc.ts';
import { NEVER } from '../never.ts';
import { type Plane, SEND_TIMEOUT_MS } from '../plane.ts';
import type { Refusal } from '../refusal.ts';
import { LEAVES_BASE, makeHttp2Only, makeLost, makeNoHttp2, UNASKED_UPGRADE } from './refusals.ts';
import { isElsewhere, type RevisionRoute } from '../routes.ts';
import type { Mirror } from '../shadow/mirror.ts';
import type { InstanceRoute } from '../upstream/instance-route.ts';
import { leavesBase, type Way, writeRequest } from '../upstream/write-request.ts';
import { hundredths, makeResponseFields, queueMs, timingOf } from '../metrics/timing.ts';

const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

const IDLE = 0;
const CONNECTING = 1;
const SENT = 2;
const RESPONDING = 3;
const TUNNEL = 4;

/** A request that has been granted a slot. Times in ms since the epoch. */
export interface Granted extends Way {
  readonly arrivedAt: number;
  readonly grantedAt: number;
  /** It waited, and for an instance that was not ready when it came. */
  readonly cold: boolean;
  /** A Set-Cookie line for the response, or ''. */
  readonly setCookie: string;
  /** Copies what goes by, for a shadow. */
  readonly mirror: Mirror | undefined;
}

/** Who handed the request over, and is told how it went. */
export interface ForwardEvents {
  /** Not a byte of it was written. */
  onUnreached(reason: string): void;
  /** It failed before a byte of a response went to the caller. */
  onRefusal(refusal: Refusal): void;
  /** It failed in the middle of the response, which can't be completed. */
  onCut(): void;
  /** Answered. `clean`: the connection to the instance can be used again; `failed`: the answer says that it could not. */
  onForwarded(clean: boolean, failed: boolean): void;
  /** The other protocol has ended. */
  onTunnelClosed(): void;
}

/**
 * The part of a request's life between grant and answer: written to the instance, its answer written to the
 * caller. Used again for the next request of the connection.
 *
 * Invariants:
 *  1. As long as the request can be replayed, all that came of its body is in `body`; after that nothing is.
 *  2. After the first byte of a response went to the caller nothing else than the rest of it follows;
 *     what can't be completed is cut.
 */
export class Forward implements UpstreamEvents {
  /** ms; the nearest of run and idle. */
  deadline = NEVER;
  private readonly downstream: Downstream;
  private readonly plane: Plane;
  private readonly body: HeldBody;
  private readonly events: ForwardEvents;
  private state = IDLE;
  private granted: Granted | undefined;
  private route: RevisionRoute | undefined;
  private instance: InstanceRoute | undefined;
  private upstream: Upstream | undefined;
  private replayable = true;
  private isRepeated = false;
  private failed = false;

  constructor(downstream: Downstream, plane: Plane, body: HeldBody, events: ForwardEvents) {
    this.downstream = downstream;
    this.plane = plane;
    this.body = body;
    this.events = events;
  }

  get isTunnel(): boolean {
    return this.state === TUNNEL;
  }

  /** It was sent, and not a byte of an answer has come. */
  get isUnanswered(): boolean {
    return this.state === SENT && this.upstream?.isAnswering === false;
  }

  /** Bytes of the body go straight on. */
  get takesBody(): boolean {
    return this.state >= SENT && this.upstream !== undefined;
  }

  /** For a new request. */
  prepare(): void {
    this.isRepeated = false;
  }

  start(granted: Granted, route: RevisionRoute, instance: InstanceRoute): void {
    this.granted = granted;
    this.route = route;
    this.instance = instance;
    this.replayable = true;
    const { timeouts, responseStart = NEVER } = route.routing;
    this.deadline = Math.min(granted.grantedAt + timeouts.run, granted.arrivedAt + responseStart);
    if (leavesBase(instance.address, granted.path)) this.events.onRefusal(LEAVES_BASE);
    else this.connect(instance.take(this.downstream.isGrpc));
  }

  /** Ends with the whole answer. */
  release(): void {
    const { upstream } = this;
    this.reset();
    upstream?.release();
  }

  /**
   * Ends before the answer does. `onOver`: the instance is free of it, as far as can be known; `isSilent`: it had the
   * whole request for as long as it may run, and said nothing. One that takes a limited number and has said nothing yet
   * computes: it may do so for as long as if somebody still waited.
   */
  abandon(onOver: OnOver): void {
    const { upstream, deadline, isUnanswered } = this;
    const isLimited = this.route !== undefined && this.route.routing.concurrency > 0;
    const isWhole = this.downstream.bodyDone;
    this.reset();
    const until = isLimited && isUnanswered ? deadline : 0;
    if (upstream) upstream.abandon((isSilent) => onOver(isSilent && isWhole), until);
    else onOver(false);
  }

  private reset(): void {
    this.upstream = undefined;
    this.granted = undefined;
    this.route = undefined;
    this.instance = undefined;
    this.state = IDLE;
    this.deadline = NEVER;
  }

  // To the instance

  writeBody(buffer: Buffer, ranges: readonly number[]): void {
    const { upstream } = this;
    if (upstream?.canRefuse && this.replayable) this.keepForReplay(pieceOf(buffer, ranges));
    else this.replayable = false;
    if (upstream && !upstream.writeBody(buffer, ranges)) this.downstream.pause();
  }

  /** The first message of a call nearly always follows its head: without it hardly one could be sent again. */
  private keepForReplay(piece: Buffer): void {
    this.body.add(piece);
    if (this.body.isFull) this.forgetBody();
  }

  private forgetBody(): void {
    this.replayable = false;
    this.body.drop();
  }

  endBody(): void {
    if (this.takesBody) this.upstream?.endBody(this.body.trailers);
  }

  onConnected(): void {
    if (this.upstream) this.send(this.upstream);
  }

  onWritable(): void {
    if (this.state !== IDLE) this.downstream.resume();
  }

  onCallerWritable(): void {
    if (this.state >= RESPONDING) this.deadline = this.idleDeadline();
    this.upstream?.resume();
  }

  private connect(upstream: Upstream): void {
    this.state = CONNECTING;
    this.upstream = upstream;
    const { head, givesUpAt } = this.downstream;
    upstream.use(this, head.method, givesUpAt);
    if (upstream.connected) this.send(upstream);
  }

  private send(upstream: Upstream): void {
    const { downstream, granted, instance } = this;
    if (!granted || !instance) return;
    this.state = SENT;
    upstream.cork();
    const { head, forwarded } = downstream;
    const trace = head.traced ? '' : this.plane.startTrace();
    writeRequest(upstream, instance.address, head, granted, forwarded + trace);
    this.flushHeld(upstream);
    if (downstream.bodyDone) upstream.endBody(this.body.trailers);
    upstream.uncork();
    if (!downstream.bodyDone) downstream.askForBody();
    if (!upstream.isFull) downstream.resume();
  }

  /** A whole, small body is kept until the instance answers if the request may be sent again. */
  private flushHeld(upstream: Upstream): void {
    const { body, downstream } = this;
    if (body.bytes === 0) return;
    body.writeTo(upstream);
    const isKept = upstream.canRefuse || (downstream.bodyDone && this.isRepeatable());
    if (body.isFull || !isKept) this.forgetBody();
  }

  onBroken(how: Broken, reason: string): void {
    const { route, instance, upstream, downstream } = this;
    this.upstream = undefined;
    if (how === 'unreached') this.events.onUnreached(reason);
    else if (downstream.isAnswering) this.events.onCut();
    else if (how === 'protocol' && route) {
      const wasHttp2 = instance?.isAskedHttp2(downstream.isGrpc);
      this.events.onRefusal(wasHttp2 ? makeNoHttp2(route) : makeHttp2Only(route));
    } else if (instance && upstream && this.mayReplay(upstream, how)) {
      this.connect(instance.open(downstream.isGrpc));
    } else this.events.onRefusal(makeLost(reason));
  }

  /**
   * What the instance did nothing with may be sent again. So may, if that is safe, what a reused connection had when it
   * closed: it was most likely closing already. Once, since the next connection is a new one or has just been used: what
   * fails there, too, fails by the request or its instance.
   */
  private mayReplay({ served }: Upstream, how: Broken): boolean {
    if (!this.replayable || this.isRepeated) return false;
    const wasClosing = how === 'unanswered' && served > 1;
    this.isRepeated = how === 'refused' || (wasClosing && this.isRepeatable());
    return this.isRepeated;
  }

  private isRepeatable(): boolean {
    return IDEMPOTENT.has(this.downstream.head.method) || this.route?.routing.retry === 'safe';
  }

  // From the instance

  cork(): void {
    this.downstream.cork();
  }

  uncork(): void {
    this.downstream.uncork();
  }

  onInformational(head: ResponseHead): void {
    if (head.status !== 100) this.downstream.writeInformational(head);
  }

  onHead(head: ResponseHead): void {
    if (head.status === 101) this.beginTunnel(head);
    else {
      this.state = RESPONDING;
      this.forgetBody();
      this.noteAnswer();
      this.observe(head.status);
      this.failed = head.status >= 500;
      if (this.downstream.isGrpc) this.noteGrpc(head.fields.find('grpc-status'));
      this.granted?.mirror?.onHead(head);
      this.downstream.writeHead(head, this.extraFields());
      this.deadline = this.idleDeadline();
    }
  }

  private noteAnswer(): void {
    const { instance, route, plane } = this;
    if (!instance || !route) return;
    instance.silences = 0;
    const { startFailure } = route.routing;
    if (startFailure && isElsewhere(route)) plane.onReached(instance, startFailure);
  }

  onData(buffer: Buffer, ranges: readonly number[], framed?: Framed): void {
    this.deadline = this.idleDeadline();
    this.granted?.mirror?.onData(buffer, ranges);
    if (!this.downstream.writeBody(buffer, ranges, framed)) this.waitForCaller();
  }

  /** Nothing is read from the instance until the caller has taken what is there; it may not take for ever. */
  private waitForCaller(): void {
    this.upstream?.pause();
    this.deadline = Math.min(this.deadline, this.plane.now() + SEND_TIMEOUT_MS);
  }

  onEnd(trailers: string): void {
    if (this.downstream.isGrpc) this.noteGrpc(grpcStatusIn(trailers));
    this.downstream.endBody(trailers);
    this.events.onForwarded(this.downstream.bodyDone, this.failed);
  }

  /** A call that fails mostly does so inside of a 200. */
  private noteGrpc(status: string): void {
    if (isServerError(status)) this.failed = true;
  }

  private extraFields(): string {
    const { granted, route, instance } = this;
    if (!granted || !route || !instance) return '';
    const { arrivedAt, grantedAt, cold, setCookie } = granted;
    if (this.plane.isTransparent) return setCookie;
    const infer = `${hundredths(this.plane.now() - grantedAt)}\r\n${setCookie}`;
    const fields = (route.fields ??= makeResponseFields(route.routing.name));
    if (grantedAt <= arrivedAt && !cold) return fields.unheld + infer;
    return (
      (cold ? fields.cold : fields.warm) + timingOf(instance, arrivedAt, grantedAt, cold) + infer
    );
  }

  private observe(status: number): void {
    const { granted, instance } = this;
    if (!granted || !instance) return;
    const { arrivedAt, grantedAt, cold } = granted;
    this.route?.metrics?.answered(status, grantedAt - arrivedAt, cold);
    if (!cold) return;
    const { phases } = this.plane.metrics;
    phases.queue.add(queueMs(instance, arrivedAt, grantedAt) / 1000);
    phases.infer.add((this.plane.now() - grantedAt) / 1000);
  }

  private idleDeadline(): number {
    const idle = this.route?.routing.timeouts.idle ?? 0;
    return idle === 0 ? NEVER : this.plane.now() + idle;
  }

  // After a 101

  private beginTunnel(head: ResponseHead): void {
    const asked = parseTokens(this.downstream.head.upgrade);
    if (!asked.includes(head.upgrade.toLowerCase())) {
      this.events.onRefusal(UNASKED_UPGRADE);
      return;
    }
    this.state = TUNNEL;
    this.observe(101);
    this.downstream.writeSwitch(head, this.extraFields());
    this.deadline = this.idleDeadline();
    const early = this.downstream.takeAhead();
    if (early) this.writeTunnel(early, early.length);
    this.downstream.resume();
  }

  writeTunnel(buffer: Buffer, length: number): void {
    this.deadline = this.idleDeadline();
    if (this.upstream && !this.upstream.writeTunnel(buffer, length)) this.downstream.pause();
  }

  onTunnelData(buffer: Buffer, length: number): void {
    this.deadline = this.idleDeadline();
    if (!this.downstream.writeTunnel(buffer, length)) this.waitForCaller();
  }

  onTunnelEnd(): void {
    this.events.onTunnelClosed();
  }
}
