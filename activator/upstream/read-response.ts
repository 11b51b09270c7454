import type { ResponseHead } from '../http/response-head.ts';
import { readSection } from '../http2/fields.ts';

/** Reads the header section of a response. `ended`: no body follows. False: not understood. */
export function readResponse(head: ResponseHead, raw: readonly string[], ended: boolean): boolean {
  const section = readSection(raw);
  const status = section?.pseudo.get(':status');
  if (!section || status === undefined || section.pseudo.size > 1) return false;
  if (!head.read(`HTTP/1.1 ${status}\r\n${section.lines}\r\n`)) return false;
  if (ended) head.contentLength = 0;
  return true;
}
