import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { AcceptedConnection } from './accepted-connection.ts';
import type { Peer } from '../entry/listener.ts';
import { countRefusal } from '../metrics/metrics.ts';
import { KEEP_ALIVE_MS, LINGER_MS, type Plane } from '../plane.ts';
import { CallerStream } from './caller-stream.ts';
import { MAX_SENT_HEAD } from '../http2/fields.ts';
import { StreamFaults } from '../http2/stream-faults.ts';
import { SESSION_WINDOW, STREAM_WINDOW } from '../http2/windows.ts';

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_REFUSED_STREAM } = constants;

/** Requests of one connection at once. */
const MAX_STREAMS = 1000;
/** More than the limit of a head, so that one that is a little too large gets an answer, not a reset. */
const HEAD_MARGIN = 16 * 1024;
/**
 * MB of heads, and of what waits to be sent: more than all streams can have, each a head, a large read and a full buffer,
 * which is less than 300 KiB. Beyond it `node:http2` refuses new streams, and after a hundred of those ends the
 * connection with all that is on it; of its own 10 two hundred streams that are read slowly have more.
 */
const MAX_MEMORY = 512;
/**
 * Streams that ended without an answer: so many at once, and so many a second (rapid reset, CVE-2023-44487). All that
 * may be open may be given up, every second: gRPC gives up at each deadline, and a gateway has the calls of many
 * callers on one connection.
 */
const MAX_RESETS = MAX_STREAMS;
const RESETS_PER_SECOND = MAX_STREAMS;
/**
 * The same for frames of RST_STREAM. nghttp2 counts them all, also those that follow a whole answer, and ends the
 * connection with INTERNAL_ERROR; its own 1000 and 33 a second are less than an honest caller of gRPC sends.
 */
const MAX_RESET_FRAMES = 10 * MAX_STREAMS;
/**
 * No limit of `node:http2`'s own, which counts to 1000 for as long as the connection lives, and then ends it. Those that
 * reset their stream are counted here, others nghttp2 counts by the second.
 */
const MAX_INVALID_FRAMES = 2 ** 32 - 1;

/** Without an error `node:http2` takes no code, and its streams would look as if they had come to their end. */
const RESETS = new Error('too many streams were reset');
const CUT = new Error('the connection was cut');

/**
 * A caller's HTTP/2 connection: frames, flow control and header compression are `node:http2`'s, each stream is a
 * `CallerStream`.
 *
 * What nghttp2 bounds by itself: CONTINUATION frames in a row, answers to SETTINGS and PING that wait to be
 * sent, the header table. What is set here: streams, windows, header sizes, memory, resets.
 */
export class CallerSession implements AcceptedConnection {
  private readonly session: ServerHttp2Session;
  private readonly socket: Socket;
  private readonly plane: Plane;
  private readonly peer: Peer;
  private readonly streams = new Set<CallerStream>();
  private readonly faults: StreamFaults;
  private resets = 0;
  private resetsAt: number;
  /** When a connection without streams is closed, or cut if it is closing; ms. */
  private deadline: number;
  /** The caller has been told to open no more streams. */
  private closing = false;

  /** `first`: what has been read of the connection already. */
  constructor(socket: Socket, first: Buffer, plane: Plane, peer: Peer) {
    this.socket = socket;
    this.plane = plane;
    this.peer = peer;
    this.resetsAt = plane.now();
    this.deadline = plane.now() + KEEP_ALIVE_MS;
    socket.unshift(first);
    this.session = performServerHandshake(socket, {
      settings: {
        maxConcurrentStreams: MAX_STREAMS,
        initialWindowSize: STREAM_WINDOW,
        maxHeaderListSize: plane.limits.head + HEAD_MARGIN,
        enablePush: false,
      },
      maxHeaderListPairs: 256,
      maxSendHeaderBlockLength: MAX_SENT_HEAD,
      maxSessionMemory: MAX_MEMORY,
      maxSessionInvalidFrames: MAX_INVALID_FRAMES,
      streamResetBurst: MAX_RESET_FRAMES,
      streamResetRate: MAX_RESET_FRAMES,
      strictSingleValueFields: false,
    });
    this.session.setLocalWindowSize(SESSION_WINDOW);
    this.faults = new StreamFaults(this.session, () => plane.now());
    this.session.on('error', () => {});
    this.session.on('stream', (stream, _, flags, raw) => this.onStream(stream, flags, raw));
    socket.on('error', () => {});
    // A caller that closes its side has left, as in HTTP/1.
    socket.on('end', () => this.session.destroy());
  }

  private onStream(stream: ServerHttp2Stream, flags: number, raw: readonly string[]): void {
    const { plane } = this;
    if (plane.streams >= plane.limits.connections) {
      countRefusal(plane.metrics, 'unavailable');
      refuse(stream);
      return;
    }
    plane.streams += 1;
    const each = new CallerStream(stream, plane, this.peer);
    this.streams.add(each);
    stream.on('close', () => {
      plane.streams -= 1;
      this.streams.delete(each);
      if (this.streams.size === 0) this.startIdling();
      this.faults.onStreamClosed(stream.rstCode);
      if (stream.aborted) this.countReset();
    });
    each.begin(raw, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0);
  }

  /** nghttp2 counts only the resets that the caller sends, not those that it provokes. */
  private countReset(): void {
    const now = this.plane.now();
    this.resets = Math.max(0, this.resets - ((now - this.resetsAt) / 1000) * RESETS_PER_SECOND) + 1;
    this.resetsAt = now;
    if (this.resets > MAX_RESETS) this.session.destroy(RESETS, NGHTTP2_ENHANCE_YOUR_CALM);
  }

  sweep(now: number): void {
    this.faults.sweep(now);
    for (const stream of this.streams) stream.sweep(now);
    if (this.streams.size > 0 || now < this.deadline) return;
    if (this.closing) this.cut();
    else this.beginClose();
  }

  /**
   * GOAWAY names the last stream that is served; what the caller sent after that it may send elsewhere, since
   * nothing was done with it. The session ends with its last stream.
   */
  beginClose(): void {
    this.closing = true;
    this.startIdling();
    if (!this.session.destroyed) this.session.close();
  }

  private startIdling(): void {
    this.deadline = this.plane.now() + (this.closing ? LINGER_MS : KEEP_ALIVE_MS);
  }

  cut(): void {
    this.session.destroy(CUT, NGHTTP2_INTERNAL_ERROR);
    this.socket.destroy();
  }
}

/** Nothing was done with it: it may be sent again. */
function refuse(stream: ServerHttp2Stream): void {
  stream.on('error', () => {});
  stream.close(NGHTTP2_REFUSED_STREAM);
}
