import type { Downstream } from '../downstream.ts';
import type { Refusal } from '../refusals.ts';

/** A stream with a gRPC call, which can be answered in gRPC's own words. */
export interface GrpcDownstream extends Downstream {
  /** Ends the call without a message. `extra`: field lines. */
  answerStatus(status: number, message: string, extra: string): void;
  /** Ends the call with one message. `extra`: field lines. */
  answerMessage(message: Uint8Array, extra: string): void;
}

/** What a stream tells of its request. */
export interface StreamUser {
  prepare(): void;
  begin(repeated: boolean): void;
  onBody(buffer: Buffer, ranges: readonly number[]): void;
  onBodyEnd(trailers: string): void;
  onBadBody(refusal: Refusal): void;
  onBodyStalled(): void;
  onCallerWritable(): void;
  onCallerGone(): void;
  sweep(now: number): void;
}
