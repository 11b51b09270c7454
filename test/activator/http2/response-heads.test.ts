import { once } from 'node:events';
import { connect } from 'node:http2';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Harness, makeInstance, makeModel, startHarness, startInstance } from '../harness.ts';
import { ask } from './client.ts';

/** Heads that instances send by HTTP/1.1, as large as these may be, on their way to callers of HTTP/2. */

let harness: Harness;
let instance: Awaited<ReturnType<typeof startInstance>>;
let fields: Record<string, string>;

beforeEach(async () => {
  harness = await startHarness();
  instance = await startInstance((incoming, response) => {
    if (incoming.url === '/large') response.writeHead(200, fields);
    response.end('body');
  });
  harness.publisher.update({ models: [makeModel()], instances: [makeInstance(instance.port)] });
  await harness.activator.ready;
});

afterEach(async () => {
  await harness.close();
  await instance.close();
});

/** Nearly as many fields as a head may have, together just below 64 KiB. */
const MANY = Object.fromEntries(
  Array.from({ length: 120 }, (_, i) => [`x-${100 + i}`, 'v'.repeat(530)]),
);

test.each([
  ['one large field', { 'x-large': 'v'.repeat(65_000) }],
  ['many fields', MANY],
])('a head of %s passes whole, beside others', async (_, given) => {
  fields = given;
  const session = connect(`http://127.0.0.1:${harness.port}`, {
    settings: { maxHeaderListSize: 256 * 1024 },
  });
  await once(session, 'connect');
  const [large, small] = await Promise.all(
    ['large', 'small'].map((path) => ask(session, { ':path': `/models/default/digits/${path}` })),
  );
  expect(small).toMatchObject({ status: 200, body: 'body', reset: 0 });
  expect(large).toMatchObject({ status: 200, body: 'body', reset: 0 });
  for (const [name, value] of Object.entries(given)) expect(large?.headers[name]).toBe(value);
  session.destroy();
});
