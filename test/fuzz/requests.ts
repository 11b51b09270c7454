import type { Random } from './random.ts';

/** A sequence of requests, most of them as they should be, some not quite. Latin-1. */
export function makeRequests(random: Random): Buffer {
  const count = random.chance(0.6) ? 1 : 2 + random.int(3);
  const text = Array.from({ length: count }, () => makeRequest(random)).join('');
  const bytes = Buffer.from(text, 'latin1');
  return random.chance(0.3) ? mutate(random, bytes) : bytes;
}

const HOST = 'digits.default.localhost';
const METHODS = ['GET', 'GET', 'POST', 'POST', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH'];
const RARE_METHODS =
  'TRACE QUERY PROPFIND PURGE M-SEARCH SOURCE LOCK FOO get CONNECT PRI GET\t P\0ST'.split(' ');
const PATHS = ['/', '/a', '/a/b?c=d', '/%41', '/a//b', '/..', '/x;y=z', '/?q=%', '/{a}|b', '//h/x'];
const RARE_PATHS = ['*', '/%', '/a b', '/\xe9', '/#f', 'a', '', '/%zz', '/\x7f', '?x', 'http:/a'];
const RARE_ENDS = ['\n', '\r', '\r\r\n', '\n\r', '\0\r\n', ' \r\n', '\r\n\r\n', '\r\n ', '\v\r\n'];
const NAMES = ['X-A', 'x-b', 'Accept', 'Cookie', 'X_C', 'Range', 'A', 'Via', 'Age', 'Trace-Id'];
const HOP_NAMES = [
  'Connection',
  'Keep-Alive',
  'Proxy-Connection',
  'TE',
  'Forwarded',
  'X-Forwarded-For',
  'X_Forwarded-For',
  'Rouse-Hold',
  'Expect',
  'Upgrade',
  'HTTP2-Settings',
];
const VALUES = [
  '1',
  'a b',
  'a, b',
  '"q"',
  '',
  'x\ty',
  '\xe9',
  'a=b; c',
  'close',
  'keep-alive',
  'chunked',
];
const RARE_VALUES = ['\0', 'a\rb', 'a\nb', '\x7f', '\x01', 'a\r\n b', '\r', '\v', '\x80', '\x85'];
const CODINGS =
  'chunked|Chunked|chunked |\tchunked|gzip, chunked|chunked, chunked|chunked;a=b|identity|\vchunked|xchunked|"chunked"|chunked\0|chunked,|'.split(
    '|',
  );
const LENGTHS = [
  '0x5',
  '+5',
  '5,5',
  '5, 5',
  '5 5',
  '-1',
  '',
  '05',
  '005',
  '5.0',
  '5\t',
  ' 5',
  '5e0',
];

function makeRequest(random: Random): string {
  const minor = random.chance(0.06) ? 0 : 1;
  const rare = random.chance(0.12);
  const end = (): string => (rare && random.chance(0.08) ? random.pick(RARE_ENDS) : '\r\n');
  const space = rare && random.chance(0.08) ? random.pick(['  ', '\t', '\v', '']) : ' ';
  const method = random.pick(rare && random.chance(0.2) ? RARE_METHODS : METHODS);
  const version = rare && random.chance(0.08) ? random.pick(RARE_VERSIONS) : `HTTP/1.${minor}`;
  const { target, fields } = makeAddress(random, rare);
  const { framing, body } = makeBody(random, rare);
  const lines = [...fields, ...framing, ...makeFields(random, rare)];
  const order = random.chance(0.5) ? lines : lines.toSorted(() => random.next() - 0.5);
  const first = random.chance(0.02) ? '\r\n' : '';
  const head = order.map((line) => line + end()).join('');
  return `${first}${method}${space}${target} ${version}${end()}${head}${end()}${body}`;
}

const RARE_VERSIONS = [
  'HTTP/1.2',
  'HTTP/2.0',
  'HTTP/1.1 ',
  'http/1.1',
  'HTTP/1.10',
  'HTTP/0.9',
  '',
  'HTTP/1,1',
];

function makeAddress(random: Random, rare: boolean): { target: string; fields: string[] } {
  const path = random.pick(rare && random.chance(0.2) ? RARE_PATHS : PATHS);
  const host = rare && random.chance(0.3) ? random.pick(RARE_HOSTS) : 'h';
  const way = random.int(4);
  const fields = rare && random.chance(0.1) ? [] : [`Host: ${way === 1 ? HOST : host}`];
  if (rare && random.chance(0.1)) fields.push(`${random.pick(['Host', 'host', 'HOST'])}: other`);
  if (way === 0) return { target: path, fields: [...fields, 'Rouse-Model: digits'] };
  if (way === 1) return { target: path, fields };
  if (way === 2) return { target: `http://${HOST}${path}`, fields };
  return { target: `/models/default/digits${path}`, fields };
}

const RARE_HOSTS = [
  '',
  'a b',
  'u@h',
  'h:80',
  'h:',
  'h:x',
  '[::1]',
  'a,b',
  'H.',
  'h/x',
  'h_x',
  '[::1',
  '*',
];

function makeFields(random: Random, rare: boolean): string[] {
  return Array.from({ length: random.int(5) }, () => {
    const name = random.pick(random.chance(0.2) ? HOP_NAMES : NAMES);
    const value = random.pick(rare && random.chance(0.15) ? RARE_VALUES : VALUES);
    const colon =
      rare && random.chance(0.1) ? random.pick([' :', ':', '\t:', '::', '', ':\t']) : ': ';
    if (name === 'Expect' && random.chance(0.8)) return 'Expect: 100-continue';
    if (name === 'Connection' && random.chance(0.5)) {
      return `Connection: ${random.pick(['X-A', 'Content-Length', 'Upgrade', 'Host, x-b', 'transfer-encoding'])}`;
    }
    return `${name}${colon}${value}`;
  });
}

function makeBody(random: Random, rare: boolean): { framing: string[]; body: string } {
  const kind = random.int(3);
  if (kind === 0) return { framing: [], body: rare && random.chance(0.1) ? 'x' : '' };
  const content = makeContent(random);
  if (kind === 1) return makeLength(random, rare, content);
  const { framing, body } = {
    framing: [
      `Transfer-Encoding: ${rare && random.chance(0.3) ? random.pick(CODINGS) : 'chunked'}`,
    ],
    body: makeChunks(random, rare, content),
  };
  if (rare && random.chance(0.15)) framing.push(`Content-Length: ${random.int(20)}`);
  if (rare && random.chance(0.1)) framing.push(`Transfer-Encoding: ${random.pick(CODINGS)}`);
  if (rare && random.chance(0.05))
    framing[0] = framing[0]!.replace('-', random.pick(['_', ' ', '', '-\t']));
  return { framing, body };
}

function makeLength(random: Random, rare: boolean, content: string) {
  const length = rare && random.chance(0.2) ? random.pick(LENGTHS) : `${content.length}`;
  const framing = [
    `${random.pick(['Content-Length: ', 'content-length:', 'Content-Length:\t'])}${length}`,
  ];
  if (rare && random.chance(0.1))
    framing.push(`Content-Length: ${random.chance(0.5) ? length : 7}`);
  const body = rare && random.chance(0.1) ? content.slice(1) : content;
  return { framing, body };
}

function makeContent(random: Random): string {
  const size = random.chance(0.95)
    ? random.int(60)
    : random.int(random.chance(0.9) ? 3000 : 40_000);
  const filler = random.pick([
    'abcdefghij',
    'GET /evil HTTP/1.1\r\nHost: h\r\n\r\n',
    '0\r\n\r\n',
    '\r\n',
    '\xff\0',
  ]);
  return filler.repeat(Math.ceil(size / filler.length)).slice(0, size);
}

/** A chunked body, for requests and responses alike. */
export function makeChunks(random: Random, rare: boolean, content: string): string {
  const odd = (probability: number): boolean => rare && random.chance(probability);
  let text = '';
  for (let at = 0; at < content.length;) {
    const size =
      1 + random.int(random.chance(0.5) ? content.length - at : Math.min(8, content.length - at));
    text += makeChunk(random, odd, content.slice(at, at + size));
    at += size;
  }
  const zeros = odd(0.1) ? random.pick(['00', '000', '', '0x0', '-0', '0 ']) : '0';
  const trailers = random.chance(0.15) ? makeTrailers(random, rare) : '';
  return `${text}${zeros}${makeExtension(random, odd)}\r\n${trailers}${odd(0.03) ? '\n' : '\r\n'}`;
}

function makeChunk(random: Random, odd: (p: number) => boolean, piece: string): string {
  const hex = piece.length.toString(16);
  const size = odd(0.1)
    ? random.pick([`0x${hex}`, ` ${hex}`, `${hex} `, `+${hex}`, `${hex}\t`, `${hex}_0`])
    : hex;
  const zeros = random.chance(0.03) ? '000' : '';
  const lineEnd = odd(0.05) ? random.pick(['\n', '\r', '\r\r\n', '\n\r\n']) : '\r\n';
  const dataEnd = odd(0.05) ? random.pick(['\n', '', '\r', 'x\r\n', '\r\n\r\n']) : '\r\n';
  return `${zeros}${random.chance(0.2) ? size.toUpperCase() : size}${makeExtension(random, odd)}${lineEnd}${piece}${dataEnd}`;
}

function makeExtension(random: Random, odd: (p: number) => boolean): string {
  if (odd(0.05)) return random.pick([';\n', ';a\rb', ';a="\r\n"', ';\0', ' ;a', '\t', ';a\n\r']);
  return random.chance(0.1)
    ? random.pick([';', ';a', ';a=b', ';a="b c"', ';a=b;c', ';a="\\""', '; a = b'])
    : '';
}

function makeTrailers(random: Random, rare: boolean): string {
  const names = rare
    ? [
        'X-Sum',
        'Content-Length',
        'Transfer-Encoding',
        'Host',
        'X-Forwarded-For',
        'Cookie',
        'X Y',
        '',
      ]
    : ['X-Sum', 'Etag-Of', 'X-T'];
  return Array.from(
    { length: 1 + random.int(2) },
    () => `${random.pick(names)}: ${random.pick(rare ? RARE_VALUES : VALUES)}\r\n`,
  ).join('');
}

const TOKENS = [
  '\r\n',
  '\n',
  '\r',
  '\r\n\r\n',
  ' ',
  '\t',
  ':',
  ',',
  ';',
  '\0',
  '0',
  'a',
  '\x7f',
  '\x80',
  '\xa0',
  'chunked',
  'Content-Length: 3\r\n',
  'Transfer-Encoding: chunked\r\n',
  'GET / HTTP/1.1\r\nHost: digits.default.localhost\r\n\r\n',
  '0\r\n\r\n',
  '\r\n ',
  'HTTP/1.1 ',
];

/** A few small changes anywhere: bytes and pieces put in, taken out, doubled, moved. */
export function mutate(random: Random, bytes: Buffer): Buffer {
  let out = bytes;
  for (let n = 1 + random.int(3); n > 0; n -= 1) {
    const at = random.int(out.length + 1);
    const to = Math.min(out.length, at + random.int(12));
    const how = random.int(5);
    let middle = Buffer.alloc(0);
    let rest = at;
    if (how === 0) middle = Buffer.from(random.pick(TOKENS), 'latin1');
    else if (how === 1) rest = to;
    else if (how === 2) middle = Buffer.from(out.subarray(at, to));
    else if (how === 3) {
      middle = Buffer.from([random.int(256)]);
      rest = Math.min(out.length, at + 1);
    } else middle = Buffer.from(out.subarray(0, random.int(out.length + 1)));
    out = Buffer.concat([out.subarray(0, at), middle, out.subarray(rest)]);
  }
  return out;
}

/** The same bytes in pieces: whole, cut anywhere, cut at line ends, byte by byte. */
export function split(random: Random, bytes: Buffer): Buffer[] {
  const way = random.next();
  if (way < 0.4 || bytes.length < 2) return [bytes];
  if (way < 0.47 && bytes.length < 400) return Array.from(bytes, (byte) => Buffer.from([byte]));
  const cuts = new Set<number>();
  for (let n = 1 + random.int(4); n > 0; n -= 1) {
    const at = random.int(bytes.length);
    const lineEnd = bytes.indexOf(random.pick(['\r', '\n', '\r\n\r\n']), at, 'latin1');
    cuts.add(way < 0.75 || lineEnd < 0 ? at : lineEnd + random.int(5));
  }
  const pieces: Buffer[] = [];
  let from = 0;
  for (const to of [...cuts, bytes.length].toSorted((a, b) => a - b)) {
    if (to <= from || to > bytes.length) continue;
    pieces.push(bytes.subarray(from, to));
    from = to;
  }
  return pieces;
}
