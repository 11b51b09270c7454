import { ChunkedScanner } from '#activator/http/chunked.ts';
import { ResponseHead } from '#activator/http/response-head.ts';
import { type Message, pairsOf, parsePairs } from './belief.ts';
import type { ResponseCase } from './responses.ts';

/** What the parser of the data plane makes of an instance's bytes: undefined where it breaks off or waits for more. */
export function believeResponse({
  bytes,
  method,
  minor,
  closes,
}: ResponseCase): Message | undefined {
  const head = new ResponseHead();
  let at = 0;
  do {
    const end = bytes.indexOf('\r\n\r\n', at, 'latin1');
    if (end < 0 || !head.read(bytes.toString('latin1', at, end + 4))) return undefined;
    at = end + 4;
  } while (head.status < 200 && head.status !== 101);
  const body = takeBody(head, bytes, at, { method, closes });
  if (!body || head.status === 101) return undefined;
  const connection = head.fields.findAll('connection').toLowerCase();
  const named = new Set(connection.split(',').map((token) => token.trim()));
  const fields = pairsOf(head.fields).filter(([name]) => {
    const lower = name.toLowerCase().replaceAll('_', '-');
    return !DROPPED.has(lower) && !named.has(lower);
  });
  // HTTP/1.0 knows no chunks, so it has no place for trailers.
  const trailers = minor === 0 ? [] : body.trailers;
  return { line: `${head.status}`, host: '', fields, body: body.body, trailers };
}

const DROPPED = new Set(
  'transfer-encoding content-length keep-alive proxy-connection proxy-authenticate upgrade rouse-revision rouse-cold-start'.split(
    ' ',
  ),
);

function takeBody(
  head: ResponseHead,
  bytes: Buffer,
  at: number,
  { method, closes }: Pick<ResponseCase, 'method' | 'closes'>,
): Pick<Message, 'body' | 'trailers'> | undefined {
  if (!head.hasBody(method)) return { body: Buffer.alloc(0), trailers: [] };
  if (head.chunked) return takeChunks(bytes, at);
  const end = head.contentLength < 0 ? bytes.length : at + head.contentLength;
  if (head.contentLength < 0 ? !closes : end > bytes.length) return undefined;
  return { body: bytes.subarray(at, end), trailers: [] };
}

function takeChunks(bytes: Buffer, at: number): Pick<Message, 'body' | 'trailers'> | undefined {
  const scanner = new ChunkedScanner();
  scanner.start();
  if (scanner.scan(bytes, at, bytes.length) < 0 || !scanner.done) return undefined;
  const { data } = scanner;
  const pieces: Buffer[] = [];
  for (let i = 0; i < data.length; i += 2) pieces.push(bytes.subarray(data[i], data[i + 1]));
  return { body: Buffer.concat(pieces), trailers: parsePairs(scanner.trailerLines) };
}
