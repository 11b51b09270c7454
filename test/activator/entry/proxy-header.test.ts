import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseProxyHeader } from '#activator/entry/proxy-header.ts';
import { makeProxyHeader } from './make-proxy-header.ts';

const V4 = Buffer.from([192, 0, 2, 1, 10, 0, 0, 1, 0x1f, 0x90, 0x00, 0x50]);
const V6 = Buffer.concat([
  Buffer.from('20010db8000000000000000000000001', 'hex'),
  Buffer.from('20010db8000000000000000000000002', 'hex'),
  Buffer.from([0x1f, 0x90, 0x00, 0x50]),
]);
const UNIX = Buffer.alloc(216, 0x61);
const VECTORS = Buffer.from([0x01, 0, 2, 0x68, 0x32, 0x04, 0, 0]);

describe('a header', () => {
  test.each([
    ['TCP over IPv4', makeProxyHeader(0x21, 0x11, V4), '192.0.2.1'],
    ['TCP over IPv6', makeProxyHeader(0x21, 0x21, V6), '2001:db8::1'],
    [
      'IPv4 within IPv6',
      makeProxyHeader(
        0x21,
        0x21,
        Buffer.concat([Buffer.from(`${'0'.repeat(20)}ffffc0000201`, 'hex'), V6.subarray(16)]),
      ),
      '192.0.2.1',
    ],
    [
      'with more after the addresses',
      makeProxyHeader(0x21, 0x11, Buffer.concat([V4, VECTORS])),
      '192.0.2.1',
    ],
    ['of a Unix socket', makeProxyHeader(0x21, 0x31, UNIX), undefined],
    ['that names nobody', makeProxyHeader(0x21, 0x00, Buffer.alloc(0)), undefined],
    ['of the proxy itself', makeProxyHeader(0x20, 0x00, Buffer.alloc(0)), undefined],
    [
      'of the proxy itself, whatever is in it',
      makeProxyHeader(0x20, 0x47, Buffer.from('xyz')),
      undefined,
    ],
  ])('%s is taken, whole or cut at each byte', (_name, header, source) => {
    const bytes = Buffer.concat([header, Buffer.from('GET / HTTP/1.1\r\n')]);
    for (let end = 0; end < header.length; end += 1) {
      expect(parseProxyHeader(bytes.subarray(0, end))).toEqual({ kind: 'more' });
    }
    for (let end = header.length; end <= bytes.length; end += 1) {
      const found = parseProxyHeader(bytes.subarray(0, end));
      expect(found).toEqual({ kind: 'header', end: header.length, source });
    }
  });

  test.each([
    ['another protocol', Buffer.from('GET / HTTP/1.1\r\n\r\n'), /does not begin with/],
    ['TLS', Buffer.from([0x16, 3, 1]), /does not begin with/],
    ['an empty line and a request', Buffer.from('\r\nGET / HTTP/1.1\r\n'), /does not begin with/],
    [
      'version 1',
      Buffer.from('PROXY TCP4 192.0.2.1 10.0.0.1 1 2\r\n'),
      /version 1 .*send version 2/,
    ],
    ['version 1 within version 2', makeProxyHeader(0x11, 0x11, V4), /version 1/],
    ['version 3', makeProxyHeader(0x31, 0x11, V4), /version 3/],
    ['an unknown command', makeProxyHeader(0x22, 0x11, V4), /command is 2/],
    ['datagrams', makeProxyHeader(0x21, 0x12, V4), /0x12/],
    ['an unknown family', makeProxyHeader(0x21, 0x41, V4), /0x41/],
    ['a family without transport', makeProxyHeader(0x21, 0x10, V4), /0x10/],
    ['addresses cut short', makeProxyHeader(0x21, 0x11, V4.subarray(0, 11)), /too short/],
    ['IPv4 addresses said to be IPv6', makeProxyHeader(0x21, 0x21, V4), /too short/],
    [
      'a vector that is cut',
      makeProxyHeader(0x21, 0x11, Buffer.concat([V4, VECTORS.subarray(0, 4)])),
      /malformed/,
    ],
    [
      'half a vector',
      makeProxyHeader(0x21, 0x11, Buffer.concat([V4, Buffer.from([1, 0])])),
      /malformed/,
    ],
    ['too many bytes', makeProxyHeader(0x21, 0x11, Buffer.alloc(4097)), /more than 4096/],
  ])('%s is refused', (_name, bytes, why) => {
    const found = parseProxyHeader(bytes);
    expect(found.kind).toBe('refused');
    expect(found.kind === 'refused' && found.why).toMatch(why);
  });

  test('too large is refused before it is awaited', () => {
    const header = makeProxyHeader(0x21, 0x11, Buffer.alloc(0xffff)).subarray(0, 16);
    expect(parseProxyHeader(header).kind).toBe('refused');
  });
});

test('any bytes are answered, and nothing behind the header changes the answer', () => {
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc
      .tuple(fc.nat(255), fc.nat(255), fc.uint8Array({ maxLength: 300 }))
      .map(([command, family, block]) => makeProxyHeader(command, family, Buffer.from(block))),
  );
  fc.assert(
    fc.property(anything, fc.uint8Array({ maxLength: 32 }), (bytes, rest) => {
      const found = parseProxyHeader(Buffer.from(bytes));
      if (found.kind === 'more') return;
      expect(parseProxyHeader(Buffer.from([...bytes, ...rest]))).toEqual(found);
      if (found.kind === 'header') expect(found.end).toBeLessThanOrEqual(bytes.length);
    }),
    { numRuns: 5000 },
  );
});

test('every source address comes out as it went in', () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      const block = Buffer.from([...address.split('.').map(Number), ...V4.subarray(4)]);
      const found = parseProxyHeader(makeProxyHeader(0x21, 0x11, block));
      expect(found).toMatchObject({ kind: 'header', source: address });
    }),
  );
});
