import { once } from 'node:events';
import type { Socket } from 'node:net';
import { beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '#lib/clock.ts';
import { silentLog } from '#lib/log.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { until } from '#test/until.ts';
import { call, makeInstance, makeModel } from '../harness.ts';
import { useHarness } from '../use-harness.ts';

/** Time that the tests make pass: a connection that waits for its instance is closed after a second and a half. */
const clock = createFakeClock(systemClock.now());
const harness = useHarness({}, {}, silentLog, clock);

const PATH = '/models/default/digits/';

/** An instance that counts: callers' connections, and what came on them. */
let port: number;
let connections: Socket[];
let requests: number;

beforeEach(async () => {
  requests = 0;
  connections = [];
  const started = await harness.startInstance((_, response) => {
    requests += 1;
    response.end('awake');
  });
  started.server.on('connection', (socket) => connections.push(socket));
  port = started.port;
  harness.publisher.update({
    models: [makeModel()],
    instances: [makeInstance(port, { state: 'parked' })],
  });
  await harness.activator.ready;
});

describe('a parked instance', () => {
  test('gets a connection when it is woken, and a request only when it is ready', async () => {
    const answer = call(harness.port, PATH);
    await harness.report('wake');
    await until('a connection', () => connections.length === 1);
    await harness.untilQueued(1);
    expect(requests).toBe(0);
    clock.advance(100);
    harness.publisher.update({ instances: [makeInstance(port)] });
    expect(await answer).toMatchObject({ status: 200, body: 'awake' });
    expect(connections).toHaveLength(1);
    expect((await answer).headers['rouse-cold-start']).toBe('true');
  });

  test('that closed this connection meanwhile gets another', async () => {
    const answer = call(harness.port, PATH);
    await until('a connection', () => connections.length === 1);
    connections[0]?.destroy();
    await harness.untilQueued(1);
    harness.publisher.update({ instances: [makeInstance(port)] });
    expect(await answer).toMatchObject({ status: 200, body: 'awake' });
    expect(connections).toHaveLength(2);
  });

  test('that goes for good takes its connection along; who waits is served by another', async () => {
    const answer = call(harness.port, PATH);
    await until('a connection', () => connections.length === 1);
    const closed = once(connections[0]!, 'close');
    harness.publisher.update({ removedInstances: [`instance-${port}`] });
    await closed;
    const other = await harness.startInstance((_, response) => response.end('another'));
    harness.publisher.update({ instances: [makeInstance(other.port)] });
    expect(await answer).toMatchObject({ status: 200, body: 'another' });
    expect(requests).toBe(0);
  });

  test('is parked again, and woken again', async () => {
    for (let round = 0; round < 3; round += 1) {
      const answer = call(harness.port, PATH);
      await harness.report('wake', () => harness.reports.length > 0);
      harness.publisher.update({ instances: [makeInstance(port)] });
      expect(await answer).toMatchObject({ status: 200 });
      harness.reports.length = 0;
      harness.publisher.update({ instances: [makeInstance(port, { state: 'draining' })] });
      await harness.report('drained');
      harness.reports.length = 0;
      harness.publisher.update({
        removedInstances: [`instance-${port}`],
        instances: [makeInstance(port, { state: 'parked' })],
      });
      await until('it is parked', async () => (await statusOf()) === 'parked');
    }
    expect(requests).toBe(3);
  });
});

describe('an instance that dozes', () => {
  beforeEach(() => {
    harness.publisher.update({ instances: [makeInstance(port, { state: 'dozing' })] });
  });

  test('is sent a request before control has said anything, and control hears which one it is', async () => {
    expect(await statusOf()).toBe('parked');
    const answer = await call(harness.port, PATH);
    expect(answer).toMatchObject({ status: 200, body: 'awake' });
    expect(answer.headers['rouse-cold-start']).toBe('true');
    expect(answer.headers['server-timing']).toMatch(
      /^queue;dur=.*start;dur=0.00, load;dur=0.00, infer;/,
    );
    const id = `instance-${port}`;
    expect(await harness.report('wake')).toMatchObject({ instance: id, queued: 0, inFlight: 1 });
    expect(await harness.gauge('rouse_cold_requests_total')).toBe(1);
    expect(await statusOf()).toBe('awake');
    harness.publisher.update({ instances: [makeInstance(port)] });
    await until('control is heard', async () => {
      const { headers } = await call(harness.port, PATH);
      return headers['rouse-cold-start'] === 'false';
    });
  });

  test('is sent a request that does not want to be held', async () => {
    const answer = await call(harness.port, PATH, { headers: { 'rouse-hold': '0s' } });
    expect(answer).toMatchObject({ status: 200, body: 'awake' });
  });

  test('that has died meanwhile gets nothing; who asked is served by another', async () => {
    harness.publisher.update({
      removedInstances: [`instance-${port}`],
      instances: [makeInstance(1, { state: 'dozing' })],
    });
    await until('it is known', async () => (await statusOf()) === 'parked');
    const answer = call(harness.port, PATH);
    await harness.report('wake', ({ instance }) => instance === undefined);
    harness.publisher.update({
      removedInstances: ['instance-1'],
      instances: [makeInstance(port, { state: 'ready' })],
    });
    expect(await answer).toMatchObject({ status: 200, body: 'awake' });
    expect(requests).toBe(1);
  });

  test.each([
    ['GET', 'is sent again, to another', 200],
    ['POST', 'is refused, since it may have run', 502],
  ])('ends in the place of going on: a %s %s', async (method, _, status) => {
    const frozen = await harness.startBareInstance((socket) => {
      socket.once('data', () => {
        frozen.server.close();
        socket.destroy();
      });
    });
    const id = `instance-${frozen.port}`;
    harness.publisher.update({
      removedInstances: [`instance-${port}`],
      instances: [makeInstance(frozen.port, { state: 'dozing' })],
    });
    const answer = call(harness.port, PATH, { method });
    await harness.report('wake', ({ instance }) => instance === id);
    if (status === 200) await harness.report('wake', ({ queued }) => queued === 1);
    else expect(await answer).toMatchObject({ status });
    harness.publisher.update({ removedInstances: [id], instances: [makeInstance(port)] });
    expect((await answer).status).toBe(status);
    expect(requests).toBe(status === 200 ? 1 : 0);
  });

  test('and is parked for good is let go of, and asked for', async () => {
    harness.publisher.update({ instances: [makeInstance(port, { state: 'parked' })] });
    expect(await harness.report('closed')).toMatchObject({ instance: `instance-${port}` });
    const answer = call(harness.port, PATH);
    const { instance } = await harness.report('wake');
    expect(instance).toBeUndefined();
    harness.publisher.update({ instances: [makeInstance(port)] });
    expect(await answer).toMatchObject({ status: 200 });
  });
});

async function statusOf(): Promise<string> {
  const { body } = await call(harness.port, PATH, { headers: { 'rouse-status': 'true' } });
  return (JSON.parse(body) as { state: string }).state;
}
