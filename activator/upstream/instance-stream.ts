import { type ClientHttp2Stream, constants } from 'node:http2';
import type { Address } from '#domain/routing.ts';
import type { RequestHead } from '../http/request-head.ts';
import { ResponseHead } from '../http/response-head.ts';
import { keep } from '../sockets/socket-reader.ts';
import {
  type Broken,
  type OnOver,
  type Upstream,
  type UpstreamEvents,
  MAX_INFORMATIONAL,
} from './upstream.ts';
import { NEVER } from '../never.ts';
import { fieldsOfLines, linesOfHead, readTrailers, trailersOfLines } from '../http2/fields.ts';
import { formatTimeout } from '../http2/grpc.ts';
import { readResponse } from './read-response.ts';
import { type InstanceSession, schemeOf } from './instance-session.ts';

const { NGHTTP2_CANCEL, NGHTTP2_FLAG_END_STREAM, NGHTTP2_REFUSED_STREAM } = constants;

/** Said anew for this hop. */
const REPLACED = new Set(['host', 'grpc-timeout']);

/**
 * One request to an instance, as a stream of a session.
 *
 * Invariant: after `release`, or after `onBroken` or `onEnd` was told, nothing more is told of it.
 */
export class InstanceStream implements Upstream {
  readonly served: number;
  isAnswering = false;
  private readonly session: InstanceSession;
  private readonly address: Address;
  private readonly now: () => number;
  private readonly isGrpc: boolean;
  private readonly head = new ResponseHead();
  private readonly range = [0, 0];
  private events: UpstreamEvents | undefined;
  private stream: ClientHttp2Stream | undefined;
  private method = '';
  private requestTrailers = '';
  private trailers = '';
  private informational = 0;
  /** What ends the answer has come. */
  private isWhole = false;
  private givesUpAt = NEVER;
  private left = false;

  constructor(session: InstanceSession, address: Address, now: () => number, isGrpc: boolean) {
    this.session = session;
    this.address = address;
    this.now = now;
    this.isGrpc = isGrpc;
    session.active += 1;
    session.served += 1;
    this.served = session.served;
  }

  get connected(): boolean {
    return this.session.connected;
  }

  /** With REFUSED_STREAM. */
  get canRefuse(): boolean {
    return true;
  }

  use(events: UpstreamEvents, method: string, givesUpAt: number): void {
    this.events = events;
    this.method = method;
    this.givesUpAt = givesUpAt;
    if (!this.connected) this.session.whenConnected(this);
  }

  onConnected(): void {
    if (this.session.isUsable) this.events?.onConnected();
    else this.onUnreached(this.session.failure);
  }

  onUnreached(reason: string): void {
    this.break('unreached', reason);
  }

  // The request

  cork(): void {
    this.stream?.cork();
  }

  uncork(): void {
    this.stream?.uncork();
  }

  writeHead(head: RequestHead, target: string, host: string, added: string): void {
    // A body without length may end with trailers; in gRPC none does.
    const mayTrail = head.chunked && !this.isGrpc;
    const options = { endStream: !head.hasBody, waitForTrailers: mayTrail };
    const fields = [
      ':method',
      head.method,
      ':scheme',
      schemeOf(this.address),
      ':authority',
      host,
      ':path',
      target,
      ...without(fieldsOfLines(linesOfHead(head.forwardHead(target, host))), REPLACED),
      ...fieldsOfLines(added),
      ...this.timeout(),
      'te',
      'trailers',
    ];
    const stream = this.session.request(fields, options);
    this.stream = stream;
    this.watchEnd(stream);
    if (mayTrail) {
      stream.on('wantTrailers', () => stream.sendTrailers(trailersOfLines(this.requestTrailers)));
    }
    stream.on('headers', (_, flags, raw) => this.onHead(flags, raw));
    stream.on('response', (_: unknown, flags: number, raw: readonly string[]) => {
      this.onHead(flags, raw);
    });
    stream.on('data', (chunk: Buffer) => this.onData(chunk));
    stream.on('trailers', (_, __, raw) => this.onTrailers(raw));
    stream.on('end', () => this.onEnd());
    stream.on('drain', () => this.events?.onWritable());
    stream.on('error', (error) => this.onError(error));
    stream.on('close', () => this.onClose(stream.rstCode));
  }

  /** What is left of the time that the caller gives. */
  private timeout(): string[] {
    if (this.givesUpAt === NEVER) return [];
    return ['grpc-timeout', formatTimeout(this.givesUpAt - this.now())];
  }

  writeBody(buffer: Buffer, ranges: readonly number[]): boolean {
    const { stream } = this;
    if (!stream || stream.destroyed || stream.closed) return true;
    let free = true;
    for (let i = 0; i < ranges.length; i += 2) {
      free = stream.write(keep(buffer, ranges[i]!, ranges[i + 1]!));
    }
    return free;
  }

