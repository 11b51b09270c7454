import type { Caller } from '#domain/records.ts';
import type { Peer } from '../entry/listener.ts';
import type { Answer } from './answers.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { Framed } from '../http/body-reader.ts';
import type { Refusal } from '../refusal.ts';

/** Where a caller's request comes from and its answer goes to: an HTTP/1 connection, or an HTTP/2 stream. */
export interface Downstream {
  /** Of the present request. */
  readonly head: RequestHead;
  /** The request's body has come to its end. */
  readonly bodyDone: boolean;
  /** The caller's address. Of the present request. */
  readonly caller: Caller;
  /** Who is at the other end of the connection: the caller, or a proxy. */
  readonly peer: Peer;
  /** Field lines that tell the instance who asks. Of the present request. */
  readonly forwarded: string;
  /** It is a gRPC call: instances are reached over HTTP/2. */
  readonly isGrpc: boolean;
  /** When the caller stops waiting for the end of the answer, ms since the epoch; Infinity: it did not say. */
  readonly givesUpAt: number;
  /** Bytes of a response have gone to the caller. */
  readonly isAnswering: boolean;

  // The request's body
  readonly isPaused: boolean;
  pause(): void;
  resume(): void;
  /** Its time begins: until now the request was held. A caller that waits to be asked for it is asked. */
  askForBody(): void;
  /** What came ahead of its turn, for the protocol that the connection is upgraded to. */
  takeAhead(): Buffer | undefined;

  // An answer made here
  /** Ends the request; `extra`: more field lines. */
  answer(answer: Answer, extra?: string): void;
  /** Refuses what can't be understood any more: nothing that follows is a request. */
  refuse(refusal: Refusal): void;

  // The instance's answer. What is written between `cork` and `uncork` may leave in one piece.
  cork(): void;
  uncork(): void;
  writeInformational(head: ResponseHead): void;
  /** `extra`: field lines of our own. */
  writeHead(head: ResponseHead, extra: string): void;
  /**
   * Bytes of the body, without framing, and with it where they came as chunks. False: the caller reads slower than
   * this comes.
   */
  writeBody(buffer: Buffer, ranges: readonly number[], framed?: Framed): boolean;
  /** `trailers`: field lines that ended a chunked body, or ''. */
  endBody(trailers: string): void;
  /** The answer was written whole: the next request may come, or the connection ends. */
  finish(): void;
  /** Breaks off in the middle of a response, so that the caller can't take it for whole. */
  cut(): void;

  // Another protocol, after a 101
  writeSwitch(head: ResponseHead, extra: string): void;
  writeTunnel(buffer: Buffer, length: number): boolean;
  endTunnel(): void;
}

/** What the connection of a request tells of it. */
export interface DownstreamEvents {
  /** The head has been read; parts of the body may follow before `begin`. */
  prepare(): void;
  /** `repeated`: the head is the same as the one before. */
  begin(repeated: boolean): void;
  /** Ranges of `buffer`, without framing. It may be overwritten after the call. */
  onBody(buffer: Buffer, ranges: readonly number[]): void;
  /** `trailers`: field lines that ended a chunked body, or ''. */
  onBodyEnd(trailers: string): void;
  /** What came is no body, or too much of one: what follows on the connection is not understood. */
  onBadBody(refusal: Refusal): void;
  /** No byte of the body for too long. */
  onBodyStalled(): void;
  onCallerWritable(): void;
  onCallerGone(): void;
  /** Time passes: looks at the deadlines. */
  sweep(now: number): void;
}
