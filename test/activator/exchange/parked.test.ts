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

async function statusOf(): Promise<string> {
  const { body } = await call(harness.port, PATH, { headers: { 'rouse-status': 'true' } });
  return (JSON.parse(body) as { state: string }).state;
}
