import type { Socket } from 'node:net';
import type { Caller } from '#domain/records.ts';
import type { Answer } from './answers.ts';
import type { RequestHead } from './http/request-head.ts';
import type { Refusal } from './refusals.ts';

/** A caller's connection as the exchange on it sees it. */
export interface Connection {
  readonly socket: Socket;
  /** Of the present request. */
  readonly head: RequestHead;
  /** The request's body has come to its end. */
  readonly bodyDone: boolean;
  /** Who asks: the client's address, as long as callers show no keys here. */
  readonly caller: Caller;
  /** Ends the request with an answer made here; `extra`: more field lines. */
  answer(answer: Answer, extra?: string): void;
  /** Refuses what can't be understood any more: the connection ends with it. */
  refuse(refusal: Refusal): void;
  /** Asks for the body of a request that waits to be asked. */
  sendContinue(): void;
  keepsAlive(): boolean;
  connectionField(keep: boolean): string;
  /** The exchange is over: the next request may come, or the connection ends. */
  next(keep: boolean): void;
  /** Breaks off in the middle of a response, so that the caller can't take it for whole. */
  cut(): void;
  /** Ends with FIN. */
  linger(): void;
  /** What came ahead of its turn. */
  takeAhead(): Buffer | undefined;
}
