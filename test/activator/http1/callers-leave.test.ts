import { connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { silentLog } from '#lib/log.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { listening } from '#test/listening.ts';
import { call, makeModel, makeRevision } from '../harness.ts';
import { useHarness } from '../use-harness.ts';

const PATH = '/models/default/digits/x';
const REQUEST = `GET ${PATH} HTTP/1.1\r\nHost: h\r\n\r\n`;
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone';
/** More than an instance is given to notice that its caller left. */
const LONG_ENOUGH_MS = 1000;

const clock = createFakeClock();
const harness = useHarness({}, {}, silentLog, clock);

/** How many wait, as the metrics say. */
async function queued(): Promise<string | undefined> {
  return /^rouse_queue_depth\{.*\} (\d+)$/m.exec(await harness.scrape())?.[1];
}

/**
 * An instance of concurrency 1 that has a request and leaves its connection open, of which the caller has left, and
 * another caller who waits.
 */
async function leaveInTheMiddle() {
  const first = Promise.withResolvers<Socket>();
  let count = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    count += 1;
    const isFirst = count === 1;
    harness.teardown(() => socket.destroy());
    socket.once('data', () => (isFirst ? first.resolve(socket) : socket.end(ANSWER)));
  });
  const port = await listening(server);
  harness.teardown(() => server.close());
  await harness.publish(makeModel({ revisions: [makeRevision({ concurrency: 1 })] }), port);
  const leaver = connect(harness.port, '127.0.0.1', () => leaver.write(REQUEST));
  harness.teardown(() => leaver.destroy());
  const busy = await first.promise;
  const next = call(harness.port, PATH);
  await expect.poll(queued).toBe('1');
  leaver.destroy();
  await expect.poll(() => harness.scrape()).toMatch(/^rouse_requests_total\{.*code="499".*\} 1$/m);
  return { busy, next };
}

test('the next request is sent when the instance has seen that the last caller left', async () => {
  const { busy, next } = await leaveInTheMiddle();
  expect(await queued()).toBe('1');
  busy.end();
  expect(await next).toMatchObject({ status: 200, body: 'done' });
});

test('an instance that does not look keeps the next one waiting for a moment only', async () => {
  const { busy, next } = await leaveInTheMiddle();
  clock.advance(LONG_ENOUGH_MS);
  expect(await next).toMatchObject({ status: 200, body: 'done' });
  expect(busy.writable).toBe(true);
});
