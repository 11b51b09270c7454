import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RequestHead } from '#activator/http/request-head.ts';
import { ResponseHead } from '#activator/http/response-head.ts';
import { readTrailers } from '#activator/http2/fields.ts';
import {
  formatTimeout,
  isGrpcType,
  makeStatusFields,
  parseTimeout,
} from '#activator/http2/grpc.ts';
import { readRequest } from '#activator/downstream/read-request.ts';
import { readResponse } from '#activator/upstream/read-response.ts';

/** What nghttp2 keeps away from this code is refused by it none the less. */

const LIMIT = 64 * 1024;
const LINE = [':method', 'GET', ':scheme', 'http', ':authority', 'h', ':path', '/x'];

function read(raw: readonly string[], ended = true) {
  const head = new RequestHead();
  return { refusal: readRequest(head, raw, ended, LIMIT), head };
}

function namesOf({ fields }: RequestHead): string[] {
  return Array.from({ length: fields.count }, (_, i) =>
    fields.text.slice(fields.at[i * 4], fields.at[i * 4 + 1]),
  );
}

describe('a request', () => {
  test.each([
    ['x', 'a\r\nhost: evil'],
    ['x', 'a\nb'],
    ['x', 'a\rb'],
    ['x', 'a\0b'],
    ['x', ' a'],
    ['x', 'a\t'],
    ['x', '\u0100'],
    ['x\r\ny', 'a'],
    ['x:', 'a'],
    ['x y', 'a'],
    ['X', 'a'],
    ['', 'a'],
    ['connection', 'close'],
    ['transfer-encoding', 'chunked'],
    ['te', 'gzip'],
    ['content-length', '5'],
  ])('refused: %j: %j', (name, value) => {
    expect(read([...LINE, name, value]).refusal).toMatchObject({ status: 400 });
  });

  test.each([
    [':path', '/ HTTP/1.1\r\nhost: evil\r\n\r\nGET /'],
    [':path', 'http://evil/'],
    [':path', '/a b'],
    [':authority', 'h\r\nx: y'],
    [':authority', 'user@h'],
    [':method', 'GET /a HTTP/1.1\r\nx:'],
    [':scheme', 'ftp'],
  ])('refused: %s of %j', (name, value) => {
    const raw = LINE.with(LINE.indexOf(name) + 1, value);
    expect(read(raw).refusal?.status).toBeGreaterThanOrEqual(400);
  });

  test('a body without a length is chunked on its way, cookies are one field', () => {
    const { head, refusal } = read([...LINE, 'cookie', 'a=1', 'x', '1', 'cookie', 'b=2'], false);
    expect(refusal).toBeUndefined();
    expect(head.chunked).toBe(true);
    expect(head.fields.find('cookie')).toBe('a=1; b=2');
    expect(read([...LINE, 'content-length', '5'], false).head.chunked).toBe(false);
  });

  test('whatever is accepted has the fields that were sent, and no others', () => {
    const value = fc.string({ unit: 'binary-ascii', maxLength: 12 });
    const name = fc.oneof(
      value,
      fc.constantFrom('x', 'te', 'host', 'content-length', 'x:', ':path'),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, value), { maxLength: 6 }),
        fc.boolean(),
        (fields, ended) => {
          const { head, refusal } = read([...LINE, ...fields.flat()], ended);
          if (refusal) return;
          const sent = fields
            .map(([each]) => each)
            .filter((each) => each !== 'host' && each !== 'cookie');
          const ours = new Set(['host', 'transfer-encoding', 'cookie']);
          expect(namesOf(head).filter((each) => !ours.has(each))).toEqual(sent);
          expect([head.method, head.target, head.host]).toEqual(['GET', '/x', 'h']);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('a response', () => {
  test.each([
    [[':status', '200', 'x', 'a\r\ny: b']],
    [[':status', '20']],
    [[':status', '200', ':path', '/']],
    [['x', 'a']],
    [[':status', '200', 'connection', 'close']],
  ])('not understood: %j', (raw) => {
    expect(readResponse(new ResponseHead(), raw, false, 'GET')).toBe(false);
  });

  test('one that ends with its head has no body', () => {
    const head = new ResponseHead();
    expect(readResponse(head, [':status', '200', 'grpc-status', '5'], true, 'POST')).toBe(true);
    expect(head.hasBody('POST')).toBe(false);
  });

  test('trailers that frame are refused', () => {
    expect(readTrailers(['grpc-status', '0'])).toBe('grpc-status: 0\r\n');
    for (const raw of [
      ['host', 'h'],
      [':path', '/'],
      ['x', 'a\nb'],
    ]) {
      expect(readTrailers(raw)).toMatchObject({ detail: 'The trailer section is malformed.' });
    }
    for (const name of ['content-length', 'rouse-model']) {
      const detail = expect.stringContaining(`A trailer may not be "${name}"`);
      expect(readTrailers([name, '1'])).toMatchObject({ detail });
    }
  });
});

describe('gRPC', () => {
  test('timeouts', () => {
    expect(['', '5S', '250m', '1H', '2M', '5000u', '99999999n'].map(parseTimeout)).toEqual([
      Infinity,
      5000,
      250,
      3_600_000,
      120_000,
      5,
      99.999999,
    ]);
    for (const bad of ['5', 'S', '-1S', '1 S', '123456789m', '1s'])
      expect(parseTimeout(bad)).toBeNaN();
    expect([-5, 0.2, 1500, 99_999_999, 1e9].map(formatTimeout)).toEqual([
      '1m',
      '1m',
      '1500m',
      '99999999m',
      '1000000S',
    ]);
  });

  test('messages and types', () => {
    const type = ['content-type', 'application/grpc'];
    const told = ['grpc-status', '14', 'grpc-message', '100 %25 %C3%A9%0D%0A'];
    const extra = ['retry-after', '2', 'rouse-revision', 'v1'];
    const added = ['grpc-retry-pushback-ms', '2000', 'rouse-revision', 'v1'];
    expect(makeStatusFields(14, '100 % é\r\n', extra)).toEqual([...type, ...told, ...added]);
    const types = [
      'application/grpc',
      'application/grpc+proto',
      'Application/gRPC;x',
      'application/grpc-web',
    ];
    expect(types.map(isGrpcType)).toEqual([true, true, true, false]);
  });
});
