import { type FaultCode, FAULTS } from '#lib/fault.ts';

/** Why Rouse itself refuses a request: a refusal has one of these codes, and each is counted by itself. */
export const REFUSAL_CODES = [
  'bad_request',
  'request_timeout',
  'header_too_large',
  'too_large',
  'unauthorized',
  'not_found',
  'method_not_allowed',
  'conflict',
  'not_implemented',
  'queue_full',
  'caller_over_share',
  'hold_timeout',
  'run_timeout',
  'revision_failed',
  'start_failed',
  'instance_lost',
  'bad_upstream',
  'unavailable',
  'storage_full',
] as const satisfies readonly FaultCode[];

export type RefusalCode = (typeof REFUSAL_CODES)[number];

/** Why a request is not served, in words for its caller. `retryAfter`: seconds. */
export interface Refusal {
  readonly status: number;
  readonly code: RefusalCode;
  readonly detail: string;
  readonly retryAfter?: number;
}

/** `status`: where HTTP has one that says more than that of the code. */
export function refusal(
  code: RefusalCode,
  detail: string,
  options: { readonly status?: number; readonly retryAfter?: number } = {},
): Refusal {
  return { status: FAULTS[code].status, code, detail, ...options };
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
