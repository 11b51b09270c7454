import type { FaultCode } from '#lib/fault.ts';
import type { Dialect } from '../addressing.ts';

/** An answer that the activator makes itself. */
export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string | Uint8Array;
  /** What it says, when it is a refusal: for protocols that put it otherwise. */
  readonly refusal?: { readonly code: FaultCode; readonly detail: string };
}

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  202: 'Accepted',
  301: 'Moved Permanently',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  417: 'Expectation Failed',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  507: 'Insufficient Storage',
};

export function bytesOf({ body }: Answer): Buffer {
  return typeof body === 'string'
    ? Buffer.from(body)
    : Buffer.from(body.buffer, body.byteOffset, body.length);
}

export function reasonOf(status: number): string {
  return REASONS[status] ?? 'Unknown';
}

/** A refusal in the envelope of the protocol that was spoken. */
export function makeRefusal(
  dialect: Dialect,
  status: number,
  code: FaultCode,
  detail: string,
): Answer {
  const refusal = { code, detail };
  if (dialect === 'v2') {
    const body = JSON.stringify({ error: detail, code });
    return { status, type: 'application/json', body, refusal };
  }
  if (dialect === 'openai') {
    const type = status < 500 ? 'invalid_request_error' : 'server_error';
    const error = { message: detail, type, param: null, code };
    return { status, type: 'application/json', body: JSON.stringify({ error }), refusal };
  }
  const problem = { type: 'about:blank', title: reasonOf(status), status, code, detail };
  const body = JSON.stringify(problem);
  return { status, type: 'application/problem+json', body, refusal };
}
