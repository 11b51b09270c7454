import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listening } from '#test/listening.ts';
import type { Component } from './components.ts';
import { launch, type Launched } from './launch.ts';
import { lastLines } from './log-tail.ts';

let logs: string;
let server: Server | undefined;
beforeEach(() => {
  logs = mkdtempSync(join(tmpdir(), 'rouse-launch-'));
});
afterEach(() => {
  server?.close();
  server = undefined;
  rmSync(logs, { recursive: true });
});

function start(code: string, port: number): Launched {
  const component: Component = {
    name: 'kube-example',
    args: ['-e', code],
    ready: { url: `http://127.0.0.1:${port}/readyz` },
  };
  return launch(component, { program: process.execPath, logs, env: {}, authority: '' });
}

test('a component that ends is named, with how it ended and the end of its log', async () => {
  server = createServer((_, response) => response.writeHead(503).end());
  const port = await listening(server);
  const { ready, ended } = start(
    'console.log("one"); console.error("port taken"); process.exit(3)',
    port,
  );
  const message = 'kube-example ended with status 3; its log ends with\n    one\n    port taken';
  await expect(ready()).rejects.toThrow(message);
  await expect(ended).rejects.toThrow(message);
});

test('a component is ready when it says so, not before', async () => {
  let asked = 0;
  const made = createServer((_, response) => {
    asked += 1;
    response.writeHead(asked > 3 ? 200 : 500).end();
  });
  server = made;
  const port = await listening(made);
  const untilClosed = `require('node:net').connect(${port}, '127.0.0.1')
    .on('close', () => process.exit(0)).resume()`;
  const launched = start(untilClosed, port);
  await once(made, 'connection');
  await launched.ready();
  // More often where it did not take an answer in time.
  expect(asked).toBeGreaterThan(3);
  made.close();
  made.closeAllConnections();
  await expect(launched.ended).rejects.toThrow('kube-example ended with status 0');
});

test('a program that is not there', async () => {
  const component: Component = { name: 'etcd', args: [], ready: { socket: join(logs, 'none') } };
  const launched = launch(component, { program: join(logs, 'none'), logs, env: {}, authority: '' });
  await expect(launched.ready()).rejects.toThrow(/^etcd: spawn .* ENOENT$/);
});

test('the end of a log is a screen at most', () => {
  expect(lastLines('')).toBe('    (it wrote nothing)');
  const lines = Array.from({ length: 100 }, (_, index) => `${index} ${'x'.repeat(1000)}`);
  const last = lastLines(`${lines.join('\n')}\n`).split('\n');
  expect(last).toHaveLength(15);
  expect(last.at(-1)).toMatch(/^ {4}99 x{397}$/);
});
