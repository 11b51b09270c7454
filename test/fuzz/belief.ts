import { crc32 } from 'node:zlib';
import { ChunkedScanner } from '#activator/http/chunked.ts';
import type { Fields } from '#activator/http/fields.ts';
import { RequestHead } from '#activator/http/request-head.ts';

/** A request or response as all parsers must agree on it, in one text; see `describeMessage`. */
export interface Message {
  /** `GET /path`, or a status. */
  readonly line: string;
  readonly host: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  readonly trailers: readonly (readonly [name: string, value: string])[];
}

/** Set by this hop, or said otherwise: they are not compared as fields. */
const NOT_COMPARED = new Set(
  (
    'host content-length transfer-encoding connection upgrade trailer x-forwarded-proto x-forwarded-host ' +
    'traceparent tracestate date rouse-revision rouse-cold-start server-timing'
  ).split(' '),
);

/** Latin-1; the program in `go/` writes the same. */
export function describeMessage(message: Message): string {
  return (
    `${message.line}\n${message.host}\n${describeFields(message.fields)}` +
    `${message.body.length} ${crc32(message.body)}\n${describeFields(message.trailers)}\n`
  );
}

function describeFields(fields: Message['fields']): string {
  const byName = new Map<string, string[]>();
  for (const [name, value] of fields) {
    const lower = name.toLowerCase();
    if (NOT_COMPARED.has(lower)) continue;
    const values = byName.get(lower);
    if (values) values.push(value);
    else byName.set(lower, [value]);
  }
  const lines = [...byName].map(([name, values]) => `${name}: ${values.join('\0')}\n`);
  return `${lines.toSorted((a, b) => (a < b ? -1 : 1)).join('')}\n`;
}

export function pairsOf(fields: Fields): [string, string][] {
  return Array.from({ length: fields.count }, (_, i) => [
    fields.text.slice(fields.at[i * 4], fields.at[i * 4 + 1]),
    fields.value(i),
  ]);
}

/** Field lines and the empty line after them. */
export function parsePairs(lines: string): [string, string][] {
  return lines
    .split('\r\n')
    .filter((line) => line !== '')
    .map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).replaceAll(/^[\t ]+|[\t ]+$/g, '')];
    });
}

/** What ends at this hop: the contract, not the code's own table. */
const DROPPED = new Set(
  (
    'connection keep-alive proxy-connection proxy-authenticate proxy-authorization te upgrade expect ' +
    'http2-settings forwarded x-forwarded-for x-forwarded-host x-forwarded-proto host rouse-hold rouse-priority ' +
    'rouse-request-id rouse-status'
  ).split(' '),
);
const FRAMING = new Set(['content-length', 'transfer-encoding', 'host', 'close', 'keep-alive']);

/** A request as it was taken, and as it is to be forwarded. */
export interface Believed {
  readonly taken: Message;
  readonly forwarded: Message;
}

/** The requests in these bytes as the parser of the data plane takes them, up to the first that it refuses. */
export function believe(bytes: Buffer): Believed[] {
  const found: Believed[] = [];
  const head = new RequestHead();
  let at = 0;
  while (at < bytes.length) {
    const start = bytes[at] === 0x0d && bytes[at + 1] === 0x0a ? at + 2 : at;
    const end = bytes.indexOf('\r\n\r\n', start, 'latin1');
    if (end < 0 || head.read(bytes.toString('latin1', start, end + 4)) !== undefined) break;
    const body = takeBody(head, bytes, end + 4);
    if (!body) break;
    const { content, trailers } = body;
    found.push({
      taken: asTaken(head, content, trailers),
      forwarded: asForwarded(head, content, trailers),
    });
    if (!head.keepAlive) break;
    at = body.end;
  }
  return found;
}

function takeBody(head: RequestHead, bytes: Buffer, start: number) {
  if (!head.chunked) {
    const end = start + Math.max(0, head.contentLength);
    return end <= bytes.length
      ? { content: bytes.subarray(start, end), trailers: '', end }
      : undefined;
  }
  const scanner = new ChunkedScanner();
  scanner.start();
  const end = scanner.scan(bytes, start, bytes.length);
  if (end < 0 || !scanner.done) return undefined;
  const pieces: Buffer[] = [];
  const { data } = scanner;
  for (let i = 0; i < data.length; i += 2) pieces.push(bytes.subarray(data[i], data[i + 1]));
  return { content: Buffer.concat(pieces), trailers: scanner.trailerLines, end };
}

function asTaken(head: RequestHead, body: Buffer, trailers: string): Message {
  const { method, host, fields, text } = head;
  const line = `${method} ${text.split(' ', 2)[1]}`;
  return { line, host, fields: pairsOf(fields), body, trailers: parsePairs(trailers) };
}

function asForwarded(head: RequestHead, body: Buffer, trailers: string): Message {
  const pairs = pairsOf(head.fields);
  const named = pairs
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) => value.toLowerCase().split(','))
    .map((name) => name.trim())
    .filter((name) => !FRAMING.has(name));
  const dropped = new Set([...DROPPED, ...named]);
  const fields = pairs.filter(([name]) => !dropped.has(name.toLowerCase().replaceAll('_', '-')));
  fields.push(['x-forwarded-for', '192.0.2.1']);
  const host = head.host === '' ? 'localhost' : head.host;
  return {
    line: `${head.method} ${pathOf(head)}`,
    host,
    fields,
    body,
    trailers: parsePairs(trailers),
  };
}

const BY_PATH = /^\/models\/default\/digits(\/[^?]*)?(\?.*)?$/;

function pathOf({ rouseModel, hostname, target }: RequestHead): string {
  if (rouseModel !== '' || hostname === 'digits.default.localhost') return target;
  const parts = BY_PATH.exec(target);
  return parts ? `${parts[1] ?? '/'}${parts[2] ?? ''}` : target;
}
