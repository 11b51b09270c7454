import type { IncomingHttpHeaders } from 'node:http';

/** A request as an instance sees it, by llhttp. */
export interface Seen {
  method: string;
  url: string;
  body: string;
  headers: IncomingHttpHeaders;
}

/** The limits of the data plane that these rows are for. */
export const LIMITS = { head: 4096, body: 1000 };

export const P = '/models/default/digits';
const post = (headers: string, body: string): string =>
  `POST ${P}/ HTTP/1.1\r\nHost: h\r\n${headers}\r\n${body}`;

/** Inputs that are no requests here, and the status of the one answer to each. */
export const REFUSED: readonly [name: string, input: string, status: number][] = [
  [
    'length and chunked',
    post('Content-Length: 3\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    400,
  ],
  [
    'chunked and length',
    post('Transfer-Encoding: chunked\r\nContent-Length: 3\r\n', '0\r\n\r\n'),
    400,
  ],
  ['two lengths that differ', post('Content-Length: 3\r\nContent-Length: 4\r\n', 'abcd'), 400],
  ['two lengths that agree', post('Content-Length: 3\r\nContent-Length: 3\r\n', 'abc'), 400],
  ['a list of lengths', post('Content-Length: 3, 3\r\n', 'abc'), 400],
  ['a length with a sign', post('Content-Length: +3\r\n', 'abc'), 400],
  ['a negative length', post('Content-Length: -3\r\n', 'abc'), 400],
  ['a length with a space inside', post('Content-Length: 1 0\r\n', 'abc'), 400],
  ['a hexadecimal length', post('Content-Length: 0x3\r\n', 'abc'), 400],
  ['an empty length', post('Content-Length:\r\n', 'abc'), 400],
  ['a length beyond all integers', post('Content-Length: 99999999999999999999\r\n', ''), 400],
  ['another coding', post('Transfer-Encoding: gzip\r\n', ''), 501],
  ['a coding before chunked', post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'), 501],
  ['chunked twice', post('Transfer-Encoding: chunked, chunked\r\n', '0\r\n\r\n'), 501],
  [
    'chunked in two fields',
    post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    501,
  ],
  ['chunked with a vertical tab', post('Transfer-Encoding: \vchunked\r\n', '0\r\n\r\n'), 400],
  ['chunked with a quote', post('Transfer-Encoding: "chunked"\r\n', '0\r\n\r\n'), 501],
  [
    'chunked in HTTP/1.0',
    `POST ${P}/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  ['a bare LF after the request line', `GET ${P}/ HTTP/1.1\nHost: h\r\n\r\n`, 400],
  ['a bare LF after a field', `GET ${P}/ HTTP/1.1\r\nHost: h\nX: 1\r\n\r\n`, 400],
  ['a bare CR in a value', `GET ${P}/ HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n`, 400],
  ['a folded line', `GET ${P}/ HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n`, 400],
  ['a space before the colon', `GET ${P}/ HTTP/1.1\r\nHost : h\r\n\r\n`, 400],
  ['a space before the first field', `GET ${P}/ HTTP/1.1\r\n Host: h\r\n\r\n`, 400],
  ['a field without a name', `GET ${P}/ HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n`, 400],
  ['a field without a colon', `GET ${P}/ HTTP/1.1\r\nHost: h\r\nX\r\n\r\n`, 400],
  ['NUL in a value', `GET ${P}/ HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n`, 400],
  ['NUL in a name', `GET ${P}/ HTTP/1.1\r\nHost: h\r\nX\0: b\r\n\r\n`, 400],
  ['DEL in a value', `GET ${P}/ HTTP/1.1\r\nHost: h\r\nX: \x7f\r\n\r\n`, 400],
  ['a name above ASCII', `GET ${P}/ HTTP/1.1\r\nHost: h\r\n\xe9: b\r\n\r\n`, 400],
  ['two hosts', `GET ${P}/ HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n`, 400],
  ['no host', `GET ${P}/ HTTP/1.1\r\n\r\n`, 400],
  ['an empty host', `GET ${P}/ HTTP/1.1\r\nHost:\r\n\r\n`, 400],
  ['a host with a path', `GET ${P}/ HTTP/1.1\r\nHost: h/x\r\n\r\n`, 400],
  ['a host with a user', `GET ${P}/ HTTP/1.1\r\nHost: u@h\r\n\r\n`, 400],
  ['a port that is none', `GET ${P}/ HTTP/1.1\r\nHost: h:65536\r\n\r\n`, 400],
  ['a list of hosts', `GET ${P}/ HTTP/1.1\r\nHost: a, b\r\n\r\n`, 400],
  ['HTTP/0.9', `GET ${P}/\r\n\r\n`, 400],
  ['HTTP/2.0 in the line', `GET ${P}/ HTTP/2.0\r\nHost: h\r\n\r\n`, 505],
  ['HTTP/1.2', `GET ${P}/ HTTP/1.2\r\nHost: h\r\n\r\n`, 505],
  ['http in lower case', `GET ${P}/ http/1.1\r\nHost: h\r\n\r\n`, 400],
  ['two spaces in the line', `GET  ${P}/ HTTP/1.1\r\nHost: h\r\n\r\n`, 400],
  ['a tab in the line', `GET\t${P}/ HTTP/1.1\r\nHost: h\r\n\r\n`, 400],
  ['a space at the end of the line', `GET ${P}/ HTTP/1.1 \r\nHost: h\r\n\r\n`, 400],
  ['a space in the target', `GET ${P}/a b HTTP/1.1\r\nHost: h\r\n\r\n`, 400],
  ['a target above ASCII', `GET ${P}/\xe9 HTTP/1.1\r\nHost: h\r\n\r\n`, 400],
  ['a fragment in the target', `GET ${P}/#x HTTP/1.1\r\nHost: h\r\n\r\n`, 400],
  ['a relative target', `GET models/default/digits HTTP/1.1\r\nHost: h\r\n\r\n`, 400],
  ['a target of another scheme', `GET ftp://h${P} HTTP/1.1\r\nHost: h\r\n\r\n`, 400],
  ['CONNECT', `CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n`, 405],
  ['a method with a control byte', `G\x01T ${P}/ HTTP/1.1\r\nHost: h\r\n\r\n`, 400],
  ['garbage over the limit', '\x01'.repeat(5000), 400],
  ['garbage', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc', 400],
  ['a preface that is not quite that of HTTP/2', 'PRI * HTTP/2.0\r\nHost: h\r\n\r\n', 505],
  ['another expectation', post('Expect: 200-ok\r\nContent-Length: 1\r\n', 'a'), 417],
  ['a chunk size that is none', post('Transfer-Encoding: chunked\r\n', 'x\r\n'), 400],
  ['a chunk size with 0x', post('Transfer-Encoding: chunked\r\n', '0x3\r\nabc\r\n0\r\n\r\n'), 400],
  [
    'a chunk size with a sign',
    post('Transfer-Encoding: chunked\r\n', '+3\r\nabc\r\n0\r\n\r\n'),
    400,
  ],
  [
    'a chunk size with a space',
    post('Transfer-Encoding: chunked\r\n', '3 \r\nabc\r\n0\r\n\r\n'),
    400,
  ],
  [
    'a chunk size beyond all integers',
    post('Transfer-Encoding: chunked\r\n', 'fffffffffffffffff\r\n'),
    400,
  ],
  ['no chunk size', post('Transfer-Encoding: chunked\r\n', '\r\nabc\r\n0\r\n\r\n'), 400],
  ['a chunk that ends with LF', post('Transfer-Encoding: chunked\r\n', '3\r\nabc\n0\r\n\r\n'), 400],
  [
    'a chunk size that ends with LF',
    post('Transfer-Encoding: chunked\r\n', '3\nabc\r\n0\r\n\r\n'),
    400,
  ],
  [
    'a chunk that is longer than its size',
    post('Transfer-Encoding: chunked\r\n', '3\r\nabcd\r\n0\r\n\r\n'),
    400,
  ],
  [
    'an extension with a control byte',
    post('Transfer-Encoding: chunked\r\n', '3;a=\x01\r\nabc\r\n0\r\n\r\n'),
    400,
  ],
  [
    'a trailer that frames',
    post('Transfer-Encoding: chunked\r\n', '0\r\nContent-Length: 3\r\n\r\n'),
    400,
  ],
  [
    'a trailer that is malformed',
    post('Transfer-Encoding: chunked\r\n', '0\r\nX : 3\r\n\r\n'),
    400,
  ],
  [
    'trailers over the limit',
    post('Transfer-Encoding: chunked\r\n', `0\r\nX: ${'a'.repeat(9000)}\r\n\r\n`),
    400,
  ],
  ['a head over the limit', `GET ${P}/ HTTP/1.1\r\nHost: h\r\nX: ${'a'.repeat(5000)}\r\n\r\n`, 431],
  [
    'a head without end over the limit',
    `GET ${P}/ HTTP/1.1\r\nHost: h\r\nX: ${'a'.repeat(9000)}`,
    431,
  ],
  ['more fields than 128', `GET ${P}/ HTTP/1.1\r\nHost: h\r\n${'A: b\r\n'.repeat(128)}\r\n`, 431],
  ['a method that nobody registered', `FOO ${P}/ HTTP/1.1\r\nHost: h\r\n\r\n`, 501],
  ['a method in lower case', `get ${P}/ HTTP/1.1\r\nHost: h\r\n\r\n`, 501],
  ['a path with a % and no digits', `GET ${P}/a%zz HTTP/1.1\r\nHost: h\r\n\r\n`, 400],
  ['a path that ends in a %', `GET ${P}/a%4 HTTP/1.1\r\nHost: h\r\n\r\n`, 400],
  [
    'absolute form with a Host that is none',
    'GET http://digits.default.localhost/ HTTP/1.1\r\nHost: a b\r\n\r\n',
    400,
  ],
  ['a coding with an underscore', post('Transfer_Encoding: chunked\r\n', '0\r\n\r\n'), 400],
  ['a length with an underscore', post('content_length: 3\r\n', 'abc'), 400],
  ['two models', post('Rouse-Model: digits\r\nRouse-Model: other\r\n', ''), 400],
  [
    'an empty trailer that frames',
    post('Transfer-Encoding: chunked\r\n', '0\r\nContent-Length:\r\n\r\n'),
    400,
  ],
  [
    'a trailer that says who asks',
    post('Transfer-Encoding: chunked\r\n', '0\r\nX_Forwarded-For: 1.1.1.1\r\n\r\n'),
    400,
  ],
  ['a body over the limit, by its length', post('Content-Length: 1001\r\n', ''), 413],
  [
    'a body over the limit, in chunks',
    post('Transfer-Encoding: chunked\r\n', `3e9\r\n${'a'.repeat(1001)}\r\n0\r\n\r\n`),
    413,
  ],
];

export const ACCEPTED: readonly [name: string, input: string, expected: Partial<Seen>[]][] = [
  ['an empty line before a request', `\r\nGET ${P}/a HTTP/1.1\r\nHost: h\r\n\r\n`, [{ url: '/a' }]],
  [
    'absolute form, which overrides Host',
    `GET http://digits.default.localhost/a?b HTTP/1.1\r\nHost: other\r\n\r\n`,
    [{ url: '/a?b' }],
  ],
  [
    'absolute form without a path',
    `GET http://digits.default.localhost HTTP/1.1\r\nHost: other\r\n\r\n`,
    [{ url: '/' }],
  ],
  ['HTTP/1.0 without Host', `GET ${P}/a HTTP/1.0\r\n\r\n`, [{ url: '/a' }]],
  [
    'a Host with a port',
    `GET /a HTTP/1.1\r\nHost: digits.default.localhost:8080\r\n\r\n`,
    [{ url: '/a' }],
  ],
  [
    'a Host in capitals',
    `GET /a HTTP/1.1\r\nHOST: DIGITS.default.localhost\r\n\r\n`,
    [{ url: '/a' }],
  ],
  [
    'no space after a colon, tabs around a value',
    `GET ${P}/ HTTP/1.1\r\nHost:h\r\nX:\t a\t \r\n\r\n`,
    [{ headers: { x: 'a' } }],
  ],
  [
    'bytes above ASCII in a value',
    `GET ${P}/ HTTP/1.1\r\nHost: h\r\nX: \xe9\r\n\r\n`,
    [{ headers: { x: '\xe9' } }],
  ],
  [
    'chunk extensions, which are dropped',
    post('Transfer-Encoding: chunked\r\n', '3;a=b;c="d"\r\nabc\r\n2;x\r\nde\r\n0;y\r\n\r\n'),
    [{ body: 'abcde' }],
  ],
  [
    'trailers',
    post('Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n'),
    [{ body: 'abc' }],
  ],
  [
    'leading zeros of a chunk size',
    post('Transfer-Encoding: Chunked\r\n', '0003\r\nabc\r\n000\r\n\r\n'),
    [{ body: 'abc' }],
  ],
  [
    'a body of a GET',
    `GET ${P}/ HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc`,
    [{ method: 'GET', body: 'abc' }],
  ],
  [
    'Connection that names a framing field, which stays',
    post('Connection: Content-Length\r\nContent-Length: 3\r\n', 'abc'),
    [{ body: 'abc' }],
  ],
  [
    'an upgrade to h2c, which is ignored',
    `GET ${P}/ HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n`,
    [{ url: '/' }],
  ],
  [
    'requests in a row, bodies of all kinds',
    post('Content-Length: 3\r\n', 'abc') +
      post('Transfer-Encoding: chunked\r\n', '1\r\nx\r\n0\r\n\r\n') +
      `GET ${P}/end HTTP/1.1\r\nHost: h\r\n\r\n`,
    [{ body: 'abc' }, { body: 'x' }, { url: '/end', body: '' }],
  ],
];
