import type { FaultCode } from '#lib/fault.ts';

/** What gRPC says over HTTP/2: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. */

/** Status codes of gRPC. */
export const GRPC = {
  ok: 0,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

/** What a server says of itself, as HTTP does from 500 on: all others are the caller's. */
const SERVER_ERRORS = new Set<number>([
  GRPC.unknown,
  GRPC.deadlineExceeded,
  GRPC.unimplemented,
  GRPC.internal,
  GRPC.unavailable,
  GRPC.dataLoss,
]);

/** `status`: the value of `grpc-status`; '' = none. */
export function isServerError(status: string): boolean {
  return status !== '' && SERVER_ERRORS.has(Number(status));
}

/** The value of `grpc-status` in the lines of trailers; '' = none. */
export function grpcStatusIn(trailers: string): string {
  return /^grpc-status:[ \t]*(\d{1,3})/im.exec(trailers)?.[1] ?? '';
}

const STATUS_OF_CODE: Readonly<Record<FaultCode, number>> = {
  bad_request: GRPC.invalidArgument,
  invalid: GRPC.invalidArgument,
  unauthorized: GRPC.unauthenticated,
  forbidden: GRPC.permissionDenied,
  not_found: GRPC.notFound,
  method_not_allowed: GRPC.unimplemented,
  request_timeout: GRPC.deadlineExceeded,
  conflict: GRPC.failedPrecondition,
  precondition_failed: GRPC.failedPrecondition,
  too_large: GRPC.resourceExhausted,
  unsupported_media_type: GRPC.unimplemented,
  misdirected: GRPC.notFound,
  header_too_large: GRPC.resourceExhausted,
  caller_over_share: GRPC.resourceExhausted,
  internal: GRPC.internal,
  not_implemented: GRPC.unimplemented,
  instance_lost: GRPC.unavailable,
  bad_upstream: GRPC.internal,
  queue_full: GRPC.unavailable,
  revision_failed: GRPC.failedPrecondition,
  start_failed: GRPC.unavailable,
  unavailable: GRPC.unavailable,
  hold_timeout: GRPC.deadlineExceeded,
  run_timeout: GRPC.deadlineExceeded,
  storage_full: GRPC.resourceExhausted,
};

export function grpcStatusOf(code: FaultCode): number {
  return STATUS_OF_CODE[code];
}

const STATUS_OF_HTTP: Readonly<Record<number, number>> = {
  400: GRPC.invalidArgument,
  401: GRPC.unauthenticated,
  403: GRPC.permissionDenied,
  404: GRPC.notFound,
  405: GRPC.unimplemented,
  413: GRPC.resourceExhausted,
  415: GRPC.invalidArgument,
  422: GRPC.invalidArgument,
  429: GRPC.resourceExhausted,
  500: GRPC.internal,
  501: GRPC.unimplemented,
  502: GRPC.unavailable,
  503: GRPC.unavailable,
  504: GRPC.deadlineExceeded,
};

/** For what a model server that speaks HTTP refuses. */
export function grpcStatusOfHttp(status: number): number {
  return STATUS_OF_HTTP[status] ?? GRPC.unknown;
}

/** `application/grpc-web` is another protocol, which needs nothing but HTTP/1.1. */
export function isGrpcType(contentType: string): boolean {
  return /^application\/grpc(?:[+;]|$)/i.test(contentType);
}

const UNITS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** The value of `grpc-timeout` in ms; '' = no limit; NaN: it is none. */
export function parseTimeout(value: string): number {
  if (value === '') return Number.POSITIVE_INFINITY;
  const parts = /^(\d{1,8})([HMSmun])$/.exec(value);
  return parts ? Number(parts[1]) * (UNITS[parts[2]!] ?? 1) : Number.NaN;
}

const MAX_TIMEOUT = 99_999_999;

/** Rounded up: whoever set the deadline also watches it. */
export function formatTimeout(ms: number): string {
  const whole = Math.max(1, Math.ceil(ms));
  if (whole <= MAX_TIMEOUT) return `${whole}m`;
  return `${Math.min(MAX_TIMEOUT, Math.ceil(whole / 1000))}S`;
}

/** Before each message: whether it is compressed, and its length. */
export const PREFIX_BYTES = 5;

/** Of a message that is not compressed. */
export function makePrefix(length: number): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(length, 1);
  return prefix;
}

/** What tells a client after how many ms it may try again. */
const PUSHBACK = 'grpc-retry-pushback-ms';

/** The fields of an answer without a message, names and values in turn. `extra`: more of them. */
export function makeStatusFields(
  status: number,
  message: string,
  extra: readonly string[],
): string[] {
  const fields = [
    'content-type',
    'application/grpc',
    'grpc-status',
    String(status),
    'grpc-message',
    encodeMessage(message),
  ];
  for (let i = 0; i < extra.length; i += 2) {
    const [name, value] = [extra[i]!, extra[i + 1]!];
    if (name === 'retry-after') fields.push(PUSHBACK, String(Number(value) * 1000));
    else fields.push(name, value);
  }
  return fields;
}

/** `grpc-message`: UTF-8, percent-encoded but for visible ASCII and space. */
function encodeMessage(text: string): string {
  let encoded = '';
  for (const byte of Buffer.from(text)) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += plain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}
