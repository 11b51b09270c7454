import { expect, test } from 'vitest';
import { until } from '#test/until.ts';
import { dial, makeInstance, makeModel, makeRevision } from '../harness.ts';
import { useHarness } from '../use-harness.ts';

/** One model, or one caller, has all bytes that may be held; another one comes. */

const BODY = 32 * 1024;
const PLACES = 16;
const harness = useHarness({ heldBytes: PLACES * BODY });
const MODELS = ['greedy', 'modest'];

async function publish(): Promise<void> {
  const models = MODELS.map((name) => makeModel({ name, revisions: [makeRevision()] }));
  harness.publisher.update({ models });
  await harness.activator.ready;
}

type Client = Awaited<ReturnType<typeof dial>>;

async function send(head: string, body: number): Promise<Client> {
  const client = await dial(harness.port);
  harness.teardown(() => client.socket.destroy());
  client.socket.write(`${head}\r\n\r\n`);
  client.socket.write(Buffer.alloc(body, 'x'));
  return client;
}

const waitFor = (model: string): Promise<Client> =>
  send(`POST /models/default/${model}/ HTTP/1.1\r\nHost: h\r\nContent-Length: ${BODY}`, BODY);

/** It says that there is more, which does not come. */
const withoutModel = (): Promise<Client> =>
  send(`POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: ${2 * BODY}`, BODY);

async function untilHeld(bytes: number): Promise<void> {
  await until(`${bytes} bytes are held`, async () => {
    return (await harness.gauge('rouse_held_bytes')) === bytes;
  });
}

/** One after the other, so that it is known who came last. */
async function fill(come: () => Promise<Client>): Promise<Client[]> {
  const clients: Client[] = [];
  for (let count = 1; count <= PLACES; count += 1) {
    clients.push(await come());
    await untilHeld(count * BODY);
  }
  return clients;
}

const answered = (clients: readonly Client[]): number[] =>
  clients.flatMap((client, index) => (client.text() === '' ? [] : [index]));

async function serve(model: string): Promise<void> {
  const instance = await harness.startInstance((_, response) => response.end('ok'));
  const revision = `default/${model}/v1`;
  harness.publisher.update({ instances: [makeInstance(instance.port, { revision })] });
}

test('a queue that has all of them gives way to another, newest first, until both hold about as much', async () => {
  await publish();
  const greedy = await fill(() => waitFor('greedy'));
  const modest: Client[] = [];
  for (;;) {
    const client = await waitFor('modest');
    const newest = greedy.at(-1);
    await until('one of the two is refused', () => `${client.text()}${newest?.text()}` !== '');
    const refused = client.text() === '' ? newest : client;
    await refused?.until(/^HTTP\/1\.1 503 [^]*Retry-After: 1\r\n[^]*"unavailable"/);
    if (refused === client) break;
    greedy.pop();
    modest.push(client);
  }
  expect(Math.abs(greedy.length - modest.length)).toBeLessThanOrEqual(2);
  expect(answered([...greedy, ...modest])).toEqual([]);
  for (const model of MODELS) await serve(model);
  for (const client of [...greedy, ...modest]) await client.until(/^HTTP\/1\.1 200 /);
  expect(await harness.gauge('rouse_held_bytes')).toBe(0);
});

test('what is not known yet to be for a model gives way, the oldest first', async () => {
  await publish();
  const unknown = await fill(withoutModel);
  const modest = await waitFor('modest');
  await unknown[0]?.until(/^HTTP\/1\.1 503 /);
  await untilHeld(PLACES * BODY);
  expect(answered([...unknown, modest])).toEqual([0]);
  expect(await unknown[0]?.closed).toMatch(/Connection: close/);
});

test('what was sent ahead of its turn gives way: its connection ends with the present answer', async () => {
  await publish();
  const held = `GET /models/default/greedy/ HTTP/1.1\r\nHost: h`;
  const ahead = await fill(() => send(held, BODY));
  const waiting = await waitFor('greedy');
  await untilHeld(PLACES * BODY);
  expect(answered([...ahead, waiting])).toEqual([]);
  await serve('greedy');
  await waiting.until(/^HTTP\/1\.1 200 /);
  expect(await ahead[0]?.closed).toMatch(/^HTTP\/1\.1 200 [^]*Connection: close[^]*ok$/);
});

test('large heads of one who has many waiting give way, the oldest first', async () => {
  await publish();
  const start = 'GET /models/default/greedy/ HTTP/1.1\r\nHost: h\r\nX: ';
  const end = '\r\n\r\n';
  // The limit of a head is as large.
  const head = start + 'x'.repeat(BODY - start.length - end.length);
  const greedy = await fill(() => send(head, 0));
  const modest = await waitFor('modest');
  await greedy[0]?.until(/^HTTP\/1\.1 503 /);
  await untilHeld(PLACES * BODY);
  expect(answered([...greedy, modest])).toEqual([0]);
  for (const { socket } of [...greedy, modest]) socket.destroy();
  await untilHeld(0);
});
