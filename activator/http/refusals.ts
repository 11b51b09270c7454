import { type Refusal, refusal } from '../refusal.ts';

/** Why bytes are no request, or not one that is taken, whatever it asks for. */

export const NOT_HTTP = refusal('bad_request', 'This is not HTTP/1.1.');
export const BARE_LF = refusal(
  'bad_request',
  'A line of the request head ends with a bare LF; it must end with CR LF.',
);
export const HEAD_STALLED = refusal('request_timeout', 'The request came too slowly.');
export const BAD_CHUNKS = refusal('bad_request', 'The chunked body is malformed.');
export const BAD_LENGTH = refusal('bad_request', 'The body is not as long as Content-Length says.');
export const BAD_TRAILERS = refusal('bad_request', 'The trailer section is malformed.');
export const BODY_STALLED = refusal('request_timeout', 'The request body came too slowly.');
export const TOO_MUCH_AHEAD = refusal(
  'unavailable',
  'Requests that wait or are not whole yet are together as large as they may be.',
  { retryAfter: 1 },
);

export function makeForbiddenTrailer(name: string): Refusal {
  return refusal('bad_request', `A trailer may not be "${name}": it belongs in the head.`);
}

export function makeHeadTooLarge(limit: number): Refusal {
  const detail = `The request head is larger than ${limit} bytes.`;
  return refusal('header_too_large', detail);
}

export function makeBodyTooLarge(limit: number): Refusal {
  const detail = `The request body is larger than ${limit} bytes.`;
  return refusal('too_large', detail);
}
