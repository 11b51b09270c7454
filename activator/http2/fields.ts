import { TOKEN } from '../http/characters.ts';
import { checkTrailers } from '../http/chunked.ts';
import { BAD_TRAILERS } from '../http/refusals.ts';
import type { Refusal } from '../refusal.ts';

/**
 * nghttp2 gives up a stream, or the whole session, over a head above its own 64 KiB, by an estimate above the head's
 * length. Heads have their limits where they come in; this is far above those.
 */
export const MAX_SENT_HEAD = 16 * 1024 * 1024;

/** Fields that HTTP/2 does not have: RFC 9113, 8.2.2. `te` may say `trailers`. */
const CONNECTION_SPECIFIC = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** A header section, apart: what starts with a colon, and the rest as HTTP/1.1 field lines. */
export interface Section {
  readonly pseudo: ReadonlyMap<string, string>;
  readonly lines: string;
  readonly host: string | undefined;
}

/**
 * Turns the fields of HTTP/2 into the text that the HTTP/1.1 parser reads, which then has the last word. What
 * would be read as something else there is refused here: a line break or space around a value, a colon or a
 * capital letter in a name. Undefined: malformed.
 *
 * @param raw names and values in turn, as `node:http2` gives them; values in Latin-1.
 */
export function readSection(raw: readonly string[]): Section | undefined {
  const pseudo = new Map<string, string>();
  let lines = '';
  let host: string | undefined;
  let cookies = '';
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!;
    const value = raw[i + 1]!;
    if (/[\r\n]|^[ \t]|[ \t]$/.test(value)) return undefined;
    if (name.startsWith(':')) {
      if (pseudo.has(name) || lines !== '' || host !== undefined || cookies !== '') {
        return undefined;
      }
      pseudo.set(name, value);
    } else if (!isName(name) || isConnectionSpecific(name, value)) return undefined;
    else if (name === 'host') {
      if (host !== undefined) return undefined;
      host = value;
    } else if (name === 'cookie') cookies += `${cookies === '' ? '' : '; '}${value}`;
    else lines += `${name}: ${value}\r\n`;
  }
  // HTTP/2 cuts cookies apart, HTTP/1.1 wants them in one field: RFC 9113, 8.2.3.
  if (cookies !== '') lines += `cookie: ${cookies}\r\n`;
  return { pseudo, lines, host };
}

function isName(name: string): boolean {
  for (let i = 0; i < name.length; i += 1) {
    const code = name.charCodeAt(i);
    if (TOKEN[code] !== 1 || (code >= 0x41 && code <= 0x5a)) return false;
  }
  return name !== '';
}

function isConnectionSpecific(name: string, value: string): boolean {
  return CONNECTION_SPECIFIC.has(name) || (name === 'te' && value.toLowerCase() !== 'trailers');
}

/** A trailer section as field lines. */
export function readTrailers(raw: readonly string[]): string | Refusal {
  const section = readSection(raw);
  if (!section || section.pseudo.size > 0 || section.host !== undefined) return BAD_TRAILERS;
  return checkTrailers(`${section.lines}\r\n`) ?? section.lines;
}

/** Field lines of HTTP/1.1 as names and values in turn, without what HTTP/2 does not have. */
export function fieldsOfLines(lines: string): string[] {
  const fields: string[] = [];
  for (const line of lines.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const name = line.slice(0, colon).toLowerCase();
    if (CONNECTION_SPECIFIC.has(name) || name === 'te') continue;
    fields.push(name, line.slice(colon + 1).trim());
  }
  return fields;
}

/** The same for `sendTrailers`, which takes no list. Without a prototype: any name may come, `constructor` too. */
export function trailersOfLines(lines: string): Record<string, string[]> {
  const trailers: Record<string, string[]> = Object.create(null);
  const fields = fieldsOfLines(lines);
  for (let i = 0; i < fields.length; i += 2) (trailers[fields[i]!] ??= []).push(fields[i + 1]!);
  return trailers;
}

/** The lines of a message head without its first one. */
export function linesOfHead(head: string): string {
  return head.slice(head.indexOf('\r\n') + 2);
}
