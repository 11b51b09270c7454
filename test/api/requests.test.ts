import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Actor } from '#domain/records.ts';
import { makeNewRequest, upTo } from '#test/store/requests/records.ts';
import { JSON_TYPE, startServer, type TestServer } from './server.ts';

const PATH = '/api/v1/namespaces/default';
/** It is not due before: nothing here sends it. */
const LATER = Date.UTC(2100, 0, 1);
const OWNER: Actor = { id: 'key:abcdefgh', role: 'invoke' };

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

async function add(webhook?: string): Promise<string> {
  const times = { createdAt: LATER, beginBy: LATER + 1 };
  const added = makeNewRequest({ ...times, ...(webhook !== undefined && { webhook }) });
  return (await server.requests.requests.add(added)).request.id;
}

/** All that there is has ended. */
async function answerAll(): Promise<void> {
  const { requests } = server.requests;
  for (const { request } of await requests.take('default/digits', upTo(100), LATER)) {
    const answer = { status: 418, fields: 'Content-Type: text/html\r\n', body: Buffer.from('<b>') };
    await requests.settle(request.id, 1, { state: 'done', reason: '', answer }, LATER);
  }
}

test('requests are listed, shown and cancelled', async () => {
  const [first, second] = [await add(), await add()];
  const page = await server.send({ path: `${PATH}/requests?limit=1` });
  expect(page.json()).toMatchObject({ items: [{ id: second, state: 'waiting' }], next: second });
  const next = await server.send({ path: `${PATH}/requests?limit=1&after=${second}` });
  expect(next.json()).toMatchObject({ items: [{ id: first }] });
  const cancelled = await server.send({ method: 'DELETE', path: `${PATH}/requests/${first}` });
  expect([cancelled.status, cancelled.at('state')]).toEqual([200, 'cancelled']);
  expect((await server.send({ path: `${PATH}/requests/${first}` })).at('state')).toBe('cancelled');
  const none = await server.send({ path: `${PATH}/requests?state=done` });
  expect(none.json()).toEqual({ items: [] });
  expect((await server.send({ path: `${PATH}/requests/rq_${'0'.repeat(40)}` })).status).toBe(404);
  const elsewhere = `/api/v1/namespaces/other/requests/${first}`;
  expect((await server.send({ path: elsewhere })).status).toBe(404);
  expect((await server.send({ path: `${PATH}/requests/1` })).status).toBe(422);
});

test('an answer comes as bytes that no browser shows, and 409 tells that there is none', async () => {
  const id = await add();
  expect((await server.send({ path: `${PATH}/requests/${id}/answer` })).status).toBe(409);
  await answerAll();
  const answer = await server.send({ path: `${PATH}/requests/${id}/answer` });
  expect([answer.status, answer.text]).toEqual([200, '<b>']);
  expect(answer.headers).toMatchObject({
    'content-type': 'text/html',
    'content-disposition': 'attachment',
    'rouse-status': '418',
  });
});

test('answers are for who made the request, and for admins', async () => {
  const id = await add();
  await answerAll();
  const { useCases } = server;
  const other: Actor = { id: 'key:otherkey', role: 'deploy' };
  await expect(useCases.getRequestAnswer(other, 'default', id)).rejects.toMatchObject({
    code: 'forbidden',
  });
  await expect(useCases.cancelRequest(other, 'default', id)).rejects.toMatchObject({
    code: 'forbidden',
  });
  expect(await useCases.getRequestAnswer(OWNER, 'default', id)).toMatchObject({ status: 418 });
  expect(await useCases.getRequest(other, 'default', id)).toMatchObject({ id });
});

test('webhooks that were given up are listed, and sent again when that is asked for', async () => {
  await add('https://hooks.example/');
  await answerAll();
  const { deliveries } = server.requests;
  const [{ id } = { id: '' }] = await deliveries.take('https://hooks.example', upTo(1), LATER);
  await deliveries.settle(id, 1, { state: 'dead', at: LATER, reason: 'gone' });
  const dead = await server.send({ path: `${PATH}/deliveries?state=dead` });
  expect(dead.json()).toMatchObject({ items: [{ id, reason: 'gone' }] });
  const replay = (body: unknown) =>
    server.send({
      method: 'POST',
      path: `${PATH}/deliveries/${id}`,
      headers: JSON_TYPE,
      body: JSON.stringify(body),
    });
  expect((await replay({ action: 'forget' })).status).toBe(422);
  expect((await replay({ action: 'replay' })).status).toBe(202);
  expect((await replay({ action: 'replay' })).status).toBe(409);
});

test('the secret of webhooks is for who may deploy', async () => {
  const answer = await server.send({ path: `${PATH}/webhook-secret` });
  expect(answer.at('secret')).toMatch(/^whsec_/);
  expect(answer.headers['cache-control']).toBe('no-store');
  await expect(server.useCases.webhookSecret(OWNER, 'default')).rejects.toMatchObject({
    code: 'forbidden',
  });
});
