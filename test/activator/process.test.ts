import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createPublisher, type Publisher } from '#bus/publisher.ts';
import { createStreamHost } from '#bus/stream.ts';
import { systemClock } from '#lib/clock.ts';
import { listening } from '#test/listening.ts';
import { until } from '#test/until.ts';
import { call, makeInstance, makeModel } from './harness.ts';

/** A data plane on its own feet: `activator/main.ts`, with the test in control's place. */

const MAIN = resolve(import.meta.dirname, '../../activator/main.ts');
const PATH = '/models/default/digits/';
let folder: string;
let children: ChildProcess[];
let instance: Server;
let publisher: Publisher | undefined;
let held: (() => void)[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rouse-plane-'));
  children = [];
  held = [];
  instance = createServer((request, response) => {
    const answer = (): void => void response.end('served');
    if (request.headers['x-hold'] === undefined) answer();
    else held.push(answer);
  });
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  instance.closeAllConnections();
  instance.close();
  await publisher?.close();
  publisher = undefined;
  await rm(folder, { recursive: true });
});

function run(...args: string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let output = '';
  const first = Promise.withResolvers<string>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      output += `${line}\n`;
      first.resolve(line);
    });
  }
  const ended = once(child, 'close').then(([status]: (number | null)[]) => ({ status, output }));
  return { child, first: first.promise, ended };
}

/** Control's end, new with each call as after a restart. */
async function control(port: number): Promise<void> {
  const listen = { path: join(folder, 'bus') };
  const host = await createStreamHost({ listen, clock: systemClock });
  publisher = createPublisher({ host, epoch: randomUUID(), clock: systemClock });
  publisher.update({ models: [makeModel()], instances: [makeInstance(port)] });
}

async function start() {
  const port = await listening(instance);
  await control(port);
  const bus = join(folder, 'bus');
  const at = '127.0.0.1:0';
  const ran = run('--bus', bus, '--listen', at, '--admin', at, '--name', 'one', '--drain', '20s');
  const [, requests = '', admin = ''] = /requests (\S+) · admin (\S+)$/.exec(await ran.first) ?? [];
  await until('it is ready', async () => (await fetch(`${admin}/readyz`)).ok);
  return { ...ran, instancePort: port, requests: Number(new URL(requests).port), admin };
}

test('it serves, says how it is, and finishes what it has when it is told to end', async () => {
  const { child, requests, admin, ended } = await start();
  expect(await call(requests, PATH)).toMatchObject({ status: 200, body: 'served' });
  expect(await (await fetch(`${admin}/healthz`)).text()).toBe('ok\n');
  expect(await (await fetch(`${admin}/metrics`)).text()).toMatch(
    /^rouse_requests_total\{namespace="default",model="digits",revision="v1",code="200"\} 1$/m,
  );
  expect((await fetch(`${admin}/`)).status).toBe(404);
  const open = call(requests, PATH, { headers: { 'x-hold': 'yes' } });
  await until('the request is there', () => held.length === 1);
  child.kill('SIGTERM');
  await until('no connection is taken', async () => !(await accepts(requests)));
  held[0]?.();
  expect(await open).toMatchObject({ status: 200, body: 'served' });
  expect(await ended).toMatchObject({ status: 0 });
});

async function accepts(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' });
  const accepted = await Promise.race([
    once(socket, 'connect').then(() => true),
    once(socket, 'error').then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return accepted;
}

test('while control is away it serves what it knows, and takes what the next one says', async () => {
  const { requests, instancePort } = await start();
  await publisher?.close();
  for (let i = 0; i < 3; i += 1) {
    expect(await call(requests, PATH)).toMatchObject({ status: 200, body: 'served' });
  }
  await control(instancePort);
  publisher?.update({ removedModels: ['default/digits'] });
  await until('the model has gone', async () => (await call(requests, PATH)).status === 404);
});

test('wrong usage is told with what would be right', async () => {
  const none = await run().ended;
  expect(none.status).toBe(2);
  expect(none.output).toContain('--bus is missing');
  expect(none.output).toMatch(/usage: .*--bus/);
  const wrong = await run('--bus', 'nowhere', '--listen', '127.0.0.1:0').ended;
  expect(wrong.status).toBe(2);
  expect(wrong.output).toContain('--bus "nowhere": expected host:port');
  const unknown = await run('--bus', '/b', '--memory', '1Gi').ended;
  expect(unknown.status).toBe(2);
  expect(unknown.output).toContain("'--memory'");
});

test('a port that is in use ends it', async () => {
  const taken = createTcpServer();
  const port = await listening(taken);
  const { status, output } = await run('--bus', '/b', '--listen', `127.0.0.1:${port}`).ended;
  taken.close();
  expect(status).toBe(1);
  expect(output).toContain('the port is in use');
});
