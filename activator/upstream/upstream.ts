import type { Address } from '#domain/routing.ts';
import type { Framed } from '../http/body-reader.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';

/** More heads than any server sends before one answer; they are passed on without waiting for the caller to read. */
export const MAX_INFORMATIONAL = 16;

/** Where a granted request goes to: an HTTP/1 connection to the instance, or an HTTP/2 stream. */
export interface Upstream {
  readonly connected: boolean;
  /** Requests that it was used for, this one counted. */
  readonly served: number;
  /** Bytes of a response have come. */
  readonly isAnswering: boolean;
  /** The instance may say that it did nothing with a request, so that this can be sent again. */
  readonly canRefuse: boolean;
  /** Starts one exchange. `givesUpAt`: when its caller stops waiting, ms; told where the protocol has a field for it. */
  use(events: UpstreamEvents, method: string, givesUpAt: number): void;

  /** `added`: field lines of our own. What is written between `cork` and `uncork` may leave in one piece. */
  cork(): void;
  uncork(): void;
  writeHead(head: RequestHead, target: string, host: string, added: string): void;
  /** Bytes of the body, without framing. False: the instance reads slower than this comes. */
  writeBody(buffer: Buffer, ranges: readonly number[]): boolean;
  /** `trailers`: field lines that ended a chunked body, or ''. */
  endBody(trailers: string): void;
  writeTunnel(buffer: Buffer, length: number): boolean;
  readonly isFull: boolean;

  // The response
  pause(): void;
  resume(): void;
  /** The exchange is over; request and response were whole: the connection may be used again. */
  release(): void;
  /**
   * The exchange is over before its answer is. `until`, ms: so long the instance may work on it if it has said nothing
   * yet. Not over HTTP/2, where nothing tells when an instance has ended what was reset: there it is over at once
   * (docs/decisions/0027).
   */
  abandon(onOver: OnOver, until: number): void;
}

/** Once: the instance has ended what was abandoned, or had the time to. `isSilent`: it had, and said nothing at all. */
export type OnOver = (isSilent: boolean) => void;

/** The instance that a connection leads to, which keeps it while nobody uses it. */
export interface UpstreamPool<C> {
  readonly address: Address;
  keepIdle(connection: C): void;
  dropIdle(connection: C): void;
  /** It is left by its exchange and waits for the instance until `endLinger`. */
  linger(connection: C): void;
  endLinger(connection: C): void;
  /** It has closed. */
  forget(connection: C): void;
}

/** How a request came to no whole answer. */
export type Broken =
  /** There was no connection: not a byte of it was written. */
  | 'unreached'
  /** The instance speaks another protocol. */
  | 'protocol'
  /** The instance says that it did nothing with it. */
  | 'refused'
  /** The connection ended, and no answer had begun. */
  | 'unanswered'
  /** The answer had begun; or what came instead of one says that the instance has looked at the request. */
  | 'seen';

/**
 * What the exchange that uses a connection is told. Positions are of the buffer that comes with them, which may be
 * overwritten after the call.
 */
export interface UpstreamEvents {
  onConnected(): void;
  /** There will be no whole answer, and nothing more is told. */
  onBroken(how: Broken, reason: string): void;
  onInformational(head: ResponseHead): void;
  onHead(head: ResponseHead): void;
  /** Bytes of the body, without framing. */
  onData(buffer: Buffer, ranges: readonly number[], framed?: Framed): void;
  /** The whole response has come. `trailers`: field lines that ended a chunked body, or ''. */
  onEnd(trailers: string): void;
  /** Bytes of the other protocol, after a 101. */
  onTunnelData(buffer: Buffer, length: number): void;
  onTunnelEnd(): void;
  onWritable(): void;
  /** What is told between these two came in one read; it may leave in one write. */
  cork(): void;
  uncork(): void;
}
