/** A way to smuggle a request that somebody has published, and what becomes of it here. Latin-1. */
export interface Vector {
  readonly name: string;
  readonly source: string;
  /** Pieces, each sent when the one before has been read. */
  readonly sends: readonly string[];
  /** Of each answer on the attacker's connection. */
  readonly statuses: readonly number[];
  /** Requests that reach the instance, byte for byte, but for the fields that Rouse adds at the end of a head. */
  readonly reaches: readonly string[];
}

const KETTLE_2019 = 'Kettle, HTTP Desync Attacks, 2019';
const KETTLE_2022 = 'Kettle, Browser-Powered Desync, 2022';
const KETTLE_2025 = 'Kettle, HTTP/1.1 Must Die, 2025';
const LINHART_2005 = 'Linhart et al., HTTP Request Smuggling, 2005';
const FUNKY_2025 = 'Weikop, Funky Chunks, 2025';
const T_REQS = 'Jabiyev et al., T-Reqs, 2021';
const BISHOP_FOX = 'Bishop Fox, h2c Smuggling, 2020';
const DAVISON = 'Davison, Hop-by-Hop Headers, 2019';
const HTTP11PROBE = 'Http11Probe';

const EVIL = 'GET /models/default/digits/evil HTTP/1.1\r\nHost: h\r\n\r\n';
const post = (fields: string, body = ''): string =>
  `POST /models/default/digits/ HTTP/1.1\r\nHost: h\r\n${fields}\r\n${body}`;
const get = (fields: string): string =>
  `GET /models/default/digits/ HTTP/1.1\r\nHost: h\r\n${fields}\r\n`;
const forwarded = (fields: string, body = ''): string =>
  `POST / HTTP/1.1\r\nHost: h\r\n${fields}\r\n${body}`;
const forwardedEvil = 'GET /evil HTTP/1.1\r\nHost: h\r\n\r\n';
const CHUNKED = 'Transfer-Encoding: chunked\r\n';

const refused = (
  name: string,
  source: string,
  sends: string | readonly string[],
  status = 400,
): Vector => ({
  name,
  source,
  sends: typeof sends === 'string' ? [sends] : sends,
  statuses: [status],
  reaches: [],
});

/** Values of Transfer-Encoding, and whole lines, of which one of two servers made `chunked`. */
const CODINGS: readonly (readonly [line: string, status: number])[] = [
  ['Transfer-Encoding: xchunked', 501],
  ['Transfer-Encoding : chunked', 400],
  ['Transfer-Encoding\t: chunked', 400],
  [' Transfer-Encoding: chunked', 400],
  ['X: X\nTransfer-Encoding: chunked', 400],
  ['X: X\rTransfer-Encoding: chunked', 400],
  ['X: X\r\n\rTransfer-Encoding: chunked', 400],
  ['Transfer-Encoding\r\n : chunked', 400],
  ['Transfer-Encoding:\r\n chunked', 400],
  ['Transfer-Encoding: \vchunked', 400],
  ['Transfer-Encoding: \x0cchunked', 400],
  ['Transfer-Encoding: chunked\0', 400],
  ['Transfer-Encoding\0: chunked', 400],
  ['Transfer-Encoding: \x80chunked', 501],
  ['Transfer-Encoding: chunked\xa0', 501],
  ['Transfer-Encoding: "chunked"', 501],
  ["Transfer-Encoding: 'chunked'", 501],
  ['Transfer-Encoding: chunk', 501],
  ['Transfer-Encoding: chunked, cow', 501],
  ['Transfer-Encoding: cow, chunked', 501],
  ['Transfer-Encoding: chunked, chunked', 501],
  ['Transfer-Encoding: ,chunked', 501],
  ['Transfer-Encoding: chunked,', 501],
  ['Transfer-Encoding: chunked;a=b', 501],
  ['Transfer-Encoding: identity', 501],
  ['Transfer-Encoding: identity, chunked', 501],
  ['Transfer-Encoding:', 501],
  ['Transfer-Encoding: chunked\r\nTransfer-Encoding: x', 501],
  ['Transfer-Encoding: x\r\nTransfer-Encoding: chunked', 501],
  ['Transfer-Encoding: chunked\r\nTransfer-encoding: cow', 501],
  ['Transfer Encoding: chunked', 400],
  ['Transfer_Encoding: chunked', 400],
  ['Transfer-Encoding;: chunked', 400],
  ['Transfer-Encoding', 400],
  ['Transf\xe9r-Encoding: chunked', 400],
  ['Transfer-Encoding: chunked\r', 400],
  ['Transfer-Encoding: ch\u0001unked', 400],
];

