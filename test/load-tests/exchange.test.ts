import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { exchange, fieldOf, makeRequest, parseAnswer } from '#load-tests/measure/exchange.ts';
import { parseTiming } from '#load-tests/measure/timing.ts';

test('one answer, with a length or in chunks, of a real server', async () => {
  const server = createServer((request, response) => {
    request.on('data', (part: Buffer) => response.write(part));
    request.on('end', () => response.end(request.method === 'GET' ? 'hello' : ''));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const plain = await exchange({ port }, makeRequest('any', '/'));
    const chunked = await exchange({ port }, makeRequest('any', '/', '{"a":1}'));
    expect([plain.status, plain.body]).toEqual([200, 'hello']);
    expect([chunked.status, chunked.body]).toEqual([200, '7\r\n{"a":1}\r\n0\r\n\r\n']);
  } finally {
    server.close();
  }
});

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nRouse-Cold-Start:  true \r\n\r\n';

test.each([
  ['', false],
  [HEAD.slice(0, -1), false],
  [`${HEAD}ab`, false],
  [`${HEAD}abc`, true],
  ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n', false],
  ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n', true],
])('%j is whole: %s', (text, isWhole) => {
  expect(parseAnswer(text) !== undefined).toBe(isWhole);
});

test('fields of a head, whatever their case', () => {
  expect(fieldOf(HEAD, 'rouse-cold-start')).toBe('true');
  expect(fieldOf(HEAD, 'cold-start')).toBeUndefined();
});

test.each([
  ['queue;dur=1.50, start;dur=2, load;dur=30.25, infer;dur=4', [1.5, 2, 30.25, 4]],
  ['queue;dur=0.11, infer;dur=1.68', [0.11, 0, 0, 1.68]],
  ['', [0, 0, 0, 0]],
])('phases of %j', (value, [queue, start, load, infer]) => {
  expect(parseTiming(value)).toEqual({ queue, start, load, infer });
});
