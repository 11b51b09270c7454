import type { Socket } from 'node:net';
import type { Caller } from '#domain/records.ts';
import { type Answer, makeRefusal, reasonOf } from './answers.ts';
import type { Connection } from './connection.ts';
import type { ResponseHead } from './http/response-head.ts';
import { TOKEN } from './http/characters.ts';
import { ChunkedScanner } from './http/chunked.ts';
import { RequestHead } from './http/request-head.ts';
import { Exchange } from './exchange.ts';
import type { Peer } from './listener.ts';
import { countRefusal } from './metrics.ts';
import {
  BAD_CHUNKS,
  HEAD_STALLED,
  makeBodyTooLarge,
  makeHeadTooLarge,
  NOT_HTTP,
  type Refusal,
} from './refusals.ts';
import { connectionField, Response } from './response.ts';
import { BODY_TIMEOUT_MS, HEAD_TIMEOUT_MS, KEEP_ALIVE_MS, LINGER_MS, type Plane } from './plane.ts';

const END_OF_HEAD = Buffer.from('\r\n\r\n');
/** Bytes of requests that are sent ahead of their turn; then the socket is paused. */
const MAX_AHEAD = 64 * 1024;

const READING = 0;
const EXCHANGING = 1;
const LINGERING = 2;
const CLOSED = 3;

/**
 * A caller's connection: finds the requests in its bytes, one after the other, and hands each to the
 * connection's exchange. The next head is read only when the response before it is complete, so answers
 * keep the order of requests however many are sent ahead.
 */
export class Client implements Connection {
  readonly head = new RequestHead();
  readonly caller: Caller;
  /** The request's body has come to its end. */
  bodyDone = true;
  private readonly socket: Socket;
  private readonly response: Response;
  private readonly plane: Plane;
  private readonly exchange: Exchange;
  private readonly scanner = new ChunkedScanner();
  private readonly range = [0, 0];
  private phase = READING;
  private continued = false;
  private ahead: Buffer | undefined;
  private pumping = false;
  private bodyLeft = 0;
  private bodyBytes = 0;
  /** When the present phase of reading ends; ms. */
  private deadline: number;