const LENGTHS = [
  '0x10',
  '+5',
  '-5',
  '5,5',
  '5 , 6',
  '5, 5',
  '5;',
  '5.0',
  '5e0',
  '1_0',
  '"5"',
  "5'",
  '5 5',
  '0b101',
  '',
  '\v5',
  '5\x80',
  '9223372036854775808',
  '18446744073709551621',
];

/** What stands where a chunk's size belongs, up to and with the end of its line. */
const SIZE_LINES: readonly (readonly [name: string, line: string, source: string])[] = [
  ['a sign', '+5\r\n', KETTLE_2019],
  ['0x', '0x5\r\n', KETTLE_2019],
  ['a space before', ' 5\r\n', HTTP11PROBE],
  ['a space after', '5 \r\n', HTTP11PROBE],
  ['a tab after', '5\t\r\n', HTTP11PROBE],
  ['an underscore', '5_0\r\n', HTTP11PROBE],
  ['a size beyond 64 bits', '10000000000000005\r\n', 'Apache CVE-2015-3183'],
  ['a bare LF', '5\n', FUNKY_2025],
  ['a bare CR', '5\r', FUNKY_2025],
  ['TERM.EXT: a bare LF in an extension', '5;\n', FUNKY_2025],
  ['EXT.TERM: a bare LF that ends an extension', '5;a\nb\r\n', FUNKY_2025],
  ['a bare CR in an extension', '5;a\rb\r\n', FUNKY_2025],
  ['CR CR LF', '5\r\r\n', FUNKY_2025],
  ['LF CR', '5\n\r', FUNKY_2025],
  ['NUL in an extension', '5;\0a\r\n', HTTP11PROBE],
  ['a space and an extension', '5 ;a\r\n', FUNKY_2025],
  ['no size, an extension', ';a\r\n', HTTP11PROBE],
];

const HEADS: readonly Vector[] = [
  refused('CL.TE', LINHART_2005, post(`Content-Length: 6\r\n${CHUNKED}`, `0\r\n\r\n${EVIL}`)),
  refused(
    'TE.CL',
    LINHART_2005,
    post(`${CHUNKED}Content-Length: 4\r\n`, `5c\r\n${EVIL}\r\n0\r\n\r\n`),
  ),
  refused('CL.CL', LINHART_2005, post('Content-Length: 5\r\nContent-Length: 0\r\n', EVIL)),
  refused(
    'CL.CL, the same',
    LINHART_2005,
    post('Content-Length: 0\r\nContent-Length: 0\r\n', EVIL),
  ),
  refused(
    'two lengths, one in a list',
    HTTP11PROBE,
    post('Content-Length: 5\r\nContent-Length: 5, 5\r\n', EVIL),
  ),
  refused('a length with an underscore', HTTP11PROBE, post('Content_Length: 5\r\n', EVIL)),
  refused(
    'a length with a space before the colon',
    LINHART_2005,
    post('Content-Length : 5\r\n', EVIL),
  ),
  refused('a folded length', KETTLE_2019, post('Content-Length:\r\n 5\r\n', EVIL)),
  refused(
    'chunked in HTTP/1.0',
    HTTP11PROBE,
    post(CHUNKED, `0\r\n\r\n${EVIL}`).replace('1.1', '1.0'),
  ),
  refused('two hosts', KETTLE_2019, get('Host: evil\r\n')),
  refused('two hosts, one folded', KETTLE_2025, get(' Host: evil\r\n')),
  refused('a hidden host', KETTLE_2025, get('Host : evil\r\n')),
  refused('a host with an at sign', T_REQS, get('').replace('Host: h', 'Host: h@evil')),
  refused('a field that begins with a space', KETTLE_2025, get(' X: y\r\nContent-Length: 5\r\n')),
  refused('obs-fold', KETTLE_2025, post('X: y\r\n Content-Length: 60\r\n', EVIL)),
  refused(
    'Expect in another spelling',
    KETTLE_2025,
    post('Expect: y 100-continue\r\nContent-Length: 6\r\n'),
    417,
  ),
  refused('a version that is none', T_REQS, get('').replace('HTTP/1.1', 'HTTP/1.1x')),
  refused('HTTP/9.9', T_REQS, get('').replace('HTTP/1.1', 'HTTP/9.9'), 505),
  refused(
    'a line with a second request in it',
    T_REQS,
    get('').replace('HTTP/1.1', 'HTTP/1.1 GET /evil HTTP/1.1'),
  ),
  refused('a method of its own', T_REQS, get('').replace('GET', 'XGET'), 501),
  refused('a method in lower case', T_REQS, get('').replace('GET', 'get'), 501),
  refused('HTTP/0.9', KETTLE_2022, 'GET /models/default/digits/\r\n\r\n'),
  refused('CONNECT', T_REQS, 'CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n', 405),
  ...CODINGS.map(([line, status]) =>
    refused(
      `TE.TE: ${JSON.stringify(line)}`,
      KETTLE_2019,
      post(`${line}\r\n`, `0\r\n\r\n${EVIL}`),
      status,
    ),
  ),
  ...LENGTHS.map((length) =>
    refused(
      `length ${JSON.stringify(length)}`,
      HTTP11PROBE,
      post(`Content-Length: ${length}\r\n`, EVIL),
    ),
  ),
];

