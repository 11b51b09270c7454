import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Caller } from '#domain/records.ts';
import { type Answer, bytesOf, makeRefusal } from '../exchange/answers.ts';
import type { DownstreamEvents } from '../exchange/downstream.ts';
import { Exchange } from '../exchange/exchange.ts';
import { RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { keep } from '../sockets/socket-reader.ts';
import type { Peer } from '../entry/listener.ts';
import { countRefusal } from '../metrics/metrics.ts';
import { Origin } from './origin.ts';
import { NEVER } from '../never.ts';
import {
  BODY_TIMEOUT_MS,
  KEEP_ALIVE_MS,
  LINGER_MS,
  MAX_ROUTED_BODY,
  type Plane,
} from '../plane.ts';
import { makeRetryField, type Refusal } from '../refusal.ts';
import { BAD_LENGTH, makeBodyTooLarge } from '../http/refusals.ts';
import { BAD_TIMEOUT } from '../exchange/refusals.ts';
import { fieldsOfLines, linesOfHead, readTrailers, trailersOfLines } from '../http2/fields.ts';
import {
  GRPC,
  grpcStatusOf,
  isGrpcType,
  makePrefix,
  makeStatusFields,
  parseTimeout,
} from '../http2/grpc.ts';
import type { GrpcDownstream } from './grpc-downstream.ts';
import { InferenceCall, isInferenceTarget } from './inference/call.ts';
import { readRequest } from './read-request.ts';

const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants;
const NO_SUCH_STATUS = 600;
const LENGTH_LINE = /^content-length: \d+\r\n/im;
/** Has no content, whatever its instance sends: RFC 9110, 15.3.6. `node:http2` ends the stream with its head. */
const RESET_CONTENT = 205;

/** Of a body that nobody wants: as much as a caller may send anyway before it is known where it goes. */
const MAX_UNWANTED = MAX_ROUTED_BODY;

/**
 * `OVER`: the answer is made, and on its way. `LINGERING`: it has been sent, and the rest of the request is taken
 * and thrown away, since there are clients that take a reset for the loss of an answer that they have.
 */
const EXCHANGING = 0;
const OVER = 1;
const LINGERING = 2;

/**
 * A caller's stream: one request and its answer.
 *
 * Invariants:
 *  1. While `EXCHANGING` the exchange owns the stream; after that nothing is told to it.
 *  2. What has arrived and was not read is at most the window of the stream.
 */
export class CallerStream implements GrpcDownstream {
  readonly head: RequestHead;
  isGrpc = false;
  givesUpAt = NEVER;
  bodyDone = true;
  isAnswering = false;
  private readonly origin: Origin;
  private readonly stream: ServerHttp2Stream;
  private readonly plane: Plane;
  /** Set when the head was understood. */
  private events: DownstreamEvents | undefined;
  private phase = EXCHANGING;
  private continued = false;
  /** Between two bytes of a request; a stream of gRPC may be silent for as long as its model allows. */
  private bodyTimeout = BODY_TIMEOUT_MS;
  private bodyBytes = 0;
  /** What is still taken of the request once it is answered; bytes. */
  private unwanted = 0;
  private requestTrailers = '';
  private trailers = '';
  private hasBody = false;
  private readonly range = [0, 0];
  /** When the present phase ends; ms. */
  private deadline = NEVER;

  constructor(stream: ServerHttp2Stream, plane: Plane, peer: Peer) {
    this.stream = stream;
    this.plane = plane;
    this.head = new RequestHead(!plane.isTransparent);
    this.origin = new Origin(peer);
  }

  /** `raw`: the fields as they came; `ended`: there is no body. */
  begin(raw: readonly string[], ended: boolean): void {
    const { plane, stream } = this;
    stream.on('error', () => {});
    stream.on('close', () => this.onGone());
    stream.on('data', (chunk: Buffer) => this.onData(chunk));
    this.bodyDone = ended;
    const refusal =
      readRequest(this.head, raw, ended, plane.limits.head) ?? this.origin.read(this.head);
    this.isGrpc =
      !refusal && this.head.method === 'POST' && isGrpcType(this.head.fields.find('content-type'));
    const wrong = refusal ?? this.readTimeout() ?? this.checkLength();
    if (wrong) {
      this.refuse(wrong);
      return;
    }
    this.bodyTimeout = this.isGrpc ? NEVER : BODY_TIMEOUT_MS;
    if (!ended) this.deadline = plane.now() + this.bodyTimeout;
    stream.on('trailers', (_, __, fields: readonly string[]) => this.onTrailers(fields));
    stream.on('end', () => this.onEnd());
    stream.on('drain', () => this.events?.onCallerWritable());
    stream.on('wantTrailers', () => stream.sendTrailers(trailersOfLines(this.trailers)));
    this.events = this.isInference ? new InferenceCall(this, plane) : new Exchange(this, plane);
    this.events.prepare();
    this.events.begin(false);
  }

  private get isInference(): boolean {
    return this.isGrpc && !this.plane.isPassThrough && isInferenceTarget(this.head.target);
  }

  /** How long a gRPC call may take. */
  private readTimeout(): Refusal | undefined {
    if (!this.isGrpc) return undefined;
    const timeout = parseTimeout(this.head.fields.find('grpc-timeout'));
    this.givesUpAt = this.plane.now() + timeout;
    return Number.isNaN(timeout) ? BAD_TIMEOUT : undefined;
  }

  private checkLength(): Refusal | undefined {
    const { body } = this.plane.limits;
    return this.head.contentLength > body ? makeBodyTooLarge(body) : undefined;
  }

  get peer(): Peer {
    return this.origin.peer;
  }

  get caller(): Caller {
    return this.origin.caller;
  }

  get forwarded(): string {
    return this.origin.fieldsFor(this.head);
  }

  // The request's body

  get isPaused(): boolean {
    return this.stream.isPaused();
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  askForBody(): void {
    this.deadline = this.plane.now() + this.bodyTimeout;
    if (this.continued || !this.head.expectContinue || this.isClosed) return;
    this.continued = true;
    this.stream.additionalHeaders({ ':status': 100 });
  }

  takeAhead(): Buffer | undefined {
    return undefined;
  }

  private onData(chunk: Buffer): void {
    if (this.phase !== EXCHANGING) {
      this.throwAway(chunk.length);
      return;
    }
    const { plane, head } = this;
    this.deadline = plane.now() + this.bodyTimeout;
    this.bodyBytes += chunk.length;
    if (this.bodyBytes > plane.limits.body) {
      this.events?.onBadBody(makeBodyTooLarge(plane.limits.body));
    } else if (head.contentLength >= 0 && this.bodyBytes > head.contentLength) {
      this.events?.onBadBody(BAD_LENGTH);
    } else {
      this.range[1] = chunk.length;
      this.events?.onBody(chunk, this.range);
    }
  }

  private onTrailers(fields: readonly string[]): void {
    if (this.phase !== EXCHANGING) return;
    const lines = readTrailers(fields);
    if (typeof lines === 'string') this.requestTrailers = lines;
    else this.events?.onBadBody(lines);
  }

  private onEnd(): void {
    // A stream that was reset in the middle ends, too.
    if (this.phase !== EXCHANGING || this.bodyDone || this.stream.aborted) return;
    if (this.head.contentLength >= 0 && this.bodyBytes !== this.head.contentLength) {
      this.events?.onBadBody(BAD_LENGTH);
      return;
    }
    this.bodyDone = true;
    this.deadline = NEVER;
    this.events?.onBodyEnd(this.requestTrailers);
  }

  // An answer made here

  answer(answer: Answer, extra = ''): void {
    if (this.isGrpc) {
      const { refusal } = answer;
      // What is not refused is an answer to HTTP, at a path that is no gRPC method.
      const status = refusal ? grpcStatusOf(refusal.code) : GRPC.unimplemented;
      this.answerStatus(status, refusal?.detail ?? 'There is no such method.', extra);
      return;
    }
    const body = bytesOf(answer);
    const type = ['content-type', answer.type, 'content-length', String(body.length)];
    const hasBody = this.head.method !== 'HEAD' && body.length > 0;
    this.respond(answer.status, [...type, ...fieldsOfLines(extra)], hasBody, false);
    if (hasBody && !this.isClosed) this.stream.end(body);
    this.finish();
  }

  /** Ends a gRPC call without a message. `extra`: more field lines. */
  answerStatus(status: number, message: string, extra: string): void {
    this.respond(200, makeStatusFields(status, message, fieldsOfLines(extra)), false, false);
    this.finish();
  }

  /** Ends a gRPC call with one message. `extra`: more field lines. */
  answerMessage(message: Uint8Array, extra: string): void {
    this.respond(200, ['content-type', 'application/grpc', ...fieldsOfLines(extra)], true, true);
    this.cork();
    this.writePieces(makePrefix(message.length), message);
    this.endBody('grpc-status: 0\r\n');
    this.uncork();
    this.finish();
  }

  private writePieces(...pieces: readonly Uint8Array[]): void {
    if (!this.isClosed) for (const piece of pieces) this.stream.write(piece);
  }

  refuse({ status, code, detail, retryAfter }: Refusal): void {
    countRefusal(this.plane.metrics, code);
    this.answer(makeRefusal('problem', status, code, detail), makeRetryField(retryAfter));
  }

  // The instance's answer

  cork(): void {
    this.stream.cork();
  }

  uncork(): void {
    this.stream.uncork();
  }

  writeInformational(head: ResponseHead): void {
    if (this.isClosed || this.stream.headersSent) return;
    const fields = trailersOfLines(linesOfHead(head.forwardHead()));
    this.stream.additionalHeaders({ ':status': head.status, ...fields });
  }

  writeHead(head: ResponseHead, extra: string): void {
    const lines = linesOfHead(head.forwardHead());
    const isReset = head.status === RESET_CONTENT;
    // A gRPC call that ends with its head has trailers there, and a length is none.
    const hasNoLength = isReset || (this.isGrpc && head.contentLength === 0);
    const fields = fieldsOfLines((hasNoLength ? lines.replace(LENGTH_LINE, '') : lines) + extra);
    // What a status without meaning is to be taken for: RFC 9110, 15.
    const status = head.status < NO_SUCH_STATUS ? head.status : 500;
    const hasBody = head.hasBody(this.head.method) && !isReset;
    this.respond(status, fields, hasBody, head.contentLength < 0);
  }

  writeBody(buffer: Buffer, ranges: readonly number[]): boolean {
    if (!this.hasBody || this.isClosed) return true;
    let free = true;
    for (let i = 0; i < ranges.length; i += 2) {
      free = this.stream.write(keep(buffer, ranges[i]!, ranges[i + 1]!));
    }
    return free;
  }

  endBody(trailers: string): void {
    this.trailers = trailers;
    if (this.hasBody && !this.isClosed) this.stream.end();
  }

  finish(): void {
    this.phase = OVER;
    // A caller that does not read what is left of the answer is not waited for longer than an idle one.
    this.deadline = this.plane.now() + KEEP_ALIVE_MS;
    const { stream } = this;
    stream.resume();
    if (this.bodyDone || this.isClosed) return;
    const isTooLong = this.head.contentLength - this.bodyBytes > MAX_UNWANTED;
    this.unwanted = isTooLong ? 0 : MAX_UNWANTED;
    // Trailers leave one turn after the last byte.
    stream.once('finish', () => setImmediate(() => setImmediate(() => this.linger())));
  }

  private linger(): void {
    this.phase = LINGERING;
    this.deadline = this.plane.now() + LINGER_MS;
    this.throwAway(0);
  }

  /** What goes on beyond the limit is stopped: RFC 9113, 8.1. */
  private throwAway(bytes: number): void {
    this.unwanted -= bytes;
    if (this.phase === LINGERING && this.unwanted <= 0) this.close(NGHTTP2_NO_ERROR);
  }

  cut(): void {
    this.phase = OVER;
    this.close(NGHTTP2_INTERNAL_ERROR);
  }

  private respond(
    status: number,
    fields: readonly string[],
    hasBody: boolean,
    waitForTrailers: boolean,
  ): void {
    this.isAnswering = true;
    this.hasBody = hasBody;
    if (this.isClosed) return;
    const options = {
      endStream: !hasBody,
      waitForTrailers: hasBody && waitForTrailers,
      sendDate: false,
    };
    this.stream.respond([':status', String(status), ...fields], options);
  }

  private get isClosed(): boolean {
    return this.stream.destroyed || this.stream.closed;
  }

  private close(code: number): void {
    if (!this.isClosed) this.stream.close(code);
  }

  // Upgrades do not exist here: none is ever asked for

  writeSwitch(): void {
    this.cut();
  }

  writeTunnel(): boolean {
    return true;
  }

  endTunnel(): void {
    this.cut();
  }

  // Time and ends

  sweep(now: number): void {
    const { stream } = this;
    // One that its caller reset without an error keeps what was not sent yet, and does not tell of its end.
    if (stream.closed && !stream.destroyed) stream.destroy();
    if (this.phase === EXCHANGING) this.events?.sweep(now);
    if (now < this.deadline) return;
    if (this.phase === LINGERING) this.close(NGHTTP2_NO_ERROR);
    else if (this.phase === OVER) this.close(NGHTTP2_INTERNAL_ERROR);
    else if (this.stream.isPaused()) this.deadline = now + BODY_TIMEOUT_MS;
    else this.events?.onBodyStalled();
  }

  private onGone(): void {
    if (this.phase !== EXCHANGING) return;
    this.phase = OVER;
    this.events?.onCallerGone();
  }
}
