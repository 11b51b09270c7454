import type { RequestHead } from '../http/request-head.ts';
import { type Refusal, refusal } from '../refusal.ts';
import { makeHeadTooLarge } from '../http/refusals.ts';
import { readSection, type Section } from '../http2/fields.ts';

const REQUEST_PSEUDO = new Set([':method', ':scheme', ':authority', ':path']);

const MALFORMED = refusal(
  'bad_request',
  'The header section is malformed, or names what HTTP/2 does not have.',
);
const CONTRADICTION = refusal('bad_request', 'Host and :authority contradict each other.');
const LENGTH = refusal('bad_request', 'Content-Length promises a body that does not follow.');

/**
 * Reads the header section of a request by the parser of HTTP/1.1, so that nothing is accepted here that is
 * refused there. Undefined: understood.
 *
 * @param ended no body follows.
 * @param limit bytes.
 */
export function readRequest(
  head: RequestHead,
  raw: readonly string[],
  ended: boolean,
  limit: number,
): Refusal | undefined {
  const section = readSection(raw);
  const line = section && requestLine(section.pseudo);
  if (!section || line === undefined) return MALFORMED;
  const authority = section.pseudo.get(':authority') ?? section.host;
  if (section.host !== undefined && section.host.toLowerCase() !== authority?.toLowerCase()) {
    return CONTRADICTION;
  }
  const host = authority === undefined ? '' : `host: ${authority}\r\n`;
  const isOpen = !ended && !/^content-length:/m.test(section.lines);
  const text = `${line}${host}${section.lines}${isOpen ? 'transfer-encoding: chunked\r\n' : ''}\r\n`;
  if (text.length > limit) return makeHeadTooLarge(limit);
  const refusal = head.read(text);
  if (refusal) return refusal;
  return ended && head.contentLength > 0 ? LENGTH : undefined;
}

/** Undefined: the pseudo-header fields are not those of a request. */
function requestLine(pseudo: Section['pseudo']): string | undefined {
  const method = pseudo.get(':method') ?? '';
  // Refused by the parser, which wants a path to get that far.
  if (method === 'CONNECT') return 'CONNECT / HTTP/1.1\r\n';
  const path = pseudo.get(':path') ?? '';
  const isKnown = [...pseudo.keys()].every((name) => REQUEST_PSEUDO.has(name));
  const isOrigin = path.startsWith('/') || (path === '*' && method === 'OPTIONS');
  if (!isKnown || !isOrigin || !/^https?$/.test(pseudo.get(':scheme') ?? '')) return undefined;
  return `${method} ${path} HTTP/1.1\r\n`;
}
