import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { silentLog } from '#lib/log.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { listening } from '#test/listening.ts';
import { call, makeInstance, makeModel, makeRevision } from '../harness.ts';
import { useHarness } from '../use-harness.ts';

const PATH = '/models/default/digits/x';
const REQUEST = `GET ${PATH} HTTP/1.1\r\nHost: h\r\n\r\n`;
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone';
/** More than an instance is given to end an answer that nobody reads. */
const LONG_ENOUGH_MS = 1000;
const RUN_MS = 60_000;
const TIMEOUTS = { hold: RUN_MS * 2, run: RUN_MS, idle: 0, drain: 0 };

const clock = createFakeClock();
const harness = useHarness({}, {}, silentLog, clock);

/** How many wait, as the metrics say. */
async function queued(): Promise<string | undefined> {
  return /^rouse_queue_depth\{.*\} (\d+)$/m.exec(await harness.scrape())?.[1];
}

/**
 * An instance of concurrency 1 that has a request, has `said` something, and leaves its connection open, of which the
 * caller has left, and another caller who waits.
 */
async function leaveInTheMiddle(said = '') {
  const first = Promise.withResolvers<Socket>();
  let count = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    count += 1;
    const isFirst = count === 1;
    harness.teardown(() => socket.destroy());
    socket.on('error', () => undefined);
    socket.once('data', () => (isFirst ? first.resolve(socket) : socket.end(ANSWER)));
  });
  const port = await listening(server);
  harness.teardown(() => server.close());
  const limits = { concurrency: 1, timeouts: TIMEOUTS };
  await harness.publish(makeModel({ revisions: [makeRevision(limits)] }), port);
  const leaver = connect(harness.port, '127.0.0.1', () => leaver.write(REQUEST));
  harness.teardown(() => leaver.destroy());
  const busy = await first.promise;
  if (said !== '') {
    busy.write(said);
    await once(leaver, 'data');
  }
  const next = call(harness.port, PATH);
  await expect.poll(queued).toBe('1');
  leaver.destroy();
  const code = said.startsWith('HTTP/1.1 200') ? '200' : '499';
  await expect
    .poll(() => harness.scrape())
    .toMatch(new RegExp(`^rouse_requests_total\\{.*code="${code}".*\\} 1$`, 'm'));
  await expect.poll(() => busy.readableEnded).toBe(true);
  return { busy, next };
}

test('the next request is sent when the instance has ended what its last caller left', async () => {
  const { busy, next } = await leaveInTheMiddle();
  clock.advance(LONG_ENOUGH_MS);
  expect(await queued(), 'it still computes').toBe('1');
  busy.end();
  expect(await next).toMatchObject({ status: 200, body: 'done' });
});

test('or when it has answered, though it leaves the connection open', async () => {
  const { busy, next } = await leaveInTheMiddle();
  busy.write(ANSWER);
  const clocking = setInterval(() => clock.advance(LONG_ENOUGH_MS / 100), 5);
  harness.teardown(() => clearInterval(clocking));
  expect(await next).toMatchObject({ status: 200, body: 'done' });
});

test('a sign of life is no answer', async () => {
  const { busy, next } = await leaveInTheMiddle('HTTP/1.1 102 Processing\r\n\r\n');
  for (const part of ['HTTP/1.1 103 Early Hints\r\n', 'Link: </a>\r\n\r\n']) {
    busy.write(part);
    // Turns of the loop, in which it comes.
    for (let turn = 0; turn < 20; turn += 1) {
      clock.advance(LONG_ENOUGH_MS / 10);
      expect(await queued()).toBe('1');
    }
  }
  busy.end();
  expect(await next).toMatchObject({ status: 200, body: 'done' });
});

test('or when it had as long as a request may run', async () => {
  const { busy, next } = await leaveInTheMiddle();
  clock.advance(RUN_MS);
  expect(await next).toMatchObject({ status: 200, body: 'done' });
  expect(busy.writable).toBe(true);
});

test('an answer without end that nobody reads keeps the next one waiting for a moment only', async () => {
  const { busy, next } = await leaveInTheMiddle('HTTP/1.1 200 OK\r\n\r\nbegun');
  clock.advance(LONG_ENOUGH_MS);
  expect(await next).toMatchObject({ status: 200, body: 'done' });
  expect(busy.writable).toBe(true);
});

/** An instance that says nothing. `ask`: one more request of it; `leave`: the instance has seen that its caller left. */
async function startMute() {
  const asked: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    harness.teardown(() => socket.destroy());
    socket.once('data', () => asked.push(socket));
  });
  const port = await listening(server);
  harness.teardown(() => server.close());
  const limits = { concurrency: 1, timeouts: TIMEOUTS };
  await harness.publish(makeModel({ revisions: [makeRevision(limits)] }), port);

  async function ask() {
    const caller = connect(harness.port, '127.0.0.1', () => caller.write(REQUEST));
    await expect.poll(() => asked.length).toBe(1);
    const [socket] = asked.splice(0);
    return {
      leave: async (): Promise<void> => {
        caller.destroy();
        await expect.poll(() => socket?.readableEnded).toBe(true);
      },
    };
  }

  return { ask, instance: makeInstance(port) };
}

async function inFlight(): Promise<string | undefined> {
  return /^rouse_requests_in_flight\{.*\} (\d+)$/m.exec(await harness.scrape())?.[1];
}

test('an instance that is to go waits for nobody who has left', async () => {
  const { ask, instance } = await startMute();
  await (await ask()).leave();
  expect(await inFlight()).toBe('1');
  harness.publisher.update({ instances: [{ ...instance, state: 'draining' }] });
  await harness.report('drained');
  expect(await inFlight()).toBe('0');
});

test('nor does one that goes when its caller leaves after that', async () => {
  const { ask, instance } = await startMute();
  const { leave } = await ask();
  harness.publisher.update({ instances: [{ ...instance, state: 'draining' }] });
  await leave();
  await harness.report('drained');
  expect(await inFlight()).toBe('0');
});

test('what was given up at an instance that is gone does not count for ever', async () => {
  const { ask, instance } = await startMute();
  const { leave } = await ask();
  harness.publisher.update({ removedInstances: [instance.id] });
  await leave();
  await expect.poll(inFlight).toBe('0');
});

test('an instance that never answers those who leave hangs, as one that never answers those who stay', async () => {
  const { ask } = await startMute();
  for (let count = 0; count < 3; count += 1) {
    await (await ask()).leave();
    expect(harness.reports.filter(({ type }) => type === 'suspect')).toEqual([]);
    clock.advance(RUN_MS);
    await expect.poll(inFlight).toBe('0');
  }
  expect(await harness.report('suspect')).toMatchObject({ hangs: true });
});

test('where no number limits what it takes, its connection is kept for a moment only', async () => {
  const asked = Promise.withResolvers<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    harness.teardown(() => socket.destroy());
    socket.once('data', () => asked.resolve(socket));
  });
  const port = await listening(server);
  harness.teardown(() => server.close());
  await harness.publish(makeModel({ revisions: [makeRevision({ concurrency: 0 })] }), port);
  const leaver = connect(harness.port, '127.0.0.1', () => leaver.write(REQUEST));
  const busy = await asked.promise;
  leaver.destroy();
  await expect.poll(() => busy.readableEnded).toBe(true);
  clock.advance(LONG_ENOUGH_MS);
  const reset = once(busy, 'error');
  const writing = setInterval(() => busy.write('x'), 5);
  harness.teardown(() => clearInterval(writing));
  await reset;
});
