import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { CLOSING_MS } from '#activator/plane.ts';
import { listening } from '#test/listening.ts';
import { call, dial, makeInstance, makeModel, makeRevision, startStill } from '../harness.ts';
import { useHarness } from '../use-harness.ts';

const PATH = '/models/default/digits/x';
const REQUEST = `GET ${PATH} HTTP/1.1\r\nHost: h\r\n\r\n`;
/** More than any of these tests needs: what is not over by itself fails by the time limit of the test. */
const GRACE_MS = 600_000;

const harness = useHarness();

/** An instance that answers when it is told to, and at once after that. */
async function serve() {
  const released = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  const instance = await harness.startInstance((_incoming, outgoing) => {
    arrived.resolve();
    void released.promise.then(() => outgoing.end('done'));
  });
  await harness.publish(makeModel(), instance.port);
  return { arrived: arrived.promise, release: () => released.resolve() };
}

describe('a data plane that closes', () => {
  test('finishes what runs, and takes no new connection', async () => {
    const instance = await serve();
    const answer = call(harness.port, PATH);
    await instance.arrived;
    const closed = harness.activator.close(GRACE_MS);
    await expect
      .poll(() =>
        dial(harness.port).then(
          () => 'taken',
          () => 'refused',
        ),
      )
      .toBe('refused');
    instance.release();
    expect(await answer).toMatchObject({
      status: 200,
      body: 'done',
      headers: { connection: 'close' },
    });
    await closed;
  });

  test('cuts what has not ended in time, at the instance as well', async () => {
    const asked = Promise.withResolvers<Socket>();
    const mute = createServer((socket) => {
      harness.teardown(() => socket.destroy());
      socket.on('error', () => undefined);
      socket.once('data', () => asked.resolve(socket));
    });
    const port = await listening(mute);
    harness.teardown(() => mute.close());
    await harness.publish(makeModel(), port);
    const answer = call(harness.port, PATH).catch(() => 'cut');
    const socket = await asked.promise;
    await harness.activator.close(0);
    expect(await answer).toBe('cut');
    await expect.poll(() => socket.destroyed).toBe(true);
  });

  test('answers connections that nobody had looked at yet', async () => {
    const { release } = await serve();
    release();
    const callers = Array.from({ length: 50 }, () => {
      const socket = connect(harness.port, '127.0.0.1');
      socket.write(REQUEST);
      harness.teardown(() => socket.destroy());
      return once(socket, 'data').then(([data]) => String(data));
    });
    // Now they are connected, and the loop has not turned.
    await new Promise<void>((next) => process.nextTick(next));
    const closed = harness.activator.close(GRACE_MS);
    for (const answer of await Promise.all(callers)) expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    await closed;
  });

  test('answers what was sent ahead, and then ends the connection', async () => {
    const instance = await serve();
    const caller = await dial(harness.port);
    caller.socket.write(REQUEST + REQUEST + REQUEST);
    await instance.arrived;
    const closed = harness.activator.close(GRACE_MS);
    instance.release();
    const text = await caller.closed;
    caller.socket.end();
    expect(text.match(/HTTP\/1\.1 200 /g)).toHaveLength(3);
    expect(text.match(/Connection: close/g)).toHaveLength(1);
    expect(text.lastIndexOf('Connection: close')).toBeGreaterThan(text.lastIndexOf('HTTP/1.1'));
    await closed;
  });

  test('serves who waits for an instance, when one comes', async () => {
    await harness.publish();
    const answer = call(harness.port, PATH);
    await harness.report('wake');
    const closed = harness.activator.close(GRACE_MS);
    const instance = await harness.startInstance((_incoming, outgoing) => outgoing.end('late'));
    harness.publisher.update({ instances: [makeInstance(instance.port)] });
    expect(await answer).toMatchObject({ status: 200, body: 'late' });
    await closed;
  });

  test('answers a request that comes on an idle connection just then', async () => {
    const still = await startStill();
    harness.teardown(() => still.close());
    const instance = await harness.startInstance((_incoming, outgoing) => outgoing.end('done'));
    still.publisher.update({ models: [makeModel()], instances: [makeInstance(instance.port)] });
    await still.activator.ready;
    const caller = await dial(still.port);
    caller.socket.write(REQUEST);
    await caller.until(/done/);
    const closed = still.activator.close(GRACE_MS);
    still.clock.advance(CLOSING_MS - 1);
    caller.socket.write(REQUEST);
    expect(await caller.closed).toMatch(/done.*Connection: close.*done/s);
    caller.socket.end();
    await closed;
  });

  test('answers what came while its process stood still for longer than an idle connection is given', async () => {
    const { release } = await serve();
    release();
    const caller = await dial(harness.port);
    // Answered after that has been accepted.
    await call(harness.port, '/healthz');
    const closed = harness.activator.close(GRACE_MS);
    caller.socket.write(REQUEST);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, CLOSING_MS + 200);
    expect(await caller.closed).toMatch(/Connection: close.*done/s);
    caller.socket.end();
    await closed;
  });

  test('ends connections on which nothing comes', async () => {
    const { release } = await serve();
    release();
    const used = await dial(harness.port);
    used.socket.write(REQUEST);
    await used.until(/done/);
    const unused = await dial(harness.port);
    const closed = harness.activator.close(GRACE_MS);
    await Promise.all([used.closed, unused.closed]);
    used.socket.end();
    unused.socket.end();
    await closed;
  });

  test('cuts what is left when the time is over', async () => {
    const instance = await serve();
    const caller = await dial(harness.port);
    caller.socket.write(REQUEST);
    await instance.arrived;
    await harness.activator.close(0);
    expect(await caller.closed).toBe('');
    caller.socket.destroy();
  });
});

describe('an instance that takes requests and answers none', () => {
  const run = 200;
  const timeouts = { hold: 60_000, run, idle: 0, drain: 30_000 };

  test('is reported after three in a row, and not for a slow one among others', async () => {
    const still = await startStill();
    harness.teardown(() => still.close());
    let hangs = true;
    const instance = await harness.startInstance((_incoming, outgoing) => {
      if (hangs) still.clock.advance(run + 100);
      else outgoing.end('well');
    });
    const models = [makeModel({ revisions: [makeRevision({ timeouts, concurrency: 1 })] })];
    still.publisher.update({ models, instances: [makeInstance(instance.port)] });
    await still.activator.ready;
    const ask = async (): Promise<number> => (await call(still.port, PATH)).status;

    expect([await ask(), await ask()]).toEqual([504, 504]);
    hangs = false;
    expect(await ask()).toBe(200);
    hangs = true;
    expect([await ask(), await ask()]).toEqual([504, 504]);
    expect(still.reports.filter(({ type }) => type === 'suspect')).toEqual([]);
    expect(await ask()).toBe(504);
    const report = await still.report('suspect');
    expect(report).toMatchObject({ instance: `instance-${instance.port}`, hangs: true });
    expect(report.reason).toContain('200ms');
  });
});
