import type { Socket } from 'node:net';
import type { Caller } from '#domain/records.ts';
import type { AcceptedConnection } from './accepted-connection.ts';
import { Ahead } from './ahead.ts';
import { type Answer, makeRefusal } from '../exchange/answers.ts';
import type { Downstream } from '../exchange/downstream.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { BodyReader, type Framed } from '../http/body-reader.ts';
import { HeadReader } from '../http/head-reader.ts';
import { RequestHead } from '../http/request-head.ts';
import { Exchange } from '../exchange/exchange.ts';
import type { HeldFor } from '../exchange/held-bytes.ts';
import { SocketReader, keep } from '../sockets/socket-reader.ts';
import type { Peer } from '../entry/listener.ts';
import { countRefusal } from '../metrics/metrics.ts';
import { SocketWriter } from '../sockets/socket-writer.ts';
import { makeRetryField, type Refusal } from '../refusal.ts';
import { HEAD_STALLED, makeBodyTooLarge, TOO_MUCH_AHEAD } from '../http/refusals.ts';
import { Response } from './response.ts';
import { disown, listenFor, type SocketOwner } from '../sockets/socket-owner.ts';
import { Origin } from './origin.ts';
import { NEVER } from '../never.ts';
import {
  BODY_TIMEOUT_MS,
  CLOSING_MS,
  HEAD_TIMEOUT_MS,
  KEEP_ALIVE_MS,
  LINGER_MS,
  type Plane,
} from '../plane.ts';

/** So long before it is closed an idle connection forgets its last request: after two seconds it is not about to be repeated. */
const REMEMBER_UNTIL_MS = KEEP_ALIVE_MS - 2000;

/** Deadline of a connection that has just become idle: the next sweep sets it. */
const FRESH = -1;

const READING = 0;
const EXCHANGING = 1;
const LINGERING = 2;
const CLOSED = 3;

/** What a connection tells of itself. */
export interface CallerConnectionEvents {
  /** It turned out to be HTTP/2, with these first bytes; the connection has done with it. */
  onHttp2(connection: CallerConnection, first: Buffer): void;
  onClosed(connection: CallerConnection): void;
}

/**
 * A caller's connection: finds the requests in its bytes, one after the other, and hands each to the
 * connection's exchange.
 *
 * Invariants:
 *  1. Answers keep the order of requests, however many are sent ahead: a head is read only when the response
 *     before it is complete, and when the caller has taken so much of the answers that more can be written.
 *  2. Nothing of a refused body becomes a request. `bodyDone` is set only when the exchange has taken the last of
 *     the body; a refusal before that ends the connection.
 *  3. What came ahead of its turn is read in its turn; what has no room in `ahead` is not, and then the connection ends
 *     with the present answer.
 *  4. While `EXCHANGING` the exchange is told of the caller; once `CLOSED` nothing is told to it any more.
 *  5. Two seconds after its last answer an idle connection keeps nothing of the request.
 */
export class CallerConnection implements Downstream, AcceptedConnection, SocketOwner, HeldFor {
  readonly head: RequestHead;
  readonly isGrpc = false;
  readonly givesUpAt = NEVER;
  /** The request's body has come to its end. */
  bodyDone = true;
  readonly socket: Socket;
  private readonly writer: SocketWriter;
  private readonly response: Response;
  private readonly origin: Origin;
  private readonly plane: Plane;
  /** While there is a request, and for a while after: an idle connection is to be small. */
  private exchange: Exchange | undefined;
  private readonly heads: HeadReader;
  /** Made with the first body. */
  private body: BodyReader | undefined;
  readonly reader = new SocketReader();
  private readonly events: CallerConnectionEvents;
  private paused = false;
  private phase = READING;
  private continued = false;
  /** Made with the first bytes that are kept. */
  private ahead: Ahead | undefined;
  private pumping = false;
  /** With answers in its socket it cannot become HTTP/2 any more. */
  private hadRequest = false;
  /** Behind the present request there is more in the buffer that is being read. */
  private hasMore = false;
  /** When the present phase of reading ends; ms. */
  private deadline: number;

