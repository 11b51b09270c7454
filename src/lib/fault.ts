/**
 * One error type for everything that is refused or fails in a known way, classed by consequence.
 * The table is the only place that maps a code to an HTTP status and says whether trying again can help.
 */
export const FAULTS = {
  bad_request: { status: 400, retryable: false },
  invalid: { status: 422, retryable: false },
  unauthorized: { status: 401, retryable: false },
  forbidden: { status: 403, retryable: false },
  not_found: { status: 404, retryable: false },
  method_not_allowed: { status: 405, retryable: false },
  request_timeout: { status: 408, retryable: true },
  conflict: { status: 409, retryable: false },
  precondition_failed: { status: 412, retryable: true },
  too_large: { status: 413, retryable: false },
  unsupported_media_type: { status: 415, retryable: false },
  misdirected: { status: 421, retryable: false },
  header_too_large: { status: 431, retryable: false },
  caller_over_share: { status: 429, retryable: true },
  internal: { status: 500, retryable: false },
  not_implemented: { status: 501, retryable: false },
  instance_lost: { status: 502, retryable: true },
  bad_upstream: { status: 502, retryable: true },
  queue_full: { status: 503, retryable: true },
  revision_failed: { status: 503, retryable: false },
  start_failed: { status: 503, retryable: true },
  unavailable: { status: 503, retryable: true },
  hold_timeout: { status: 504, retryable: true },
  run_timeout: { status: 504, retryable: false },
  storage_full: { status: 507, retryable: true },
} as const satisfies Record<string, { status: number; retryable: boolean }>;

export type FaultCode = keyof typeof FAULTS;

/** One thing wrong with an input: where, what was found, what would be right. */
export interface Problem {
  /** Path of the key, such as `spec.traffic[0].percent`. Empty: the whole document. */
  readonly key: string;
  /** The value that was found, shortened, as JSON. */
  readonly value: string;
  /** What would be right, as a phrase after "expected". */
  readonly expected: string;
}

/** One line per problem, as the command line and the API show it. */
export function formatProblem(problem: Problem): string {
  const where = problem.key === '' ? '(document)' : problem.key;
  return `${where}: found ${problem.value}, expected ${problem.expected}`;
}

/** A failure with a stable code. `message` is safe to show to a caller. */
export class Fault extends Error {
  readonly code: FaultCode;
  readonly problems: readonly Problem[];
  /** Seconds after which trying again makes sense. */
  readonly retryAfter: number | undefined;

  constructor(
    code: FaultCode,
    message: string,
    options: { problems?: readonly Problem[]; retryAfter?: number; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Fault';
    this.code = code;
    this.problems = options.problems ?? [];
    this.retryAfter = options.retryAfter;
  }

  get status(): (typeof FAULTS)[FaultCode]['status'] {
    return FAULTS[this.code].status;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The code of what the system has refused, such as `ENOENT`; '' where there is none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** What lies behind an error, where it says so: `fetch` says nothing but that it failed. */
export function causeOf(error: unknown): string {
  return messageOf(error instanceof Error && error.cause !== undefined ? error.cause : error);
}