const CHUNKS: readonly Vector[] = [
  ...SIZE_LINES.map(([name, line, source]) =>
    refused(`chunk size: ${name}`, source, post(CHUNKED, `${line}hello\r\n0\r\n\r\n${EVIL}`)),
  ),
  refused(
    'TERM.SPILL: two bytes after the data',
    FUNKY_2025,
    post(CHUNKED, `5\r\nhelloXX0\r\n\r\n${EVIL}`),
  ),
  refused('a chunk that ends with LF', FUNKY_2025, post(CHUNKED, `5\r\nhello\n0\r\n\r\n${EVIL}`)),
  refused('a chunk without an end', FUNKY_2025, post(CHUNKED, `5\r\nhello0\r\n\r\n${EVIL}`)),
  refused('a last chunk that ends with LF', HTTP11PROBE, post(CHUNKED, `0\n\n${EVIL}`)),
  refused('trailers that end with LF', HTTP11PROBE, post(CHUNKED, `0\r\nX: y\n\n${EVIL}\r\n\r\n`)),
  refused(
    'a trailer that frames',
    FUNKY_2025,
    post(CHUNKED, `0\r\nContent-Length: 60\r\n\r\n${EVIL}`),
  ),
  refused('a trailer that routes', FUNKY_2025, post(CHUNKED, '0\r\nHost: evil\r\n\r\n')),
  refused(
    'a trailer that says who asks',
    FUNKY_2025,
    post(CHUNKED, '0\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n'),
  ),
  refused('a trailer without a colon', T_REQS, post(CHUNKED, `0\r\n${EVIL}`)),
];