  /**
   * @param socket it must not be used any more, but for `this.socket`.
   */
  constructor(socket: Socket, plane: Plane, peer: Peer, events: CallerConnectionEvents) {
    this.socket = this.reader.adopt(socket, this);
    this.writer = new SocketWriter(this.socket);
    this.events = events;
    this.plane = plane;
    this.head = new RequestHead(!plane.isTransparent);
    this.heads = new HeadReader(this.head, plane.limits.head);
    this.origin = new Origin(peer);
    this.response = new Response(this.writer);
    this.deadline = plane.now() + this.idleTime();
    this.socket.setNoDelay(true);
    listenFor(this.socket, this);
  }

  get peer(): Peer {
    return this.origin.peer;
  }

  get caller(): Caller {
    return this.origin.caller;
  }

  get callerId(): string {
    return this.caller.id;
  }

  get forwarded(): string {
    return this.origin.fieldsFor(this.head);
  }

  // What comes

  onBytes(buffer: Buffer, length: number): void {
    if (this.phase === EXCHANGING) this.onExchangeBytes(buffer, length);
    else if (this.phase === READING) this.onRequestBytes(buffer, length);
  }

  private onRequestBytes(buffer: Buffer, length: number): void {
    const ahead = this.takeAhead();
    if (!ahead) {
      this.pump(buffer, length);
      return;
    }
    const joined = Buffer.concat([ahead, buffer.subarray(0, length)]);
    this.pump(joined, joined.length);
  }

  private onExchangeBytes(buffer: Buffer, length: number): void {
    if (this.exchange?.isTunnel) this.exchange.onCallerTunnelData(buffer, length);
    else if (this.bodyDone) this.keepAhead(buffer, 0, length);
    else {
      this.keepAhead(buffer, this.feedBody(buffer, 0, length), length);
      // The end of the body may have brought the answer with it: the next request may be here already.
      this.pumpAhead();
    }
  }

  /** Reads requests as long as there are whole heads and nothing to wait for. Not recursive. */
  private pump(buffer: Buffer, length: number): void {
    this.pumping = true;
    let at = 0;
    while (this.phase === READING && at < length && !this.writer.isFull) {
      const next = this.readHead(buffer, at, length);
      if (next < 0) break;
      at = next;
    }
    this.pumping = false;
    this.hasMore = false;
    this.keepAhead(buffer, at, length);
  }

  /** Reads a head and what there is of its body. Returns where the rest starts; -1: the head is not whole. */
  private readHead(buffer: Buffer, from: number, length: number): number {
    const end = this.heads.read(buffer, from, length);
    const { refusal, isPreface } = this.heads;
    if (end >= 0 && !refusal) return this.begin(buffer, end, length);
    if (end < 0) this.waitForHead(refusal);
    else if (isPreface && !this.hadRequest) this.becomeHttp2(keep(buffer, from, length));
    else if (refusal) this.refuse(refusal);
    return end < 0 ? end : length;
  }

  private waitForHead(refusal: Refusal | undefined): void {
    if (refusal) {
      this.refuseUnread(refusal);
      return;
    }
    const latest = this.plane.now() + HEAD_TIMEOUT_MS;
    if (this.deadline === FRESH || this.deadline > latest) this.deadline = latest;
  }

  private becomeHttp2(first: Buffer): void {
    this.phase = CLOSED;
    disown(this.socket);
    this.socket.pause();
    this.events.onHttp2(this, first);
  }

  /** The head is there. Returns where what does not belong to this request starts. */
  private begin(buffer: Buffer, at: number, length: number): number {
    const { head, plane } = this;
    this.phase = EXCHANGING;
    this.hadRequest = true;
    this.deadline = NEVER;
    this.bodyDone = !head.hasBody;
    this.continued = false;
    const isTooLarge = head.contentLength > plane.limits.body;
    const refusal = isTooLarge ? makeBodyTooLarge(plane.limits.body) : this.origin.read(head);
    if (refusal) {
      this.refuse(refusal);
      return length;
    }
    const exchange = (this.exchange ??= new Exchange(this, plane));
    exchange.prepare();
    const end = this.bodyDone ? at : this.beginBody(buffer, at, length);
    this.hasMore = end < length;
    if (this.phase !== EXCHANGING) return end;
    exchange.begin(this.heads.isRepeated);
    exchange.keepBorrowed();
    return end;
  }

  // The request's body

  private beginBody(buffer: Buffer, at: number, length: number): number {
    const body = (this.body ??= new BodyReader());
    if (this.head.chunked) body.startChunks(this.plane.limits.body);
    else body.startLength(this.head.contentLength);
    this.deadline = this.plane.now() + BODY_TIMEOUT_MS;
    return at < length ? this.feedBody(buffer, at, length) : at;
  }