  constructor(socket: Socket, plane: Plane, peer: Peer) {
    this.socket = socket;
    this.plane = plane;
    this.caller = { id: peer.address, kind: 'address' };
    this.response = new Response(socket);
    this.exchange = new Exchange(this, plane);
    this.deadline = plane.now() + KEEP_ALIVE_MS;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.onData(chunk));
    socket.on('drain', () => this.exchange.onCallerWritable());
    socket.on('end', () => this.onGone());
    socket.on('error', () => this.onGone());
    socket.on('close', () => this.onGone());
  }

  /** Nothing of a request has arrived: may be closed without losing anything. */
  get isIdle(): boolean {
    return this.phase === READING && this.ahead === undefined;
  }

  /** Ends an answer made here. A body that was not read to its end makes the connection unusable. */
  answer(answer: Answer, extra = ''): void {
    const keep = this.keepsAlive();
    const body = Buffer.from(answer.body);
    this.socket.cork();
    this.socket.write(
      `HTTP/1.1 ${answer.status} ${reasonOf(answer.status)}\r\n` +
        `Content-Type: ${answer.type}\r\nContent-Length: ${body.length}\r\n${extra}` +
        `${connectionField(this.head.minor, keep)}\r\n`,
      'latin1',
    );
    if (this.head.method !== 'HEAD') this.socket.write(body);
    this.socket.uncork();
    this.next(keep);
  }

  get isAnswering(): boolean {
    return this.response.started;
  }

  get isPaused(): boolean {
    return this.socket.isPaused();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  cork(): void {
    this.socket.cork();
  }

  uncork(): void {
    this.socket.uncork();
  }

  writeInformational(head: ResponseHead): void {
    if (this.head.minor === 0) return;
    this.socket.write(`${head.forwardHead({ dropCoding: true })}\r\n`, 'latin1');
  }

  writeHead(head: ResponseHead, extra: string): void {
    this.response.begin(this.head, head, extra, this.keepsAlive());
  }

  writeBody(buffer: Buffer, ranges: readonly number[]): boolean {
    return this.response.write(buffer, ranges);
  }

  endBody(trailers: string): void {
    this.response.end(trailers);
  }

  finish(): void {
    this.next(this.keepsAlive() && !this.response.endsConnection);
  }

  writeSwitch(head: ResponseHead, extra: string): void {
    this.response.started = true;
    const fields = `Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n${extra}`;
    this.socket.write(`${head.forwardHead({ dropCoding: true })}${fields}\r\n`, 'latin1');
  }

  writeTunnel(buffer: Buffer): boolean {
    return this.socket.write(buffer);
  }

  endTunnel(): void {
    this.linger();
  }

  private keepsAlive(): boolean {
    return this.head.keepAlive && this.bodyDone && !this.plane.closing;
  }

  private next(keep: boolean): void {
    if (this.phase === CLOSED) return;
    if (!keep) {
      this.linger();
      return;
    }
    this.response.reset();
    this.phase = READING;
    this.deadline = this.plane.now() + KEEP_ALIVE_MS;
    this.socket.resume();
    this.pump();
  }

  /** Breaks off in the middle of a response, so that the caller can't take it for whole. */
  cut(): void {
    this.phase = CLOSED;
    if (this.socket.destroyed) return;
    this.socket.resetAndDestroy();
  }

  /** Ends with FIN: for a response whose end is the end of the connection, and when no more is taken. */
  linger(): void {
    this.phase = LINGERING;
    this.deadline = this.plane.now() + LINGER_MS;
    this.ahead = undefined;
    this.socket.end();
    this.socket.resume();
  }

  /** Asks for the body of a request that waits to be asked; once. */
  sendContinue(): void {
    if (this.continued || !this.head.expectContinue) return;
    this.continued = true;
    this.socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1');
  }

  /** What came ahead of its turn, for the protocol that the connection was upgraded to. */
  takeAhead(): Buffer | undefined {
    const { ahead } = this;
    this.ahead = undefined;
    return ahead;
  }

  sweep(now: number): void {
    if (this.phase === EXCHANGING) this.exchange.sweep(now);
    if (now < this.deadline) return;
    if (this.phase === EXCHANGING && this.socket.isPaused()) {
      this.deadline = now + BODY_TIMEOUT_MS;
      return;
    }
    if (this.phase === READING && this.ahead) this.refuse(HEAD_STALLED);
    else if (this.phase === EXCHANGING) this.exchange.onBodyStalled();
    else this.socket.destroy();
  }

  private onData(chunk: Buffer): void {
    if (this.phase === LINGERING || this.phase === CLOSED) return;
    if (this.phase === EXCHANGING && this.exchange.isTunnel) {
      this.exchange.onCallerTunnelData(chunk);
      return;
    }
    if (this.phase === EXCHANGING && !this.bodyDone) {
      this.feedBody(chunk, 0);
      return;
    }
    this.ahead = this.ahead ? Buffer.concat([this.ahead, chunk]) : chunk;
    if (this.phase === READING) this.pump();
    else if (this.ahead.length > MAX_AHEAD) this.socket.pause();
  }

  /** Reads requests as long as there are whole heads and nothing to wait for. Not recursive. */
  private pump(): void {
    if (this.pumping) return;
    this.pumping = true;
    while (this.phase === READING && this.ahead && this.readHead(this.ahead));
    this.pumping = false;
  }

  private readHead(buffer: Buffer): boolean {
    const start = buffer[0] === 0x0d && buffer[1] === 0x0a ? 2 : 0;
    const end = buffer.indexOf(END_OF_HEAD, start);
    if (end < 0 || end - start > this.plane.limits.head) return this.waitForHead(buffer, start);
    const refusal = this.head.read(buffer.toString('latin1', start, end + 4));
    if (refusal) {
      this.refuse(refusal);
      return false;
    }
    this.ahead = end + 4 < buffer.length ? buffer.subarray(end + 4) : undefined;
    this.begin();
    return true;
  }

  private waitForHead(buffer: Buffer, start: number): boolean {
    if (buffer.length - start > this.plane.limits.head) {
      this.refuse(makeHeadTooLarge(this.plane.limits.head));
    } else if (buffer.length > start && TOKEN[buffer[start]!] !== 1 && buffer[start] !== 0x0d) {
      this.refuse(NOT_HTTP);
    } else if (this.deadline > this.plane.now() + HEAD_TIMEOUT_MS) {
      this.deadline = this.plane.now() + HEAD_TIMEOUT_MS;
    }
    return false;
  }

  private begin(): void {
    const { head } = this;
    this.phase = EXCHANGING;
    this.deadline = Number.POSITIVE_INFINITY;
    this.bodyDone = !head.hasBody;
    this.bodyLeft = head.contentLength;
    this.bodyBytes = 0;
    this.continued = false;
    if (head.contentLength > this.plane.limits.body) {
      this.refuse(makeBodyTooLarge(this.plane.limits.body));
      return;
    }
    this.exchange.prepare();
    if (!this.bodyDone) {
      this.scanner.start();
      this.deadline = this.plane.now() + BODY_TIMEOUT_MS;
      const early = this.ahead;
      this.ahead = undefined;
      if (early) this.feedBody(early, 0);
    }
    if (this.phase === EXCHANGING) this.exchange.begin();
  }

  /**
   * Takes what belongs to the body; the rest was sent ahead. Until the exchange has taken it, the body is not
   * done: a refusal meanwhile ends the connection, and nothing of a refused body becomes a request.
   */
  private feedBody(chunk: Buffer, from: number): void {
    this.deadline = this.plane.now() + BODY_TIMEOUT_MS;
    const end = this.head.chunked ? this.feedChunks(chunk, from) : this.feedLength(chunk, from);
    if (end < 0 || this.phase !== EXCHANGING) return;
    this.bodyDone = this.head.chunked ? this.scanner.done : this.bodyLeft === 0;
    if (!this.bodyDone) return;
    this.deadline = Number.POSITIVE_INFINITY;
    if (end < chunk.length) this.ahead = chunk.subarray(end);
    this.exchange.onBodyEnd(this.head.chunked ? this.scanner.trailerLines : '');
  }

  private feedLength(chunk: Buffer, from: number): number {
    const end = Math.min(chunk.length, from + this.bodyLeft);
    this.bodyLeft -= end - from;
    this.range[0] = from;
    this.range[1] = end;
    if (end > from) this.exchange.onBody(chunk, this.range);
    return end;
  }

  private feedChunks(chunk: Buffer, from: number): number {
    const end = this.scanner.scan(chunk, from, chunk.length);
    if (end < 0) {
      this.exchange.onBadBody(BAD_CHUNKS);
      return -1;
    }
    const { data } = this.scanner;
    for (let i = 0; i < data.length; i += 2) this.bodyBytes += data[i + 1]! - data[i]!;
    if (this.bodyBytes > this.plane.limits.body) {
      this.exchange.onBadBody(makeBodyTooLarge(this.plane.limits.body));
      return -1;
    }
    if (data.length > 0) this.exchange.onBody(chunk, data);
    return end;
  }

  /** Refuses what is no request; the connection ends, since nobody knows where the next one would start. */
  refuse({ status, code, detail }: Refusal): void {
    countRefusal(this.plane.metrics, code);
    this.head.keepAlive = false;
    this.answer(makeRefusal('problem', status, code, detail));
  }

  private onGone(): void {
    if (this.phase === CLOSED) return;
    const wasExchanging = this.phase === EXCHANGING;
    this.phase = CLOSED;
    if (wasExchanging) this.exchange.onCallerGone();
    this.socket.destroySoon();
  }
}
