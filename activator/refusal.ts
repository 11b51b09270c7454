import type { FaultCode } from '#lib/fault.ts';

/** Why a request is not served, in words for its caller. `retryAfter`: seconds. */
export interface Refusal {
  readonly status: number;
  readonly code: FaultCode;
  readonly detail: string;
  readonly retryAfter?: number;
}