  /**
   * Takes what belongs to the body, and returns where the rest starts. Until the exchange has taken it, the body
   * is not done: invariant 2.
   */
  private feedBody(buffer: Buffer, from: number, to: number): number {
    const { body, exchange } = this;
    if (!body || !exchange) return to;
    this.deadline = this.plane.now() + BODY_TIMEOUT_MS;
    const end = body.read(buffer, from, to);
    if (end < 0) exchange.onBadBody(body.refusal);
    else if (body.data.length > 0) exchange.onBody(buffer, body.data);
    if (end < 0 || this.phase !== EXCHANGING) return to;
    this.bodyDone = body.done;
    this.reader.expect(body.left);
    if (!this.bodyDone) return to;
    this.deadline = NEVER;
    exchange.onBodyEnd(body.trailers);
    return end;
  }

  get isPaused(): boolean {
    return this.paused;
  }

  pause(): void {
    this.paused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.socket.resume();
  }

  /** Asks for the body of a request that waits to be asked; once. */
  askForBody(): void {
    this.deadline = this.plane.now() + BODY_TIMEOUT_MS;
    if (this.continued || !this.head.expectContinue) return;
    this.continued = true;
    this.response.askForBody();
  }

  // What comes ahead of its turn

  private get hasAhead(): boolean {
    return this.ahead !== undefined && !this.ahead.isEmpty;
  }

  /** Keeps what came ahead of its turn. */
  private keepAhead(buffer: Buffer, from: number, to: number): void {
    if (from >= to || this.phase >= LINGERING) return;
    const ahead = (this.ahead ??= new Ahead(this.plane, this));
    if (!ahead.add(buffer, from, to)) this.onCrowded();
    else if (ahead.isLong && this.mustWait) this.pause();
  }

  /** What comes is not of the present request, or its answer could not leave. */
  private get mustWait(): boolean {
    return this.phase === EXCHANGING || this.writer.isFull;
  }

  /** There is no room for more. Who has a request that waits gets its answer, and sends the others again. */
  onCrowded(): void {
    if (this.phase === READING) this.refuseUnread(TOO_MUCH_AHEAD);
    else if (this.head.upgrade !== '') this.exchange?.onBadBody(TOO_MUCH_AHEAD);
    else {
      this.head.keepAlive = false;
      this.ahead?.drop();
      this.pause();
    }
  }

  /** What came ahead of its turn, and is not kept here any more. */
  takeAhead(): Buffer | undefined {
    return this.ahead?.take();
  }

  private pumpAhead(): void {
    if (!this.hasAhead || this.pumping || this.phase !== READING || this.writer.isFull) return;
    const ahead = this.takeAhead();
    if (ahead) this.pump(ahead, ahead.length);
  }

  // An answer made here

  /** Ends an answer made here. A body that was not read to its end makes the connection unusable. */
  answer(answer: Answer, extra = ''): void {
    const keepsAlive = this.keepsAlive();
    this.response.answer(this.head, answer, extra, keepsAlive);
    this.next(keepsAlive);
    // Not from within: whoever gives others a place or bytes of this one is not done yet.
    if (this.hasAhead) queueMicrotask(() => this.pumpAhead());
  }

  /** Refuses what is no request; the connection ends, since nobody knows where the next one would start. */
  refuse({ status, code, detail, retryAfter }: Refusal): void {
    countRefusal(this.plane.metrics, code);
    this.head.keepAlive = false;
    this.answer(makeRefusal('problem', status, code, detail), makeRetryField(retryAfter));
  }

  /** As `refuse`, where no head was read: the one before says nothing about this request. */
  private refuseUnread(refusal: Refusal): void {
    this.head.clear();
    this.refuse(refusal);
  }

  // The instance's answer

  get isAnswering(): boolean {
    return this.response.started;
  }

  cork(): void {
    this.writer.cork();
  }

  uncork(): void {
    this.writer.uncork();
  }

  writeInformational(head: ResponseHead): void {
    this.response.inform(this.head, head);
  }

  writeHead(head: ResponseHead, extra: string): void {
    this.response.begin(this.head, head, extra, this.keepsAlive());
  }

  writeBody(buffer: Buffer, ranges: readonly number[], framed?: Framed): boolean {
    return this.response.write(buffer, ranges, framed);
  }

