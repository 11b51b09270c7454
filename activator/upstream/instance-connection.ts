import type { NetConnectOpts, Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { Address } from '#domain/routing.ts';
import { openSocket } from '../sockets/connect.ts';
import { BodyReader, type Framed } from '../http/body-reader.ts';
import type { RequestHead } from '../http/request-head.ts';
import { ResponseHead } from '../http/response-head.ts';
import { indexOfEnd } from '../http/fields.ts';
import { SocketReader, keep } from '../sockets/socket-reader.ts';
import {
  type Broken,
  type OnOver,
  type UpstreamPool,
  type Upstream,
  type UpstreamEvents,
  MAX_INFORMATIONAL,
} from './upstream.ts';
import { SocketWriter } from '../sockets/socket-writer.ts';
import { listenFor, type Receiver, type SocketOwner } from '../sockets/socket-owner.ts';

/** A response head larger than this is no answer of a sane server. */
const MAX_RESPONSE_HEAD = 64 * 1024;
/**
 * How long an idle connection is kept when the instance does not say how long it keeps it. Shorter than the
 * shortest default in common servers (2 s), so that a request is not written to one that is being closed.
 */
const IDLE_MS = 1500;
/** Closed this much before the instance would close it. */
const IDLE_MARGIN_MS = 1000;
const MAX_IDLE_MS = 60_000;

/**
 * An answer that nobody waits for and that has begun is given so long to end, once the instance has been told: as
 * long as an instance needs that looks at its connections. After that whoever writes on is told by a reset.
 */
const LINGER_MS = 200;

/** Of HTTP/2: bytes before what a frame carries, and the type of a frame. */
const FRAME_HEAD = 9;
const SETTINGS = 4;

const HEAD = 0;
const BODY = 1;
const TUNNEL = 2;
const IDLE = 3;

/**
 * One connection to an instance. Used by one exchange at a time (`events`), then idle in its pool, or, when it was
 * abandoned in the middle, lingering: the instance has been told by an end, and what it still sends is thrown away.
 *
 * Invariants:
 *  1. A response is read as strictly as a request: what is not understood breaks the connection.
 *  2. After `onBroken`, `release`, `abandon` or `destroy` the exchange is told nothing more, but for `onOver`, once.
 *  3. Only after a whole response and a wholly written request does it go back to its pool, and only if nothing
 *     came that nobody asked for.
 *  4. A response whose end is the end of the connection counts as whole only if the instance still lives.
 */
export class InstanceConnection implements Upstream, SocketOwner {
  private readonly socket: Socket;
  readonly reader = new SocketReader();
  private readonly writer: SocketWriter;
  private readonly pool: UpstreamPool<InstanceConnection>;
  connected = false;
  /** Requests, the one that runs counted. After the first, the instance may be closing it this moment. */
  served = 0;
  /** ms of the clock; while idle. */
  idleUntil = 0;
  private events: UpstreamEvents | undefined;
  private method = '';
  private state = IDLE;
  private readonly head = new ResponseHead();
  private readonly body = new BodyReader();
  private readonly framed: [number, number] = [0, 0];
  private partial: Buffer | undefined;
  private requestChunked = false;
  private paused = false;
  /** How long the instance keeps an idle connection, as far as is known; ms. */
  private idleMs = IDLE_MS;
  private informational = 0;
  /** `events` know of the response; before, it may still be refused or sent again. */
  private headTold = false;
  private ended = false;
  /**
   * Not after a request for another protocol: some servers read what follows as if it was granted. Nor after bytes
   * that nobody asked for.
   */
  private mayServeAgain = true;
  /** When nobody waits any longer for the instance to close its side; ms. */
  lingersUntil = 0;
  /** Not a byte of an answer has come to what was abandoned, which is waited for. */
  private isSilent = false;
  private onOver: OnOver | undefined;
  private readonly now: () => number;

  constructor(pool: UpstreamPool<InstanceConnection>, now: () => number) {
    this.pool = pool;
    this.now = now;
    this.idleUntil = now() + IDLE_MS;
    this.socket = open(pool.address, this, () => this.onConnect());
    this.writer = new SocketWriter(this.socket);
    this.socket.setNoDelay(true);
    listenFor(this.socket, this);
  }

  /** Starts one exchange: what is written from now on is its request. */
  use(events: UpstreamEvents, method: string): void {
    this.events = events;
    this.method = method;
    this.state = HEAD;
    this.headTold = false;
    this.informational = 0;
    this.served += 1;
  }

  /** HTTP/1 has no word for it. */
  get canRefuse(): boolean {
    return false;
  }

  /** Bytes of a response have come. */
  get isAnswering(): boolean {
    return this.state !== HEAD || this.partial !== undefined;
  }

  cork(): void {
    this.writer.cork();
  }

  uncork(): void {
    this.writer.uncork();
  }

  writeHead(head: RequestHead, target: string, host: string, added: string): void {
    this.requestChunked = head.chunked;
    if (head.upgrade !== '') this.mayServeAgain = false;
    this.writer.writeText(`${head.forwardHead(target, host)}${added}\r\n`);
  }

  writeBody(buffer: Buffer, ranges: readonly number[]): boolean {
    if (this.requestChunked) return this.writer.writeChunk(buffer, ranges);
    return this.writer.writeRanges(buffer, ranges);
  }

  endBody(trailers: string): void {
    if (this.requestChunked) this.writer.writeText(`0\r\n${trailers}\r\n`);
  }

  writeTunnel(buffer: Buffer, length: number): boolean {
    return this.writer.writeBytes(buffer, 0, length);
  }

  get isFull(): boolean {
    return this.writer.isFull;
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

  release(): void {
    this.events = undefined;
    // An instance may answer before it has taken the request: what is left of that must not meet the next one.
    const whole = this.writer.isEmpty && this.state === IDLE && !this.ended;
    if (!whole || !this.head.keepAlive || !this.mayServeAgain) {
      this.destroy();
      return;
    }
    this.idleUntil = this.now() + this.idleMs;
    this.resume();
    this.pool.keepIdle(this);
  }

  abandon(onOver: OnOver, until: number): void {
    this.events = undefined;
    const isUnderWay = this.connected && this.state !== IDLE && !this.ended;
    if (!isUnderWay || this.socket.destroyed) {
      this.socket.destroy();
      onOver(false);
      return;
    }
    const soon = this.now() + LINGER_MS;
    this.onOver = onOver;
    this.isSilent = until > soon;
    this.lingersUntil = Math.max(until, soon);
    this.socket.end();
    this.resume();
    this.pool.linger(this);
  }

  destroy(): void {
    this.events = undefined;
    this.socket.destroy();
    this.endLinger(false);
  }

  /** Ends it in the middle of whatever runs. */
  cut(reason: string): void {
    this.onGone(reason);
  }

  /** The time to linger is over. */
  giveUp(): void {
    this.endLinger(this.isSilent);
  }

  /** It answers, which no informational head is: it has computed. */
  private lingerOn(): void {
    this.isSilent = false;
    this.lingersUntil = Math.min(this.lingersUntil, this.now() + LINGER_MS);
  }

  private endLinger(isSilent: boolean): void {
    const { onOver } = this;
    if (!onOver) return;
    this.onOver = undefined;
    this.pool.endLinger(this);
    this.socket.destroy();
    onOver(isSilent);
  }

  private onConnect(): void {
    this.connected = true;
    this.events?.onConnected();
  }

  onWritable(): void {
    this.events?.onWritable();
  }

  onError({ message }: Error): void {
    this.onGone(message);
  }

  onClose(): void {
    this.pool.forget(this);
    // The end of a response without length is being verified.
    if (!this.readsUntilClose || !this.ended) this.onGone('the connection was closed');
  }

  private onGone(reason: string, how = this.brokenNow): void {
    if (!this.events) {
      this.pool.dropIdle(this);
      this.destroy();
      return;
    }
    const { events } = this;
    this.events = undefined;
    this.socket.destroy();
    events.onBroken(how, reason);
  }

  /** What it means for the request if the connection ends now. */
  private get brokenNow(): Broken {
    if (!this.connected) return 'unreached';
    return this.isAnswering || this.informational > 0 ? 'seen' : 'unanswered';
  }

  /** The instance has closed its side. Only a response without length ends well this way. */
  onEnd(): void {
    this.ended = true;
    if (this.onOver) this.endLinger(false);
    else if (this.state === TUNNEL) this.events?.onTunnelEnd();
    else if (this.readsUntilClose) this.verifyEnd();
    else this.onGone('the instance closed the connection');
  }

  /**
   * A response without length ends with its connection, and so does one whose instance was killed in the
   * middle. An instance that lives still takes connections. By TLS whoever is on the way can end it, too, and
   * `node:tls` does not tell whether the instance said that it would: such a response has no known end.
   */
  private verifyEnd(): void {
    if (isTls(this.pool.address)) {
      this.onGone('the instance sent a response without length by TLS');
      return;
    }
    const probe = open(this.pool.address, makeProbe(), () => {
      probe.destroy();
      if (this.events) this.finish('');
    });
    probe.on('error', () => this.onGone('the instance went away in the middle of its response'));
  }

  onBytes(buffer: Buffer, length: number): void {
    // An answer to nobody.
    if (this.onOver && this.state !== HEAD) return;
    const { events } = this;
    events?.cork();
    if (this.partial) {
      const joined = Buffer.concat([this.partial, buffer.subarray(0, length)]);
      this.partial = undefined;
      this.takeBytes(joined, joined.length);
    } else this.takeBytes(buffer, length);
    events?.uncork();
  }

  private takeBytes(buffer: Buffer, length: number): void {
    if (this.state === IDLE) {
      this.onGone('the instance spoke without being asked');
      return;
    }
    const bodyAt = this.state === HEAD ? this.readHeads(buffer, length) : 0;
    if (bodyAt >= 0 && this.onOver) this.lingerOn();
    if (bodyAt < 0 || !this.events) return;
    if (this.isTunnel()) this.readTunnel(buffer, bodyAt, length);
    else this.readBody(buffer, bodyAt, length);
  }

  private readTunnel(buffer: Buffer, at: number, length: number): void {
    this.tellHead();
    if (at === 0) this.events?.onTunnelData(buffer, length);
    else if (at < length) this.events?.onTunnelData(keep(buffer, at, length), length - at);
  }

  private tellHead(): void {
    if (this.headTold) return;
    this.headTold = true;
    this.events?.onHead(this.head);
  }

  /** Reads heads, informational ones included, until the final one; -1: more is needed, or it broke. */
  private readHeads(buffer: Buffer, length: number): number {
    let at = 0;
    while (true) {
      const end = this.readHead(buffer, at, length);
      if (end < 0) return -1;
      at = end;
      if (this.head.status >= 200 || this.head.status === 101) break;
      this.informational += 1;
      if (this.informational > MAX_INFORMATIONAL)
        return this.breakWith('informational heads without end');
      this.events?.onInformational(this.head);
    }
    this.beginBody();
    return at;
  }

  private readHead(buffer: Buffer, at: number, length: number): number {
    const known = this.head.text;
    const after = at + known.length;
    if (known !== '' && after <= length && buffer.toString('latin1', at, after) === known)
      return after;
    if (buffer[at] === 0 && beginsHttp2(buffer, at, length)) {
      this.onGone('the instance speaks HTTP/2', 'protocol');
      return -1;
    }
    const end = indexOfEnd(buffer, at, length);
    if (end < 0) return this.waitForHead(buffer, at, length);
    if (!this.head.read(buffer.toString('latin1', at, end)))
      return this.breakWith('a malformed head');
    this.idleMs = idleTimeOf(this.head);
    return end;
  }

  private waitForHead(buffer: Buffer, at: number, length: number): number {
    if (length - at > MAX_RESPONSE_HEAD) return this.breakWith('a head over 64 KiB');
    if (at < length) this.partial = keep(buffer, at, length);
    return -1;
  }

  private beginBody(): void {
    const { head, body } = this;
    this.state = head.status === 101 ? TUNNEL : BODY;
    if (!head.hasBody(this.method)) body.startLength(0);
    else if (head.chunked) body.startChunks();
    else if (head.contentLength < 0) body.startUntilClose();
    else body.startLength(head.contentLength);
  }

  private get readsUntilClose(): boolean {
    return this.state === BODY && this.body.endsWithConnection;
  }

  /** What came with the head is looked at before the head is told: a broken body may still become a refusal. */
  private readBody(buffer: Buffer, at: number, length: number): void {
    const { body } = this;
    const end = body.read(buffer, at, length);
    if (end < 0) {
      this.breakWith('malformed chunks');
      return;
    }
    this.tellHead();
    this.reader.expect(body.left);
    if (body.data.length > 0)
      this.events?.onData(buffer, body.data, body.isPlain ? this.chunksAt(at, end) : undefined);
    if (body.done) this.finish(body.trailers, end < length);
  }

  private chunksAt(from: number, to: number): Framed {
    this.framed[0] = from;
    this.framed[1] = to;
    return this.framed;
  }

  /** `excess`: bytes after the end, which nobody asked for; the connection is not used again. */
  private finish(trailers: string, excess = false): void {
    this.state = IDLE;
    if (excess) this.mayServeAgain = false;
    this.events?.onEnd(trailers);
  }

  private breakWith(what: string): number {
    this.onGone(`the instance sent ${what}`, 'seen');
    return -1;
  }

  private isTunnel(): boolean {
    return this.state === TUNNEL;
  }
}

/** A server of HTTP/2 begins with SETTINGS, of stream 0 and no answer to others, whatever it was sent. */
function beginsHttp2(buffer: Buffer, at: number, length: number): boolean {
  return (
    at + FRAME_HEAD <= length &&
    buffer[at + 3] === SETTINGS &&
    buffer[at + 4] === 0 &&
    buffer.readUInt32BE(at + 5) === 0
  );
}

function isTls(address: Address): boolean {
  return 'tls' in address && address.tls === true;
}

interface SocketReceiver extends Receiver {
  readonly reader: SocketReader;
}

/** Reads what nobody needs. */
function makeProbe(): SocketReceiver {
  return { reader: new SocketReader(), onBytes: () => {} };
}

/** Each side of it is closed by itself. */
function open(address: Address, receiver: SocketReceiver, onReady: () => void): Socket {
  const { reader } = receiver;
  const connectors = {
    plain: (to: NetConnectOpts) => reader.connect({ ...to, allowHalfOpen: true }, receiver),
    secure: (to: ConnectionOptions) => reader.listenTo(connectTls(to), receiver),
  };
  return openSocket(address, connectors, onReady);
}

/** How long a connection may be idle here: shorter than the instance says that it keeps it. */
function idleTimeOf({ fields }: ResponseHead): number {
  const hint = /timeout=(\d{1,6})/.exec(fields.find('keep-alive'))?.[1];
  if (hint === undefined) return IDLE_MS;
  return Math.min(MAX_IDLE_MS, Math.max(0, Number(hint) * 1000 - IDLE_MARGIN_MS));
}
