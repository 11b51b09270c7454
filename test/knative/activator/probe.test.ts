import { type RequestListener, createServer } from 'node:http';
import { expect, test } from 'vitest';
import { probePod } from '#knative/activator/probe.ts';
import { listening } from '#test/listening.ts';
import { useTeardown } from '#test/teardown.ts';

const teardown = useTeardown();

async function probe(handler: RequestListener): Promise<string> {
  const server = createServer(handler);
  const port = await listening(server);
  teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return await probePod(`127.0.0.1:${port}`, new AbortController().signal);
}

test('a queue-proxy that takes requests', async () => {
  const seen: unknown[] = [];
  const result = await probe((request, response) => {
    seen.push(request.url, request.headers['k-network-probe']);
    response.end('queue');
  });
  expect(result).toBe('ready');
  expect(seen).toEqual(['/healthz', 'queue']);
});

const others: [string, RequestListener][] = [
  ['says that it does not', (_, response) => response.writeHead(503).end('queue')],
  ['is somebody else', (_, response) => response.end('hello')],
  ['says no end of things', (_, response) => response.end('queue'.repeat(10_000))],
  ['closes the connection', (request) => request.socket.destroy()],
  ['breaks off', (_, response) => response.writeHead(200).write('que', () => response.destroy())],
  ['says nothing', () => {}],
];

test.each(others)('one that %s', async (_, handler) => {
  expect(await probe(handler)).toBe('unready');
});

test('one that does not listen', async () => {
  const server = createServer();
  const port = await listening(server);
  await new Promise((resolve) => {
    server.close(resolve);
  });
  expect(await probePod(`127.0.0.1:${port}`, new AbortController().signal)).toBe('away');
});

test('one that is not asked any more', async () => {
  const asking = new AbortController();
  const server = createServer(() => asking.abort());
  const port = await listening(server);
  teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  expect(await probePod(`127.0.0.1:${port}`, asking.signal)).toBe('unready');
});
