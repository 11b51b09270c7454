import { expect, test } from 'vitest';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';
import { startBareInstance } from '../bare-instance.ts';
import {
  dial,
  type Harness,
  makeInstance,
  makeModel,
  startHarness,
  startInstance,
} from '../harness.ts';

/** What is sent ahead of its turn, and heads that are not whole, count in the budget of held bytes. */

const P = '/models/default/digits';
const HELD = `GET ${P}/held HTTP/1.1\r\nHost: h\r\n\r\n`;
const AHEAD = `GET ${P}/ahead HTTP/1.1\r\nHost: h\r\nX: ${'x'.repeat(500)}\r\n\r\n`;
const UNFINISHED = `GET ${P}/ HTTP/1.1\r\nHost: h\r\nX: ${'x'.repeat(940)}`;

const teardown = useTeardown();

async function start(heldBytes: number): Promise<Harness> {
  const harness = await startHarness({ heldBytes });
  teardown(() => harness.close());
  harness.publisher.update({ models: [makeModel()] });
  await harness.activator.ready;
  return harness;
}

async function dialTo({ port }: Harness): ReturnType<typeof dial> {
  const client = await dial(port);
  teardown(() => client.socket.destroy());
  return client;
}

function heldBytes({ activator }: Harness): number {
  return Number(/^rouse_held_bytes (\d+)$/m.exec(activator.metrics())?.[1]);
}

test('a flood of requests sent ahead stays within the budget; whose do not fit gets its answer and the end', async () => {
  const limit = 300_000;
  const harness = await start(limit);
  const ahead = `${AHEAD.repeat(99)}GET ${P}/last HTTP/1.1\r\nHost: h\r\n\r\n`;
  const clients = [];
  let most = 0;
  for (let i = 0; i < 20; i += 1) {
    const client = await dialTo(harness);
    client.socket.write(HELD);
    client.socket.write(ahead);
    clients.push(client);
    most = Math.max(most, heldBytes(harness));
  }
  await harness.report('load', ({ revisions }) => revisions.some(({ queued }) => queued === 20));
  await expect.poll(() => heldBytes(harness)).toBeGreaterThan(limit / 2);
  const instance = await startInstance(({ url }, response) => response.end(url));
  teardown(() => instance.close());
  harness.publisher.update({ instances: [makeInstance(instance.port)] });
  let ended = 0;
  for (const client of clients) {
    await Promise.race([client.until(/\/last$/), client.closed]);
    most = Math.max(most, heldBytes(harness));
    const answers = client.text().match(/HTTP\/1\.1 (\d+)/g) ?? [];
    expect(new Set(answers)).toEqual(new Set(['HTTP/1.1 200']));
    if (answers.length === 101) continue;
    ended += 1;
    expect(client.text()).toMatch(/^HTTP\/1\.1 200 [^]*Connection: close[^]*\/held$/);
  }
  expect(ended).toBeGreaterThan(0);
  expect(ended).toBeLessThan(20);
  expect(most).toBeLessThanOrEqual(limit);
  expect(heldBytes(harness)).toBe(0);
});

test('heads that are not whole stay within the budget: who comes beyond it hears 503', async () => {
  const harness = await start(10_000);
  const clients = [];
  for (let i = 0; i < 10; i += 1) {
    const client = await dialTo(harness);
    client.socket.write(UNFINISHED);
    clients.push(client);
  }
  await expect.poll(() => heldBytes(harness)).toBe(10 * UNFINISHED.length);
  const late = await dialTo(harness);
  late.socket.write(UNFINISHED);
  expect(await late.closed).toMatch(/^HTTP\/1\.1 503 [^]*Retry-After: 1\r\n[^]*"unavailable"/);
  expect(heldBytes(harness)).toBe(10 * UNFINISHED.length);
  const whole = await dialTo(harness);
  whole.socket.write('GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n');
  await whole.until(/ 200 OK/);
  for (const client of clients) client.socket.destroy();
  await expect.poll(() => heldBytes(harness)).toBe(0);
});

test('behind a request that waits so much is read and no more, however long it waits', async () => {
  const harness = await start(1_000_000);
  const client = await dialTo(harness);
  client.socket.write(HELD);
  client.socket.write(AHEAD.repeat(600));
  await expect.poll(() => heldBytes(harness)).toBeGreaterThan(64 * 1024);
  // Whoever waits is looked at in each sweep, and reports come less often.
  const reports = (): number => harness.reports.filter(({ type }) => type === 'load').length;
  const before = reports();
  await until('two more reports', () => reports() >= before + 2);
  expect(heldBytes(harness)).toBeLessThan(128 * 1024);
});

const ENDS: readonly [name: string, first: string, second: string | undefined][] = [
  ['it is whole', UNFINISHED, '\r\n\r\n'],
  ['it is refused', UNFINISHED, '\n'],
  ['its caller leaves', UNFINISHED, undefined],
  ['its caller leaves before its turn', HELD + AHEAD, undefined],
  ['it turns out to be HTTP/2', 'PRI * HTTP/2.0\r\n', '\r\nSM\r\n\r\n'],
];

test.each(ENDS)('what was counted is given back when %s', async (_, first, second) => {
  const harness = await start(1_000_000);
  const client = await dialTo(harness);
  client.socket.write(first);
  await expect.poll(() => heldBytes(harness)).toBeGreaterThan(0);
  if (second === undefined) client.socket.destroy();
  else client.socket.write(second);
  await expect.poll(() => heldBytes(harness)).toBe(0);
});

test.each([
  ['the connection becomes a tunnel', 'Connection: Upgrade\r\nUpgrade: own\r\n'],
  ['its answer is cut', ''],
])('what was counted is given back when %s', async (_, fields) => {
  const harness = await start(1_000_000);
  const seen = Promise.withResolvers<string>();
  const instance = await startBareInstance((socket) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
      if (fields !== '') {
        if (!text.includes('ahead'))
          socket.write('HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: own\r\n\r\n');
        if (text.endsWith('ahead')) seen.resolve(text);
      } else {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc', () =>
          socket.resetAndDestroy(),
        );
      }
    });
  });
  teardown(() => instance.close());
  const client = await dialTo(harness);
  client.socket.write(`GET ${P}/ HTTP/1.1\r\nHost: h\r\n${fields}\r\nahead`);
  await expect.poll(() => heldBytes(harness)).toBe(5);
  harness.publisher.update({ instances: [makeInstance(instance.port)] });
  await expect.poll(() => heldBytes(harness)).toBe(0);
  if (fields !== '') expect(await seen.promise).toMatch(/ahead$/);
  else await client.closed;
});

test('an upgrade with more behind it than fits is refused: nothing of a tunnel may be missing', async () => {
  const harness = await start(1000);
  const client = await dialTo(harness);
  const fields = 'Connection: Upgrade\r\nUpgrade: own\r\n';
  client.socket.write(`GET ${P}/ HTTP/1.1\r\nHost: h\r\n${fields}\r\n${'x'.repeat(1001)}`);
  expect(await client.closed).toMatch(/^HTTP\/1\.1 503 /);
  expect(heldBytes(harness)).toBe(0);
});