  endBody(trailers: string): void {
    this.response.end(trailers);
  }

  finish(): void {
    this.next(this.keepsAlive() && !this.response.endsConnection);
    this.pumpAhead();
  }

  onWritable(): void {
    if (this.phase === READING && this.hasAhead) {
      this.resume();
      this.pumpAhead();
    } else this.exchange?.onCallerWritable();
  }

  // Another protocol

  writeSwitch(head: ResponseHead, extra: string): void {
    this.response.beginTunnel(head, extra);
  }

  writeTunnel(buffer: Buffer, length: number): boolean {
    return this.writer.writeBytes(buffer, 0, length);
  }

  endTunnel(): void {
    this.linger();
  }

  // The next request

  private keepsAlive(): boolean {
    if (!this.head.keepAlive || !this.bodyDone) return false;
    // What has been sent ahead was accepted.
    return !this.plane.closing || this.hasMore || this.hasAhead;
  }

  private next(keep: boolean): void {
    if (this.phase === CLOSED) return;
    if (!keep) {
      this.linger();
      return;
    }
    this.response.reset();
    this.phase = READING;
    this.deadline = FRESH;
    this.resume();
  }

  // Time

  sweep(now: number): void {
    if (this.phase === EXCHANGING) this.exchange?.sweep(now);
    if (this.deadline === FRESH) this.deadline = now + this.idleTime();
    if (this.phase === EXCHANGING && this.paused) this.checkCaller();
    if (this.phase === LINGERING) this.lingerOn(now);
    if (now >= this.deadline) this.onLate(now);
    else if (this.phase === READING && now > this.deadline - REMEMBER_UNTIL_MS) this.forgetLast();
  }

  private onLate(now: number): void {
    if (this.phase === READING) this.onReadingLate();
    else if (this.phase !== EXCHANGING) this.socket.destroy();
    else if (this.paused) this.deadline = now + BODY_TIMEOUT_MS;
    else this.exchange?.onBodyStalled();
  }

  private onReadingLate(): void {
    if (this.writer.isFull) this.cut();
    else if (this.hasAhead) this.refuseUnread(HEAD_STALLED);
    else this.linger();
  }

  /**
   * Nothing is read, so nobody hears that the caller has gone. Writing nothing fails where it has reset the connection.
   */
  private checkCaller(): void {
    if (this.writer.isEmpty) this.socket.write('');
  }

  /** An idle connection keeps nothing of the last request. */
  private forgetLast(): void {
    if (this.head.text === '' || this.hasAhead) return;
    this.head.forget();
    this.exchange = undefined;
    this.body = undefined;
    this.ahead = undefined;
    this.origin.forget();
  }

  private idleTime(): number {
    return this.plane.closing ? CLOSING_MS : KEEP_ALIVE_MS;
  }

  // Ends

  /** A connection that is in use ends with its last answer; to an idle one a request may be on its way. */
  beginClose(): void {
    if (this.phase !== READING || this.hasAhead) return;
    this.deadline = Math.min(this.deadline, this.plane.now() + this.idleTime());
  }

  /** Ends with FIN: for a response whose end is the end of the connection, and when no more is taken. */
  private linger(): void {
    this.phase = LINGERING;
    this.takeAhead();
    this.writer.uncork();
    this.socket.end();
    this.resume();
    this.deadline = this.plane.now() + (this.writer.isEmpty ? LINGER_MS : KEEP_ALIVE_MS);
  }

  /** A caller that reads slowly gets all of its answer; who reads nothing is waited for as long as an idle one. */
  private lingerOn(now: number): void {
    if (this.writer.isEmpty) this.deadline = Math.min(this.deadline, now + LINGER_MS);
  }

  /** Breaks off in the middle of a response, so that the caller can't take it for whole. */
  cut(): void {
    this.leave();
    if (!this.socket.destroyed) this.socket.resetAndDestroy();
  }

  onEnd(): void {
    this.onGone();
  }

  onError(): void {
    this.onGone();
  }

  onClose(): void {
    this.onGone();
    this.events.onClosed(this);
  }

  private onGone(): void {
    if (this.phase === CLOSED) return;
    this.leave();
    this.socket.destroySoon();
  }

  private leave(): void {
    const wasExchanging = this.phase === EXCHANGING;
    this.phase = CLOSED;
    this.takeAhead();
    if (wasExchanging) this.exchange?.onCallerGone();
  }
}
