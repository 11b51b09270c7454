import type { Random } from './random.ts';
import { makeChunks, mutate } from './requests.ts';

/** What an instance sends for one request, and what that was. */
export interface ResponseCase {
  readonly method: string;
  readonly minor: 0 | 1;
  readonly bytes: Buffer;
  /** The instance closes after it. */
  readonly closes: boolean;
}

export function makeResponse(random: Random): ResponseCase {
  const rare = random.chance(0.2);
  const minor = random.chance(0.1) ? 0 : 1;
  const informational = random.chance(0.1) ? random.pick(INFORMATIONAL) : '';
  const { framing, body } = makeBody(random, rare);
  const fields = Array.from({ length: random.int(4) }, () =>
    random.pick(rare ? RARE_FIELDS : FIELDS),
  );
  const lines = [...framing, ...fields].map((line) => `${line}\r\n`).join('');
  const status = random.pick(rare ? RARE_STATUS : STATUS);
  const text = `${informational}${status}\r\n${lines}\r\n${body}`;
  const bytes = Buffer.from(text, 'latin1');
  return {
    method: random.pick(['GET', 'GET', 'POST', 'HEAD']),
    minor,
    bytes: random.chance(0.2) ? mutate(random, bytes) : bytes,
    closes: random.chance(0.4),
  };
}

const INFORMATIONAL = [
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n',
  'HTTP/1.1 102 Processing\r\nContent-Length: 3\r\n\r\n',
];
const STATUS = [
  'HTTP/1.1 200 OK',
  'HTTP/1.1 200 OK',
  'HTTP/1.1 404 Not Found',
  'HTTP/1.1 200 ',
  'HTTP/1.1 503',
  'HTTP/1.0 200 OK',
  'HTTP/1.1 204 No Content',
  'HTTP/1.1 304 Not Modified',
];
const RARE_STATUS = [
  ...STATUS,
  'HTTP/1.1 999 X',
  'HTTP/1.1 20 OK',
  'HTTP/2 200',
  'HTTP/1.1 101 Switch',
  'ICY 200 OK',
];
const FIELDS = [
  'X-A: 1',
  'Set-Cookie: a=b',
  'Set-Cookie: c',
  'Connection: close',
  'Via: x',
  'Etag: "\xe9"',
];
const RARE_FIELDS = [
  ...FIELDS,
  'Connection: X-A, content-length',
  'Content-Length: 3',
  'Transfer-Encoding: chunked',
  'X-B: a\nX-C: b',
  'X-D : 1',
  'X-E: \0',
  ' folded',
  'Upgrade: echo',
  'Keep-Alive: timeout=5',
];

function makeBody(random: Random, rare: boolean): { framing: string[]; body: string } {
  const size = random.chance(0.95) ? random.int(60) : random.int(20_000);
  const body = random
    .pick(['abc', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', '0\r\n\r\n'])
    .repeat(size)
    .slice(0, size);
  const kind = random.int(5);
  if (kind === 0) return { framing: [], body: random.chance(0.5) ? body : '' };
  if (kind < 3) {
    const length =
      rare && random.chance(0.2) ? random.pick(['+3', '3,3', '', '03', '99']) : `${size}`;
    return { framing: [`Content-Length: ${length}`], body };
  }
  const coding =
    rare && random.chance(0.2)
      ? random.pick(['gzip', 'gzip, chunked', 'CHUNKED', '\tchunked '])
      : 'chunked';
  return { framing: [`Transfer-Encoding: ${coding}`], body: makeChunks(random, rare, body) };
}
