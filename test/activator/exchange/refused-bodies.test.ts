import { afterAll, beforeAll, expect, test } from 'vitest';
import { HeldBody } from '#activator/exchange/held-body.ts';
import type { Plane } from '#activator/plane.ts';
import {
  dial,
  type Harness,
  makeInstance,
  makeModel,
  startHarness,
  startInstance,
} from '../harness.ts';

/** Nothing of a body that was refused may reach an instance, nor pass for a request of its own. */

const seen: string[] = [];
let harness: Harness;
let instance: Awaited<ReturnType<typeof startInstance>>;

beforeAll(async () => {
  harness = await startHarness({ heldBytes: 20_000_000 });
  instance = await startInstance((incoming, response) => {
    seen.push(`${incoming.method} ${incoming.url}`);
    incoming.resume();
    incoming.on('end', () => response.end(incoming.url));
  });
  const queue = { requests: 10, bytes: 1000 };
  harness.publisher.update({
    models: [makeModel(), makeModel({ name: 'asleep', queue })],
    instances: [makeInstance(instance.port)],
  });
  await harness.activator.ready;
});

afterAll(async () => {
  await harness.close();
  await instance.close();
});

const EVIL = 'POST /smuggled HTTP/1.1\r\nHost: evil\r\nContent-Length: 5\r\n\r\n';
const OWN = 'GET /models/default/digits/own HTTP/1.1\r\nHost: h\r\n\r\n';

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

test('a body that is too large to find its model in: what follows it in the same read is thrown away', async () => {
  const client = await dial(harness.port);
  client.socket.write(
    'POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n',
  );
  client.socket.write(chunk('a'.repeat(8 * 1024 * 1024 - 100)));
  client.socket.write(`${chunk('b'.repeat(200))}${chunk(EVIL)}0\r\n\r\n${OWN}`);
  const text = await client.closed;
  expect(text).toMatch(/^HTTP\/1\.1 413 /);
  expect(text.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
  const other = await dial(harness.port);
  other.socket.write(OWN);
  await other.until(/\r\n\r\n\/own$/);
  other.socket.destroy();
  expect(seen).toEqual(['GET /own']);
});

test('a held body that passes the byte limit: one refusal, then the end of the connection', async () => {
  seen.length = 0;
  const client = await dial(harness.port);
  client.socket.write(
    'POST /models/default/asleep/ HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\n\r\nab',
  );
  await harness.report('wake');
  client.socket.write(`${'c'.repeat(1998)}${OWN}`);
  const text = await client.closed;
  expect(text).toMatch(/^HTTP\/1\.1 503 [^]*queue_full/);
  expect(text.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
  expect(seen).toEqual([]);
});

test('a body of the smallest pieces is kept in few objects, and whole', () => {
  const plane = { heldBytes: 0, limits: { heldBytes: 1e9 } } as Plane;
  const body = new HeldBody(plane, { callerId: 'a', onCrowded: () => {} });
  const total = 300_000;
  for (let i = 0; i < total; i += 1) body.add(Buffer.from([i % 251]));
  body.add(Buffer.alloc(10_000, 7));
  body.add(Buffer.from('end'));
  expect(body.pieces.length).toBeLessThan(20);
  const whole = Buffer.concat(body.pieces);
  expect(whole.length).toBe(total + 10_003);
  expect(body.bytes).toBe(whole.length);
  for (let i = 0; i < total; i += 997) expect(whole[i]).toBe(i % 251);
  expect(whole.subarray(-3).toString()).toBe('end');
});
