import type { Refusal } from '../refusal.ts';

/** Why bytes are no request, or not one that is taken, whatever it asks for. */

export const NOT_HTTP: Refusal = {
  status: 400,
  code: 'bad_request',
  detail: 'This is not HTTP/1.1.',
};
export const BARE_LF: Refusal = {
  status: 400,
  code: 'bad_request',
  detail: 'A line of the request head ends with a bare LF; it must end with CR LF.',
};
export const HEAD_STALLED: Refusal = {
  status: 408,
  code: 'request_timeout',
  detail: 'The request came too slowly.',
};
export const BAD_CHUNKS: Refusal = {
  status: 400,
  code: 'bad_request',
  detail: 'The chunked body is malformed.',
};
export const BAD_LENGTH: Refusal = {
  status: 400,
  code: 'bad_request',
  detail: 'The body is not as long as Content-Length says.',
};
export const BAD_TRAILERS: Refusal = {
  status: 400,
  code: 'bad_request',
  detail: 'The trailer section is malformed.',
};
export const BODY_STALLED: Refusal = {
  status: 408,
  code: 'request_timeout',
  detail: 'The request body came too slowly.',
};
export const TOO_MUCH_AHEAD: Refusal = {
  status: 503,
  code: 'unavailable',
  detail: 'Requests that wait or are not whole yet are together as large as they may be.',
  retryAfter: 1,
};

export function makeHeadTooLarge(limit: number): Refusal {
  const detail = `The request head is larger than ${limit} bytes.`;
  return { status: 431, code: 'header_too_large', detail };
}

export function makeBodyTooLarge(limit: number): Refusal {
  const detail = `The request body is larger than ${limit} bytes.`;
  return { status: 413, code: 'too_large', detail };
}
