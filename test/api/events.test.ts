import { get, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Actor } from '#domain/records.ts';
import { createEventStream } from '#api/stream.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { ADMIN, COMMAND, makeModel, modelPath, startServer, type TestServer } from './server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await server.close();
});

interface Frame {
  readonly id?: string;
  readonly event?: string;
  readonly data?: string;
}

/** A reader of a stream over a real socket. */
async function follow(path: string, headers: Record<string, string> = {}, from = server) {
  const options = {
    host: '127.0.0.1',
    port: from.port,
    path,
    agent: false,
    headers: { accept: 'text/event-stream', ...headers },
  };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(options, resolve).on('error', reject);
  });
  response.setEncoding('utf8');
  const chunks: AsyncIterator<string> = response[Symbol.asyncIterator]();
  let text = '';
  return {
    response,
    /** The next event; frames without one are passed over. */
    async next(): Promise<Frame | undefined> {
      for (;;) {
        const end = text.indexOf('\n\n');
        if (end >= 0) {
          const frame = parseFrame(text.slice(0, end));
          text = text.slice(end + 2);
          if (frame.data !== undefined) return frame;
        } else {
          const chunk = await chunks.next();
          if (chunk.done) return undefined;
          text += chunk.value;
        }
      }
    },
    close: () => response.destroy(),
  };
}

function parseFrame(text: string): Frame {
  const fields = text.split('\n').map((line) => line.split(/: (.*)/s));
  return Object.fromEntries(fields.map(([name = '', value = '']) => [name, value]));
}

async function apply(name: string, actor: Actor = ADMIN): Promise<void> {
  await server.useCases.applyModel(actor, makeModel(name, { ...COMMAND, args: ['x'] }));
}

test('events as JSON: by model, by type, in pages, newest first', async () => {
  await apply('listed');
  const path = modelPath('listed', '/events');
  const { items } = JSON.parse((await server.send({ path })).text);
  expect(items[0]).toMatchObject({ type: 'ModelCreated', model: 'listed', actor: ADMIN });
  const page = JSON.parse((await server.send({ path: `${path}?limit=1` })).text);
  expect(page).toEqual({ items: [items[0]], next: String(items[0].id) });
  const rest = JSON.parse((await server.send({ path: `${path}?after=${page.next}` })).text);
  expect(rest.items[0].id).toBe(items[1].id);
  const newest = JSON.parse((await server.send({ path: `${path}?newest=true` })).text);
  expect(newest.items.at(-1).id).toBe(items[0].id);
  const typed = '/api/v1/events?namespace=default&model=listed&type=ModelCreated';
  expect(JSON.parse((await server.send({ path: typed })).text).items).toHaveLength(1);
  expect((await server.send({ path: '/api/v1/events?limit=100000' })).status).toBe(422);
});

test('a stream tells what happens from now on, and only what was asked for', async () => {
  await apply('before');
  const stream = await follow('/api/v1/events?type=ModelCreated');
  expect(stream.response.headers).toMatchObject({
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
  });
  await apply('streamed-a');
  const first = await stream.next();
  expect(first?.event).toBe('ModelCreated');
  expect(JSON.parse(first?.data ?? '')).toMatchObject({ model: 'streamed-a' });
  expect(first?.id).toBe(String(JSON.parse(first?.data ?? '').id));
  await apply('streamed-b');
  expect(JSON.parse((await stream.next())?.data ?? '')).toMatchObject({ model: 'streamed-b' });
  stream.close();
});

test('a reader that comes back with its last id misses nothing and hears nothing twice', async () => {
  const stream = await follow('/api/v1/events?type=ModelCreated');
  await apply('resume-0');
  const seen = await stream.next();
  stream.close();
  const names = Array.from({ length: 450 }, (_, index) => `resume-${index + 1}`);
  for (const name of names) await apply(name);
  const again = await follow('/api/v1/events?type=ModelCreated', {
    'last-event-id': seen?.id ?? '',
  });
  const heard: string[] = [];
  for (const _ of names) heard.push(JSON.parse((await again.next())?.data ?? '').model);
  expect(heard).toEqual(names);
  await apply('resume-last');
  expect(JSON.parse((await again.next())?.data ?? '').model).toBe('resume-last');
  again.close();
});

test('a stream of one model, which must be there', async () => {
  expect((await follow(modelPath('nobody', '/events'))).response.statusCode).toBe(404);
  await apply('own');
  const stream = await follow(modelPath('own', '/events?type=ModelChanged'));
  await apply('others');
  const changed = makeModel('own', { ...COMMAND, args: ['x'] }, { scaling: { max: 9 } });
  await server.useCases.applyModel(ADMIN, changed);
  expect(JSON.parse((await stream.next())?.data ?? '')).toMatchObject({ model: 'own' });
  stream.close();
});

test('a bad Last-Event-ID is refused', async () => {
  const { response } = await follow('/api/v1/events', { 'last-event-id': 'yesterday' });
  expect(response.statusCode).toBe(400);
  response.destroy();
});

test('closing ends the streams', async () => {
  const other = await startServer();
  const stream = await follow('/api/v1/events', {}, other);
  await other.close();
  expect(await stream.next()).toBeUndefined();
});

test('a quiet stream shows signs of life, and its end stops the watch', async () => {
  const clock = createFakeClock();
  let watched: AbortSignal | undefined;
  const source = {
    read: async () => [],
    watch: (_onNews: () => void, signal: AbortSignal) => {
      watched = signal;
    },
  };
  const closing = new AbortController().signal;
  const reader = createEventStream({ source, after: 0, clock, closing }).getReader();
  const text = async (): Promise<string> => new TextDecoder().decode((await reader.read()).value);
  expect(await text()).toBe('retry: 2000\n\n');
  for (let beat = 0; beat < 3; beat++) {
    const next = text();
    while (clock.pending === 0) await Promise.resolve();
    clock.advance(15_000);
    expect(await next).toBe(': still here\n\n');
  }
  await reader.cancel();
  expect(watched?.aborted).toBe(true);
});

test('a slow reader is not written ahead of: the log is read when it is ready for more', async () => {
  let reads = 0;
  const event = { at: 0, namespace: '', model: '', type: 'T', why: '', actor: ADMIN };
  const source = {
    async read(after: number, limit: number) {
      reads += 1;
      return Array.from({ length: limit }, (_, index) => ({ ...event, id: after + index + 1 }));
    },
    watch: () => undefined,
  };
  const closing = new AbortController().signal;
  const stream = createEventStream({ source, after: 0, clock: createFakeClock(), closing });
  const reader = stream.getReader();
  await reader.read();
  await reader.read();
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
  expect(reads).toBe(1);
  await reader.cancel();
});
