import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { call, startInstance } from '#test/activator/harness.ts';
import { createWorld, makeRule } from '#test/knative/ingress/world.ts';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';

/** The program, on its own feet. */

const MAIN = resolve(import.meta.dirname, '../../../src/ingress.ts');
const HOST = 'digits.shop.example.com';
const PORTS = ['http', 'https', 'inside', 'admin'].flatMap((name) => [`--${name}`, '127.0.0.1:0']);

const teardown = useTeardown();

function run(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...process.env, POD_NAMESPACE: 'rouse-system', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  teardown(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => lines.push(line));
  const ended = once(child, 'close').then(([status]: (number | null)[]) => status);
  return { child, lines, ended };
}

function portsOf(lines: readonly string[]): { requests: number; admin: number } | undefined {
  const line = lines.find((each) => each.includes('listens'));
  return line === undefined ? undefined : JSON.parse(line);
}

test('it is ready when it serves, and ends when its last request has', async () => {
  const world = await createWorld(teardown);
  const slow = Promise.withResolvers<() => void>();
  const instance = await startInstance((incoming, response) => {
    const answer = (): void => void response.end('served');
    if (incoming.url === '/slow') slow.resolve(answer);
    else answer();
  });
  teardown(() => instance.close());
  world.putService('a', [instance.port]);
  world.putIngress('digits', makeRule(HOST, 'a'));

  const { child, lines, ended } = run(PORTS, { KUBECONFIG: world.api.kubeconfig });
  await until('it listens', () => portsOf(lines) !== undefined);
  const { requests = 0, admin = 0 } = portsOf(lines) ?? {};
  const statusOf = async (path: string): Promise<number> => (await call(admin, path)).status;
  await until('it is ready', async () => (await statusOf('/readyz')) === 200);
  const headers = { host: HOST };
  expect((await call(requests, '/', { headers })).body).toBe('served');
  expect((await call(admin, '/metrics')).body).toContain('namespace="shop",model="a:80"');

  const answer = call(requests, '/slow', { headers });
  const finish = await slow.promise;
  child.kill('SIGTERM');
  await until('it is not ready', async () => (await statusOf('/readyz')) === 503);
  // Others have not heard of it yet.
  expect((await call(requests, '/', { headers })).body).toBe('served');
  expect(await statusOf('/healthz')).toBe(200);
  await until('it takes nothing new', () =>
    call(requests, '/', { headers }).then(
      () => false,
      () => true,
    ),
  );
  finish();
  expect((await answer).body).toBe('served');
  expect(await ended).toBe(0);
});

test('wrong usage is told with what would be right', async () => {
  const { lines, ended } = run(['--http', 'nowhere']);
  expect(await ended).toBe(2);
  expect(lines.join('\n')).toMatch(/--http "nowhere": expected host:port[^]*usage: ingress/);
});

test('without a cluster it says so and ends', async () => {
  const { lines, ended } = run(PORTS, { KUBECONFIG: '/nowhere/config' });
  expect(await ended).toBe(2);
  expect(lines.join('\n')).toContain('/nowhere/config');
});