const TAKEN: readonly Vector[] = [
  {
    name: '0.CL and CL.0: a request in a body stays in it',
    source: KETTLE_2022,
    sends: [post(`Content-Length: ${EVIL.length}\r\n`, EVIL)],
    statuses: [200],
    reaches: [forwarded(`Content-Length: ${EVIL.length}\r\n`, EVIL)],
  },
  {
    name: 'a GET with a request as its body',
    source: KETTLE_2022,
    sends: [get(`Content-Length: ${EVIL.length}\r\n`) + EVIL],
    statuses: [200],
    reaches: [forwarded(`Content-Length: ${EVIL.length}\r\n`, EVIL).replace('POST', 'GET')],
  },
  {
    name: 'a length named by Connection is a length still',
    source: DAVISON,
    sends: [post(`Connection: Content-Length\r\nContent-Length: ${EVIL.length}\r\n`, EVIL)],
    statuses: [200],
    reaches: [forwarded(`Content-Length: ${EVIL.length}\r\n`, EVIL)],
  },
  {
    name: 'a coding named by Connection is a coding still',
    source: DAVISON,
    sends: [post(`Connection: transfer-encoding\r\n${CHUNKED}`, '0\r\n\r\n') + EVIL],
    statuses: [200, 200],
    reaches: [forwarded(CHUNKED, '0\r\n\r\n'), forwardedEvil],
  },
  {
    name: 'a length in an unusual spelling is written anew',
    source: HTTP11PROBE,
    sends: [post(`content-length:\t 0${EVIL.length}\t\r\nX: y\r\n`, EVIL)],
    statuses: [200],
    reaches: [forwarded(`X: y\r\nContent-Length: ${EVIL.length}\r\n`, EVIL)],
  },
  {
    name: 'a coding in an unusual spelling is written anew',
    source: KETTLE_2019,
    sends: [post('TRANSFER-encoding:\tcHuNkEd \r\n', '5;a="\\""\r\nhello\r\n00\r\n\r\n') + EVIL],
    statuses: [200, 200],
    reaches: [forwarded(CHUNKED, '5\r\nhello\r\n0\r\n\r\n'), forwardedEvil],
  },
  {
    name: 'a chunk whose data are a last chunk and a request',
    source: LINHART_2005,
    sends: [post(CHUNKED, `${(EVIL.length + 5).toString(16)}\r\n0\r\n\r\n${EVIL}\r\n0\r\n\r\n`)],
    statuses: [200],
    reaches: [
      forwarded(CHUNKED, `${(EVIL.length + 5).toString(16)}\r\n0\r\n\r\n${EVIL}\r\n0\r\n\r\n`),
    ],
  },
  {
    name: 'pause-based: the body of a request comes late, and looks like one',
    source: KETTLE_2022,
    sends: [post(`Content-Length: ${EVIL.length}\r\n`), EVIL],
    statuses: [200],
    reaches: [forwarded(`Content-Length: ${EVIL.length}\r\n`, EVIL)],
  },
  {
    name: 'Expect: what follows is the body, whoever waits for whom',
    source: KETTLE_2025,
    sends: [post(`Expect: 100-continue\r\nContent-Length: ${EVIL.length}\r\n`, EVIL)],
    statuses: [200],
    reaches: [forwarded(`Content-Length: ${EVIL.length}\r\n`, EVIL)],
  },
  {
    name: 'absolute form beats Host, and replaces it',
    source: 'Kettle, Cracking the Lens, 2017',
    sends: ['GET http://digits.default.localhost/x HTTP/1.1\r\nHost: evil\r\n\r\n'],
    statuses: [200],
    reaches: ['GET /x HTTP/1.1\r\nHost: digits.default.localhost\r\n\r\n'],
  },
  {
    name: 'h2c: the upgrade is ignored, in whatever list',
    source: BISHOP_FOX,
    sends: [
      get(
        'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: websocket, h2c\r\nHTTP2-Settings: AAMAAABk\r\n',
      ),
    ],
    statuses: [200],
    reaches: ['GET / HTTP/1.1\r\nHost: h\r\n\r\n'],
  },
  {
    name: 'an upgrade with a body, which stays a body',
    source: 'Egorov, WebSocket Smuggling, 2019',
    sends: [
      post(`Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: ${EVIL.length}\r\n`, EVIL),
    ],
    statuses: [200],
    reaches: [forwarded(`Content-Length: ${EVIL.length}\r\n`, EVIL)],
  },
  {
    name: 'fields that say who asks, with an underscore',
    source: 'Thatcher, Practical HTTP Header Smuggling, 2021',
    sends: [get('X_Forwarded_For: 1.1.1.1\r\nX-Forwarded_Host: evil\r\nX-A: b\r\n')],
    statuses: [200],
    reaches: ['GET / HTTP/1.1\r\nHost: h\r\nX-A: b\r\n\r\n'],
  },
  {
    name: 'an empty last chunk as a prefix of the next request',
    source: LINHART_2005,
    sends: [`${post(CHUNKED, '0\r\n\r\n')}0\r\n\r\n${EVIL}`],
    statuses: [200, 400],
    reaches: [forwarded(CHUNKED, '0\r\n\r\n')],
  },
];

export const VECTORS: readonly Vector[] = [...HEADS, ...CHUNKS, ...TAKEN];
