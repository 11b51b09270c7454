import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { dial } from '#test/activator/harness.ts';
import { until } from '#test/until.ts';
import { numberedArgs } from './numbered.ts';
import { ENV, makeFolder, type Platform, removeFolder, startPlatform } from './platform.ts';

const TOTAL = 2000;
let platform: Platform | undefined;

afterEach(async () => {
  await platform?.end('SIGKILL');
  if (platform) await removeFolder(platform.folder);
});

/** A model of one instance with one request at a time; its start is held back until the gate file is there. */
async function startHeld(
  queue: string,
): Promise<{ platform: Platform; gate: string; log: string }> {
  const folder = await makeFolder();
  const gate = join(folder, 'gate');
  const log = join(folder, 'log');
  await writeFile(
    join(folder, 'model.yaml'),
    `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: slow }
spec:
  revision: { name: v1, runtime: command, args: ${numberedArgs(log, 'v1', gate)}, concurrency: 1 }
  scaling: { max: 1, initial: 0 }
  keepAlive: { policy: fixed, idle: 60s }
  queue: ${queue}
`,
  );
  const started = await startPlatform(folder, { env: ENV });
  platform = started;
  const applied = await started.rouse('apply', '-f', 'model.yaml');
  expect(applied).toMatchObject({ status: 0 });
  return { platform: started, gate, log };
}

async function sendAll(port: number): Promise<Awaited<ReturnType<typeof dial>>[]> {
  const clients = [];
  for (let i = 0; i < TOTAL; i += 1) {
    const client = await dial(port);
    client.socket.write(
      `GET /models/default/slow/ HTTP/1.1\r\nHost: h\r\nx-number: ${i}\r\nConnection: close\r\n\r\n`,
    );
    clients.push(client);
  }
  return clients;
}

async function untilQueued(held: Platform, count: number): Promise<void> {
  const depth = /^rouse_queue_depth\{[^}]*model="slow"[^}]*\} (\d+)/m;
  await until(`${count} wait`, async () => {
    const text = await (await fetch(`${held.control}/metrics`)).text();
    return Number(depth.exec(text)?.[1] ?? 0) >= count;
  });
}

test('2,000 requests for one cold model: all answered, in order, one at a time', async () => {
  const held = await startHeld('{ requests: 10000 }');
  const clients = await sendAll(held.platform.port);
  await untilQueued(held.platform, TOTAL);
  await writeFile(held.gate, '');
  const texts = await Promise.all(clients.map((client) => client.closed));
  for (const [i, text] of texts.entries()) {
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text.endsWith(`v1 ${i}\n`)).toBe(true);
  }
  const lines = (await readFile(held.log, 'utf8'))
    .split('\n')
    .filter((line) => line.startsWith('begin'));
  expect(lines.map((line) => Number(line.split(' ')[1]))).toEqual(
    Array.from({ length: TOTAL }, (_, i) => i),
  );
  expect(new Set(lines.map((line) => line.split(' ')[2]))).toEqual(new Set(['1']));
  expect(new Set(lines.map((line) => line.split(' ')[3])).size, 'one instance').toBe(1);
});

test('with room for 100, 100 wait and 1,900 are refused with 503 and Retry-After', async () => {
  const held = await startHeld('{ requests: 100 }');
  const clients = await sendAll(held.platform.port);
  const refused = await Promise.all(clients.slice(100).map((client) => client.closed));
  for (const text of refused) {
    expect(text).toMatch(/^HTTP\/1\.1 503 [^]*\r\nRetry-After: [1-9]\d*\r\n/);
    expect(text).toContain('"code":"queue_full"');
  }
  await writeFile(held.gate, '');
  const served = await Promise.all(clients.slice(0, 100).map((client) => client.closed));
  for (const text of served) expect(text).toMatch(/^HTTP\/1\.1 200 /);
});
