import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { KEEP_ALIVE_MS } from '#activator/plane.ts';
import { silentLog } from '#lib/log.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';
import { dial, makeInstance, makeModel, startHarness, startInstance } from '../harness.ts';
import { untilStill } from '../until-still.ts';

/** Callers that send requests and do not take the answers. */

const REQUEST = 'GET / HTTP/1.1\r\nHost: nobody.localhost\r\n\r\n';
const TO_MODEL = 'GET /models/default/digits/ HTTP/1.1\r\nHost: h\r\n\r\n';
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const EMPTY_SETTINGS = '\0\0\0\x04\0\0\0\0\0';

const teardown = useTeardown();

test('who sends many requests and reads no answer is not read any more; when it reads, it gets all', async () => {
  const harness = await startHarness();
  teardown(() => harness.close());
  let asked = 0;
  const instance = await startInstance((_, response) => {
    asked += 1;
    response.end(`${'x'.repeat(4000)}!`);
  });
  teardown(() => instance.close());
  harness.publisher.update({ models: [makeModel()], instances: [makeInstance(instance.port)] });
  await harness.activator.ready;
  const many = 5000;
  const client = await dial(harness.port);
  teardown(() => client.socket.destroy());
  client.socket.pause();
  client.socket.write(TO_MODEL.repeat(many));
  await untilStill(
    () => asked,
    () => fetch(`http://127.0.0.1:${harness.port}/v2/health/live`),
  );
  // What fits into the buffers of both sockets.
  expect(asked).toBeLessThan(many / 2);
  // As they come: all of them together are 20 MB.
  let answered = 0;
  client.socket.on('data', (piece: Buffer) => {
    answered += piece.toString('latin1').split('!').length - 1;
  });
  client.socket.resume();
  await until('all answers', () => answered === many);
});

/** More than the buffers of both sockets take: a list of models is one answer, made at once. */
const MODELS = Array.from({ length: 30_000 }, (_, i) =>
  makeModel({ namespace: 'n'.repeat(60), name: `${'m'.repeat(50)}${i}` }),
);

test.each([
  ['late gets all of it', 30_000, true],
  ['not at all is not waited for longer than an idle caller', KEEP_ALIVE_MS + 1000, false],
])('who reads the last answer of a connection %s', async (_, passes, isWhole) => {
  const clock = createFakeClock();
  const harness = await startHarness({}, {}, silentLog, clock);
  teardown(() => harness.close());
  harness.publisher.update({ models: MODELS });
  await harness.activator.ready;
  const client = connect(harness.port, '127.0.0.1');
  teardown(() => client.destroy());
  client.on('error', () => {});
  const ended = once(client, 'close');
  client.write('GET /v1/models HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
  await once(client, 'readable');
  clock.advance(passes);
  const pieces: Buffer[] = [];
  client.on('data', (piece: Buffer) => pieces.push(piece));
  await ended;
  const text = Buffer.concat(pieces).toString('latin1');
  const length = Number(/^Content-Length: (\d+)\r$/m.exec(text)?.[1]);
  expect(length).toBeGreaterThan(6_000_000);
  expect(text.length - text.indexOf('\r\n\r\n') - 4 === length).toBe(isWhole);
});

test('a connection that has had a request does not become HTTP/2', async () => {
  const clock = createFakeClock();
  const harness = await startHarness({}, {}, silentLog, clock);
  teardown(() => harness.close());
  harness.publisher.update({ models: [] });
  await harness.activator.ready;
  const client = await dial(harness.port);
  teardown(() => client.socket.destroy());
  client.socket.write(REQUEST);
  await client.until(/HTTP\/1\.1 404 [^]*\}$/);
  // Long enough for it to forget what it was asked.
  clock.advance(10_000);
  const before = client.text().length;
  client.socket.write(PREFACE + EMPTY_SETTINGS);
  await expect.poll(() => client.text().length).toBeGreaterThan(before);
  expect(client.text().slice(before)).toMatch(/^HTTP\/1\.1 505 /);
});
