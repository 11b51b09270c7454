import { STATUS_CODES } from 'node:http';
import type { ResponseHead } from '../http/response-head.ts';
import { readSection } from '../http2/fields.ts';

/** Reads the header section of a response to `method`. `ended`: no body follows. False: not understood. */
export function readResponse(
  head: ResponseHead,
  raw: readonly string[],
  ended: boolean,
  method: string,
): boolean {
  const section = readSection(raw);
  const status = section?.pseudo.get(':status');
  if (!section || status === undefined || section.pseudo.size > 1) return false;
  // HTTP/2 has no reason phrase; callers of HTTP/1.1 are used to one.
  const line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`;
  if (!head.read(`${line}\r\n${section.lines}\r\n`)) return false;
  if (ended && head.hasBody(method)) head.contentLength = 0;
  return true;
}
