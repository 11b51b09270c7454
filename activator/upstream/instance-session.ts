import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionRequestOptions,
  connect,
  constants,
} from 'node:http2';
import { connect as connectSocket, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Address } from '#domain/routing.ts';
import { openSocket } from '../sockets/connect.ts';
import { MAX_SENT_HEAD } from '../http2/fields.ts';
import { StreamFaults } from '../http2/stream-faults.ts';
import { SESSION_WINDOW, STREAM_WINDOW } from '../http2/windows.ts';

/**
 * Streams that are reset here before a session gets no new ones. Servers that guard themselves against rapid resets end
 * the session, with all that is on it: those with nghttp2, like Node's, after 1000 and 33 a second more, others after
 * 500. What still runs on it may be reset, too.
 */
const MAX_RESETS = 250;

/** Who wants to send on a session that is being opened. */
interface SessionEvents {
  onConnected(): void;
  onUnreached(reason: string): void;
}

/** One HTTP/2 connection to an instance, shared by many requests. */
export class InstanceSession {
  /** Requests that it was used for. */
  served = 0;
  /** Requests that use it now. */
  active = 0;
  /** Requests on it that were given up. */
  resets = 0;
  /** ms; since when nobody uses it. */
  idleSince: number;
  connected = false;
  /** Its SETTINGS came, with which every HTTP/2 connection begins. */
  speaksHttp2 = false;
  private readonly session: ClientHttp2Session;
  private readonly now: () => number;
  /** From its SETTINGS on: a fault before them says that it does not speak HTTP/2. */
  private faults: StreamFaults | undefined;
  private readonly waiting = new Set<SessionEvents>();
  private reason = '';
  private isRefusing = false;
  /** The last stream that the instance looked at, by its GOAWAY. */
  private lastStream = Number.POSITIVE_INFINITY;

  constructor(address: Address, now: () => number) {
    this.now = now;
    this.idleSince = now();
    const socket = connectTo(address);
    const options = {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW },
      maxHeaderListPairs: 256,
      maxSendHeaderBlockLength: MAX_SENT_HEAD,
      // What a caller sends twice the instance gets twice.
      strictSingleValueFields: false,
    };
    this.session = connect(`${schemeOf(address)}://instance`, options);
    this.session.on('connect', () => this.onConnect());
    this.session.on('remoteSettings', () => this.onSettings());
    this.session.on('error', (error: Error) => (this.reason = error.message));
    this.session.on('goaway', (_, lastStream) => this.onGoAway(lastStream));
    this.session.on('close', () => this.onClose());
  }

  /** Whether another request may be sent on it. */
  get isUsable(): boolean {
    const { session } = this;
    if (this.faults?.isOpen) return false;
    return !this.isRefusing && this.resets < MAX_RESETS && !session.closed && !session.destroyed;
  }

  /** The connection has ended, for all of its streams. */
  get isGone(): boolean {
    return this.session.destroyed;
  }

  /** Whether the instance said, as it went away, that it did nothing with a stream: RFC 9113, 6.8. */
  hasLeftOut(stream = 0): boolean {
    return stream > this.lastStream;
  }

  /** As many at once as the instance says. */
  get maxStreams(): number {
    if (!this.connected || this.session.destroyed) return Number.POSITIVE_INFINITY;
    return this.session.remoteSettings.maxConcurrentStreams ?? Number.POSITIVE_INFINITY;
  }

  /** What became of the connection, once it has ended. */
  get failure(): string {
    if (this.reason !== '') return this.reason;
    return this.connected && !this.speaksHttp2
      ? 'it closed the connection before it spoke HTTP/2'
      : 'the connection was closed';
  }

  whenConnected(waiting: SessionEvents): void {
    this.waiting.add(waiting);
  }

  forget(waiting: SessionEvents): void {
    this.waiting.delete(waiting);
  }

  /** `fields`: names and values in turn. */
  request(fields: readonly string[], options: ClientSessionRequestOptions): ClientHttp2Stream {
    const stream = this.session.request(fields, options);
    stream.once('close', () => this.faults?.onStreamClosed(stream.rstCode));
    return stream;
  }

  sweep(now: number): void {
    this.faults?.sweep(now);
  }

  /** What runs may finish. */
  close(): void {
    if (!this.session.destroyed) this.session.close();
  }

  cut(reason: string): void {
    // Without an error its streams would look as if they had come to their end.
    this.session.destroy(new Error(reason), constants.NGHTTP2_CANCEL);
  }

  /** Told of one that has ended meanwhile, too; `onClose` follows. */
  private onConnect(): void {
    if (this.session.destroyed) return;
    this.connected = true;
    this.session.setLocalWindowSize(SESSION_WINDOW);
    for (const each of this.waiting) {
      this.waiting.delete(each);
      each.onConnected();
    }
  }

  private onSettings(): void {
    this.speaksHttp2 = true;
    this.faults ??= new StreamFaults(this.session, this.now);
  }

  private onGoAway(lastStream: number): void {
    this.isRefusing = true;
    this.lastStream = lastStream;
  }

  private onClose(): void {
    for (const each of this.waiting) {
      this.waiting.delete(each);
      each.onUnreached(this.failure);
    }
  }
}

export function schemeOf(address: Address): 'http' | 'https' {
  return 'tls' in address && address.tls ? 'https' : 'http';
}

function connectTo(address: Address): Socket {
  return openSocket(address, {
    plain: (to) => connectSocket(to),
    secure: (to) => connectTls({ ...to, ALPNProtocols: ['h2'] }),
  });
}
