import type { AsyncRequestView } from '#domain/async-request.ts';
import type { Priority } from '#domain/priority.ts';
import type { Caller } from '#domain/records.ts';
import type { FaultCode } from '#lib/fault.ts';

/** What a data plane asks of control for callers of asynchronous requests, and what it is told. Bodies are base64. */

/** A request whose caller does not wait. */
export interface Submission {
  readonly namespace: string;
  readonly model: string;
  readonly caller: Caller;
  /** What the caller may have of what it asked for; absent: it asked for nothing. */
  readonly priority?: Priority;
  readonly method: string;
  readonly target: string;
  readonly host: string;
  /** Field lines, each with its CRLF, without those of this hop. */
  readonly fields: string;
  readonly body: string;
  readonly idempotencyKey?: string;
  readonly webhook?: string;
  /** It has to begin within that, ms. */
  readonly deadline?: number;
}

export interface RequestInquiry {
  /** Its id. */
  readonly request: string;
  readonly caller: Caller;
  readonly about: 'state' | 'answer' | 'cancel';
  /** Of its state: told when it is not `seen` any more, or after so many ms. */
  readonly wait?: { readonly seen: string; readonly ms: number };
}

export type RequestReply =
  | {
      readonly what: 'state';
      readonly view: AsyncRequestView;
      /** Another one with each change. */
      readonly seen: string;
      readonly ended: boolean;
    }
  | {
      readonly what: 'answer';
      readonly status: number;
      readonly fields: string;
      readonly body: string;
    }
  | {
      readonly what: 'fault';
      readonly code: FaultCode;
      readonly message: string;
      readonly retryAfter?: number;
    };