  endBody(trailers: string): void {
    this.requestTrailers = trailers;
    this.stream?.end();
  }

  /** There are no upgrades in HTTP/2. */
  writeTunnel(): boolean {
    return true;
  }

  get isFull(): boolean {
    return this.stream?.writableNeedDrain ?? false;
  }

  // The response

  pause(): void {
    this.stream?.pause();
  }

  resume(): void {
    this.stream?.resume();
  }

  release(): void {
    this.events = undefined;
    this.leave();
    this.drop();
  }

  /** What has closed keeps what is left of the request until it is destroyed. */
  private drop(): void {
    const { stream } = this;
    if (!stream || stream.destroyed) return;
    if (stream.closed) {
      stream.destroy();
      return;
    }
    // node:http2 tells the end before it closes the stream: to reset it then would only count against the session.
    if (stream.readableEnded && stream.writableFinished) return;
    this.session.resets += 1;
    stream.close(NGHTTP2_CANCEL);
  }

  abandon(onOver: OnOver): void {
    this.release();
    onOver(false);
  }

  private onHead(flags: number, raw: readonly string[]): void {
    if (!this.events) return;
    this.isAnswering = true;
    const ended = (flags & NGHTTP2_FLAG_END_STREAM) !== 0;
    this.isWhole = ended;
    if (!readResponse(this.head, raw, ended, this.method))
      this.break('seen', 'the instance sent a malformed head');
    else if (this.head.status < 200) this.onInformational(this.events);
    else this.events.onHead(this.head);
  }

  private onInformational(events: UpstreamEvents): void {
    this.informational += 1;
    if (this.informational <= MAX_INFORMATIONAL) events.onInformational(this.head);
    else this.break('seen', 'the instance sent informational heads without end');
  }

  private onData(chunk: Buffer): void {
    this.range[1] = chunk.length;
    this.events?.onData(chunk, this.range);
  }

  private onTrailers(raw: readonly string[]): void {
    this.isWhole = true;
    const lines = readTrailers(raw);
    if (typeof lines === 'string') this.trailers = lines;
    else this.break('seen', 'the instance sent malformed trailers');
  }

  private onEnd(): void {
    const { events, stream } = this;
    if (!events || !this.isAnswering) return;
    // A stream that was reset in the middle ends, too. `close` does not follow while the request is not all written.
    if (this.wasCut) {
      this.onClose(stream?.rstCode ?? NGHTTP2_CANCEL);
      return;
    }
    this.events = undefined;
    this.leave();
    events.onEnd(this.trailers);
  }

  /**
   * `node:http2` does not tell whether an answer ended by END_STREAM or by a reset with NO_ERROR, which looks the
   * same. But it pushes the end of the first while the stream is open yet, that of the second when it has closed.
   */
  private watchEnd(stream: ClientHttp2Stream): void {
    const push = stream.push.bind(stream);
    stream.push = (chunk: unknown, encoding) => {
      if (chunk === null && !stream.closed) this.isWhole = true;
      return push(chunk, encoding);
    };
  }

  /**
   * A whole answer may have been closed, too, by the time that its end is read: when the caller reads slowly, or
   * by a reset of what is left of the request.
   */
  private get wasCut(): boolean {
    return this.stream?.closed === true && !this.isWhole;
  }

  /** node:http2 could not read what the instance began with: most likely a refusal by HTTP/1. */
  private onError(error: Error): void {
    const isUnreadable = 'code' in error && error.code === 'ERR_HTTP2_ERROR';
    if (!isUnreadable || this.session.speaksHttp2) return;
    this.break('protocol', 'the instance does not speak HTTP/2');
  }

  /** A reset is the instance's word on this request; the end of its connection says nothing of it. */
  private onClose(code: number): void {
    const { session, stream } = this;
    const wasRefused = code === NGHTTP2_REFUSED_STREAM || session.hasLeftOut(stream?.id);
    const reason = session.isGone ? session.failure : `the instance reset the stream (${code})`;
    if (wasRefused && !this.isAnswering) this.break('refused', reason);
    else this.break(session.isGone && !this.isAnswering ? 'unanswered' : 'seen', reason);
  }

  private break(how: Broken, reason: string): void {
    const { events } = this;
    this.events = undefined;
    this.leave();
    this.drop();
    events?.onBroken(how, reason);
  }

  private leave(): void {
    if (this.left) return;
    this.left = true;
    this.session.forget(this);
    this.session.active -= 1;
    this.session.idleSince = this.now();
  }
}

function without(fields: readonly string[], names: ReadonlySet<string>): string[] {
  return fields.filter((_, i) => !names.has(fields[i - (i % 2)]!));
}
