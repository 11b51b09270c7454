import { createServer, type RequestListener } from 'node:http';
import { expect, test } from 'vitest';
import { createPoster, type Resolve } from '#control/requests/post.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { listening } from '#test/listening.ts';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';

const teardown = useTeardown();
const never = new AbortController().signal;

async function startReceiver(handler: RequestListener): Promise<number> {
  const server = createServer(handler);
  teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return await listening(server);
}

function poster(networks: string[], resolve?: Resolve, clock = createFakeClock()) {
  return createPoster({ networks, clock, ...(resolve && { resolve }) });
}

const resolveTo =
  (...addresses: string[]): Resolve =>
  async () =>
    addresses.map((address) => ({ address }));

test('a name is resolved once, and the connection goes to the address that was looked at', async () => {
  const hosts: string[] = [];
  const port = await startReceiver(({ headers }, response) => {
    hosts.push(headers.host ?? '');
    response.writeHead(204).end();
  });
  let asked = 0;
  // A name that is rebound: the second time it would be somebody else.
  const resolve: Resolve = async () => [{ address: asked++ === 0 ? '127.0.0.1' : '127.0.0.2' }];
  const sender = poster(['127.0.0.1'], resolve);
  const posted = await sender.post(`http://hooks.example:${port}/`, {}, '{}', never);
  expect(posted).toMatchObject({ status: 204, failure: '' });
  expect([asked, hosts]).toEqual([1, [`hooks.example:${port}`]]);
});

test('nothing is sent to an address that is private, whatever name it has', async () => {
  let calls = 0;
  const port = await startReceiver((_incoming, response) => {
    calls++;
    response.end();
  });
  const sender = poster([], resolveTo('127.0.0.1', '10.0.0.1'));
  const posted = await sender.post(`https://hooks.example:${port}/`, {}, '{}', never);
  expect(posted).toMatchObject({ status: 0, isForbidden: true });
  expect(posted.failure).toContain('127.0.0.1 is not a public address');
  expect(calls).toBe(0);
});

test('an address that may be reached is taken from several', async () => {
  const port = await startReceiver((_incoming, response) => response.writeHead(200).end());
  const sender = poster(['127.0.0.1'], resolveTo('10.0.0.1', '127.0.0.1'));
  expect((await sender.post(`http://hooks.example:${port}/`, {}, '{}', never)).status).toBe(200);
});

test.each([
  ['http://127.0.0.1:1/', '127.0.0.1 is not a public address'],
  ['https://[::ffff:10.0.0.1]/', 'is not a public address'],
  ['https://2130706433/', '127.0.0.1 is not a public address'],
  ['http://1.1.1.1/', 'http:// is for the networks of webhooks.allow'],
])('%s is refused when it is given', (url, why) => {
  expect(poster([]).findWrong(url)).toContain(why);
});

test('names, public addresses and named networks are not refused when they are given', () => {
  const sender = poster(['10.0.0.0/8']);
  for (const url of ['https://hooks.example/', 'https://1.1.1.1/', 'http://10.0.0.1/']) {
    expect(sender.findWrong(url)).toBeUndefined();
  }
});

test('a redirect is an answer, and is not followed', async () => {
  let calls = 0;
  const port = await startReceiver((_incoming, response) => {
    calls++;
    response.writeHead(307, { location: '/elsewhere' }).end();
  });
  const posted = await poster(['127.0.0.1']).post(`http://127.0.0.1:${port}/`, {}, '{}', never);
  expect([posted.status, calls]).toEqual([307, 1]);
});

test('who does not answer in time, breaks off or says too much has not taken it', async () => {
  const clock = createFakeClock();
  let isAsked = false;
  const silent = await startReceiver(() => {
    isAsked = true;
  });
  const sender = poster(['127.0.0.1'], undefined, clock);
  const waiting = sender.post(`http://127.0.0.1:${silent}/`, {}, '{}', never);
  await until('it has been asked', () => isAsked);
  clock.advance(20_000);
  expect(await waiting).toMatchObject({ status: 0, failure: 'no answer within 20 s' });
  const broken = await startReceiver(({ socket }) => socket.destroy());
  expect((await sender.post(`http://127.0.0.1:${broken}/`, {}, '{}', never)).status).toBe(0);
  const loud = await startReceiver((_incoming, response) => response.end(Buffer.alloc(100_000)));
  expect((await sender.post(`http://127.0.0.1:${loud}/`, {}, '{}', never)).failure).toContain(
    '65536',
  );
});

test('a name that is not resolved is waited for no longer than an answer, and not at all at the end', async () => {
  const clock = createFakeClock();
  const sender = poster([], () => new Promise(() => undefined), clock);
  const waiting = sender.post('https://hooks.example/', {}, '{}', never);
  clock.advance(20_000);
  expect(await waiting).toMatchObject({ status: 0, failure: 'no answer within 20 s' });
  const closing = new AbortController();
  const left = sender.post('https://hooks.example/', {}, '{}', closing.signal);
  closing.abort();
  await expect(left).rejects.toBe(closing.signal.reason);
});

test('how long to wait is taken from Retry-After in seconds', async () => {
  const port = await startReceiver((_incoming, response) =>
    response.writeHead(503, { 'retry-after': '90' }).end(),
  );
  const posted = await poster(['127.0.0.1']).post(`http://127.0.0.1:${port}/`, {}, '{}', never);
  expect(posted).toMatchObject({ status: 503, retryAfterMs: 90_000 });
});
