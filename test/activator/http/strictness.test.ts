import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dial, type Harness, makeInstance, makeModel, startHarness } from '../harness.ts';
import { ACCEPTED, LIMITS, P, REFUSED, type Seen } from './strictness-table.ts';

/** What the instance saw, by llhttp: the sequence of requests that our bytes mean to somebody else. */
const seen: Seen[] = [];
let harness: Harness;
const server = createServer((incoming, response) => {
  const pieces: Buffer[] = [];
  incoming.on('data', (piece: Buffer) => pieces.push(piece));
  incoming.on('end', () => {
    seen.push({
      method: incoming.method ?? '',
      url: incoming.url ?? '',
      body: Buffer.concat(pieces).toString('latin1'),
      headers: incoming.headers,
    });
    response.end('ok');
  });
});

beforeAll(async () => {
  harness = await startHarness(LIMITS);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  harness.publisher.update({
    models: [makeModel()],
    instances: [makeInstance((server.address() as AddressInfo).port)],
  });
  await harness.activator.ready;
});

afterAll(async () => {
  await harness.close();
  server.closeAllConnections();
  server.close();
});

test.each(REFUSED)('refused: %s', async (_, input, status) => {
  seen.length = 0;
  const client = await dial(harness.port);
  // Whatever follows on the connection must not become a request of its own.
  client.socket.write(Buffer.from(input, 'latin1'));
  client.socket.write(`GET ${P}/smuggled HTTP/1.1\r\nHost: h\r\n\r\n`);
  const text = await client.closed;
  expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(text.match(/HTTP\/1\.1 \d{3} /g)).toHaveLength(1);
  expect(seen.map((request) => request.url)).not.toContain('/smuggled');
  const body: unknown = JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4));
  expect(body).toMatchObject({ status });
});

const ONCE = [
  'Authorization',
  'Rouse-Hold',
  'Rouse-Model',
  'Rouse-Priority',
  'Rouse-Request-Id',
  'Rouse-Revision',
  'Rouse-Status',
];

test.each(ONCE)('refused by its name: a second %s, whatever the first says', async (name) => {
  const right = name === 'Rouse-Hold' ? '5s' : name === 'Rouse-Priority' ? 'low' : 'digits';
  for (const first of ['', right]) {
    seen.length = 0;
    const client = await dial(harness.port);
    const fields = `${name}: ${first}\r\n${name.toLowerCase()}: ${right}\r\n`;
    client.socket.write(`POST ${P}/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${fields}\r\n`);
    const text = await client.closed;
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(text).toContain(`more than one ${name} header`);
    expect(seen).toEqual([]);
  }
});

const CHUNKED = `POST ${P}/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n`;

test.each([
  ['\xc3\xa9', 'not ASCII; write it as %XX'],
  ['\xa0', 'not ASCII; write it as %XX'],
  ['a b', 'a space; write it as %20'],
  ['a#b', 'a #; write it as %23'],
  ['a HTTP/1.1', 'a space; write it as %20'],
  ['a\x01', 'request line is malformed'],
])('a target with %j is told what would be right', async (path, said) => {
  const client = await dial(harness.port);
  client.socket.write(Buffer.from(`GET ${P}/${path} HTTP/1.1\r\nHost: h\r\n\r\n`, 'latin1'));
  const text = await client.closed;
  expect(text).toMatch(/^HTTP\/1\.1 400 /);
  expect(text).toContain(said);
});

test.each(['GET  / HTTP/1.1', 'GET / HTTP/1.1 ', 'GET / ', 'GET /a b', ' / HTTP/1.1'])(
  'the line %j is only malformed',
  async (line) => {
    const client = await dial(harness.port);
    client.socket.write(`${line}\r\nHost: h\r\n\r\n`);
    expect(await client.closed).toContain('request line is malformed');
  },
);

test.each([
  ['Rouse-Model: x\r\n', 'A trailer may not be \\"rouse-model\\"'],
  ['X: 1\r\nAUTHORIZATION: x\r\n', 'A trailer may not be \\"authorization\\"'],
  ['no colon\r\n', 'trailer section is malformed'],
])('the trailers %j are told what is wrong', async (trailers, said) => {
  const client = await dial(harness.port);
  client.socket.write(`${CHUNKED}0\r\n${trailers}\r\n`);
  const text = await client.closed;
  expect(text).toMatch(/^HTTP\/1\.1 400 /);
  expect(text).toContain(said);
});

test.each(ACCEPTED)('accepted: %s, whole and byte by byte', async (_, input, expected) => {
  const bytes = Buffer.from(input, 'latin1');
  for (const size of [bytes.length, 1]) {
    seen.length = 0;
    const client = await dial(harness.port);
    client.socket.setNoDelay(true);
    for (let i = 0; i < bytes.length; i += size) client.socket.write(bytes.subarray(i, i + size));
    await client.until(new RegExp(`(HTTP/1\\.1 200 [^]*){${expected.length}}`));
    client.socket.destroy();
    expect(seen).toMatchObject(expected);
    expect(seen).toHaveLength(expected.length);
  }
});
