import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type Activator, createActivator } from '#activator/activator.ts';
import { createStreamClient, createStreamHost } from '#bus/stream.ts';
import type { RoutingInstance } from '#domain/routing.ts';
import { systemClock } from '#lib/clock.ts';
import { silentLog } from '#lib/log.ts';
import {
  call,
  LIMITS,
  makeInstance,
  makeModel,
  makeRevision,
  startInstance,
} from '#test/activator/harness.ts';
import { type LeaseControl, startLeaseControl } from './lease-control.ts';

/** All processor time, of one core: half a minute where several share it. */
const REQUESTS = 10_000;
const CALLERS = 24;
const PLANES = ['one', 'two'];
/** Of the event loop, for each request: time enough for another to come in, if it may. */
const TURNS = 5;

async function afterTurns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

async function startActivator(path: string, dataPlane: string): Promise<Activator> {
  const client = createStreamClient({ connect: { path }, clock: systemClock, random: () => 0 });
  const activator = await createActivator({
    host: '127.0.0.1',
    port: 0,
    domain: 'localhost',
    client,
    dataPlane,
    limits: LIMITS,
    clock: systemClock,
    version: '0.0.0',
    roll: Math.random,
    randomHex: (bytes) => randomBytes(bytes).toString('hex'),
    entry: { tls: [], trustedProxies: [], proxyProtocol: false },
    log: silentLog,
  });
  onTestFinished(() => activator.close(0));
  return activator;
}

async function startControl(
  path: string,
  epoch: string,
  instance: RoutingInstance,
): Promise<LeaseControl> {
  return startLeaseControl({
    host: await createStreamHost({ listen: { path }, clock: systemClock }),
    epoch,
    clock: systemClock,
    models: [makeModel({ revisions: [makeRevision({ concurrency: 1 })] })],
    instances: [instance],
    concurrency: 1,
    alive: PLANES,
  });
}

test(`an instance that takes one request gets ${REQUESTS} of two data planes one by one, through a restart of control`, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rouse-leases-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'bus.sock');
  let inside = 0;
  let most = 0;
  let served = 0;
  const server = await startInstance((_, response) => {
    inside += 1;
    most = Math.max(most, inside);
    served += 1;
    void afterTurns(TURNS).then(() => {
      inside -= 1;
      response.end('ok');
    });
  });
  onTestFinished(() => server.close());
  const instance = makeInstance(server.port, { leased: true });
  let control = await startControl(path, 'first', instance);
  onTestFinished(() => control.close());
  const activators = await Promise.all(PLANES.map((id) => startActivator(path, id)));
  await Promise.all(activators.map(({ ready }) => ready));

  const answers: number[] = [];
  let left = REQUESTS;
  async function callOneByOne(port: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (left > 0) {
      left -= 1;
      const { status } = await call(port, '/v2/models/digits/infer', { agent });
      answers.push(status);
    }
    agent.destroy();
  }
  async function restartControl(): Promise<void> {
    while (left > REQUESTS / 2) await afterTurns(1);
    await control.close();
    control = await startControl(path, 'second', instance);
  }
  const callers = Array.from({ length: CALLERS }, (_, at) =>
    // Three times as many at the first.
    callOneByOne(activators[at % 4 === 3 ? 1 : 0]!.port),
  );
  await Promise.all([...callers, restartControl()]);
  expect(most).toBe(1);
  expect(served).toBe(REQUESTS);
  expect(answers).toEqual(answers.map(() => 200));
  expect(answers).toHaveLength(REQUESTS);
}, 180_000);
