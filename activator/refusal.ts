import type { FaultCode } from '#lib/fault.ts';

/** Why a request is not served, in words for its caller. `retryAfter`: seconds. */
export interface Refusal {
  readonly status: number;
  readonly code: FaultCode;
  readonly detail: string;
  readonly retryAfter?: number;
}

/** The field line that says when to try again, or ''. */
export function makeRetryField(retryAfter: number | undefined): string {
  return retryAfter === undefined ? '' : `Retry-After: ${retryAfter}\r\n`;
}

/** How long something may take, ms, and where that is set, by name and in words for who is refused by it. */
export interface TimeLimit {
  readonly ms: number;
  readonly name: string;
  readonly words: string;
}
