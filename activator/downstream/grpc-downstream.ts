import type { Downstream } from '../exchange/downstream.ts';

/** A stream with a gRPC call, which can be answered in gRPC's own words. */
export interface GrpcDownstream extends Downstream {
  /** Ends the call without a message. `extra`: field lines. */
  answerStatus(status: number, message: string, extra: string): void;
  /** Ends the call with one message. `extra`: field lines. */
  answerMessage(message: Uint8Array, extra: string): void;
}
