import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import { systemProcesses } from '#runtime/local/process/proc.ts';
import { until } from '#test/until.ts';
import { makeFolder, type Platform, removeFolder, startPlatform } from './platform.ts';

let platform: Platform | undefined;

afterEach(async () => {
  await platform?.end('SIGKILL');
  if (platform) await removeFolder(platform.folder);
});

async function start(...args: string[]): Promise<Platform> {
  const folder = await makeFolder();
  await writeFile(
    join(folder, 'pid.ts'),
    'export default () => new Response(String(process.pid));\n',
  );
  await writeFile(
    join(folder, 'model.yaml'),
    `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: pid }
spec:
  revision: { name: v1, runtime: function, source: ./pid.ts }
  keepAlive: { policy: fixed, idle: 0s, park: 10m }
`,
  );
  platform = await startPlatform(folder, { args });
  expect(await platform.rouse('apply', '-f', 'model.yaml')).toMatchObject({ status: 0 });
  await platform.untilModel('pid', ({ status }) => status.revisions[0]?.state === 'Ready');
  return platform;
}

async function call(to: Platform): Promise<{ pid: number; isCold: boolean }> {
  const response = await fetch(`${to.requests}/models/default/pid/`);
  const text = await response.text();
  expect(`${response.status} ${text}`).toMatch(/^200 /);
  const isCold = response.headers.get('rouse-cold-start') === 'true';
  return { pid: Number(text), isCold };
}

/** The proof's instance has gone, and a process stands by. */
async function untilIdle(of: Platform): Promise<void> {
  await of.untilModel('pid', ({ status }) => status.instances.length === 0);
  await until('one stands by', async () => {
    const text = await (await fetch(`${of.control}/metrics`)).text();
    return text.includes('rouse_pool_processes{runtime="function",state="idle"} 1');
  });
}

test('a first call begins in a process that stood by, the next ones in the same one, parked meanwhile', async () => {
  const rouse = await start();
  await untilIdle(rouse);
  const first = await call(rouse);
  expect(first.isCold).toBe(true);
  expect(await (await fetch(`${rouse.control}/metrics`)).text()).toContain(
    'rouse_pool_hits_total{runtime="function"} 1',
  );
  for (let round = 0; round < 3; round++) {
    await rouse.untilModel('pid', ({ status }) => status.state === 'Parked');
    expect(await call(rouse)).toEqual({ pid: first.pid, isCold: true });
  }
  const why = await rouse.rouse('why', 'pid');
  expect(why.stdout).toContain('1 parked: idle for');
  await rouse.untilModel('pid', ({ status }) => status.state === 'Parked');
  await until('it is shown with its memory, which is measured now and then', async () => {
    const { stdout } = await rouse.rouse('get', 'instances', 'pid');
    return /parked +[0-9.]+Mi/.test(stdout);
  });
});

test('calls that come at any moment of parking and waking are all answered, by the same process', async () => {
  // What is wanted while it is being parked is started besides, and here takes much longer to be ready than that.
  const rouse = await start('--pool', '0');
  const { pid } = await call(rouse);
  let woken = 0;
  for (let round = 0; woken < 8; round++) {
    // One of these finds it awake, parking, parked or on its way back, as it happens.
    const answers = await Promise.all(Array.from({ length: 1 + (round % 3) }, () => call(rouse)));
    for (const answer of answers) expect(answer.pid).toBe(pid);
    if (answers.some(({ isCold }) => isCold)) woken++;
    for (let i = 0; i < round % 7; i++) await fetch(`${rouse.control}/healthz`);
  }
});

const ECHO = `import { createServer } from 'node:http';
const server = createServer((_, response) => response.end('here'));
server.on('upgrade', (_, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: echo\\r\\n\\r\\n');
  socket.on('error', () => {}).pipe(socket);
});
server.listen({ fd: Number(process.argv[2]) });
`;

/** A connection for another protocol, answered byte by byte. */
async function openTunnel(to: Platform, model: string): Promise<Duplex> {
  const path = `${to.requests}/models/default/${model}/`;
  const asked = request(path, { headers: { connection: 'Upgrade', upgrade: 'echo' } }).end();
  const [, socket] = (await once(asked, 'upgrade')) as [unknown, Duplex];
  return socket;
}

async function echo(through: Duplex, text: string): Promise<void> {
  through.write(text);
  expect(String((await once(through, 'data'))[0])).toBe(text);
}

test('whose connection for another protocol is open is not parked, however idle; when it ends, it is', async () => {
  const rouse = await start();
  await writeFile(join(rouse.folder, 'echo.mjs'), ECHO);
  const args = JSON.stringify([process.execPath, join(rouse.folder, 'echo.mjs'), '${LISTEN_FD}']);
  await writeFile(
    join(rouse.folder, 'echo.yaml'),
    `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: echo }
spec:
  revision: { name: v1, runtime: command, args: ${args} }
  keepAlive: { policy: fixed, idle: 0s, park: 10m }
`,
  );
  expect(await rouse.rouse('apply', '-f', 'echo.yaml')).toMatchObject({ status: 0 });
  const tunnel = await openTunnel(rouse, 'echo');
  await echo(tunnel, 'before');
  // Whoever is idle is parked meanwhile, several times over.
  for (let round = 0; round < 3; round++) {
    await call(rouse);
    await rouse.untilModel('pid', ({ status }) => status.state === 'Parked');
  }
  await rouse.untilModel('echo', ({ status }) => status.state === 'Awake');
  await echo(tunnel, 'after');
  tunnel.end();
  await rouse.untilModel('echo', ({ status }) => status.state === 'Parked');
});

test('killed while it is parked, the next call is answered by another; deleted, it ends', async () => {
  const rouse = await start();
  const { pid } = await call(rouse);
  await rouse.untilModel('pid', ({ status }) => status.state === 'Parked');
  process.kill(pid, 'SIGKILL');
  // Until the last of its threads has ended it takes connections, and what is sent by them is lost with it.
  await until('it is gone as a whole', () => systemProcesses.stat(pid) === undefined);
  const pids = new Set<number>();
  for (let round = 0; round < 2; round++) {
    const many = await Promise.all(Array.from({ length: 50 }, () => call(rouse)));
    for (const answer of many) pids.add(answer.pid);
    await rouse.untilModel('pid', ({ status }) => status.state === 'Parked');
  }
  expect(pids).not.toContain(pid);
  expect(await rouse.rouse('delete', 'pid')).toMatchObject({ status: 0 });
  for (const each of pids) await untilDead(each);
});

async function untilDead(pid: number): Promise<void> {
  await until(`process ${pid} has ended`, () => systemProcesses.stat(pid)?.isDead !== false);
}

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'ended by %s, it leaves nothing parked',
  async (signal) => {
    const rouse = await start();
    const { pid } = await call(rouse);
    await rouse.untilModel('pid', ({ status }) => status.state === 'Parked');
    expect(systemProcesses.stat(pid)?.isDead).toBe(false);
    await rouse.end(signal);
    await untilDead(pid);
  },
);
