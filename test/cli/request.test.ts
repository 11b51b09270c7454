import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeNewRequest } from '#test/store/requests/records.ts';
import { createWorld, type World } from './world.ts';

/** It is not due before: nothing here sends it. */
const LATER = Date.UTC(2100, 0, 1);
const HOOK = 'https://hooks.example/';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

async function add(): Promise<string> {
  const added = makeNewRequest({ createdAt: LATER, beginBy: LATER + 1, webhook: HOOK });
  return (await world.server.requests.requests.add(added)).request.id;
}

async function answer(): Promise<void> {
  const { requests } = world.server.requests;
  for (const { request } of await requests.take('default/digits', 9, LATER)) {
    const answered = { status: 200, fields: '', body: Buffer.from([0, 255]) };
    const outcome = { state: 'done', reason: '', answer: answered } as const;
    await requests.settle(request.id, 1, outcome, LATER);
  }
}

test('a request is listed, told of and cancelled', async () => {
  const id = await add();
  const listed = await world.run(['get', 'requests']);
  expect(listed.stdout).toMatch(new RegExp(`^${id}  digits  waiting  -  `, 'm'));
  expect((await world.run(['request', id])).stdout).toMatch(new RegExp(`^${id} +waiting\n`));
  expect((await world.run(['request', id, 'cancel'])).stdout).toContain('cancelled by its caller');
  const none = await world.run(['request', id, 'answer']);
  expect(none.status).toBe(1);
  expect(none.stderr).toContain('it is cancelled');
});

test('an answer is written as it came', async () => {
  const id = await add();
  await answer();
  const json = await world.run(['request', id, '-o', 'json']);
  expect(JSON.parse(json.stdout)).toMatchObject({ id, state: 'done', status: 200 });
  const run = await world.run(['request', id, 'answer']);
  expect(run.status).toBe(0);
  expect(run.stdout).toBe(Buffer.from([0, 255]).toString());
});

test('webhooks that were given up come first, and are sent again', async () => {
  const id = await add();
  await answer();
  const { deliveries } = world.server.requests;
  const taken = await deliveries.take('https://hooks.example', 9, LATER);
  for (const { id: each } of taken) {
    await deliveries.settle(each, 1, { state: 'dead', at: LATER, reason: 'gone' });
  }
  const delivery = id.replace('rq_', 'msg_');
  const listed = await world.run(['get', 'deliveries']);
  expect(listed.stdout).toMatch(new RegExp(`^${delivery}  ${id}  dead `, 'm'));
  expect((await world.run(['request', id, 'replay'])).stdout).toContain(HOOK);
});

test('a webhook without --async is wrong usage', async () => {
  const run = await world.run(['invoke', 'digits', '--webhook', HOOK]);
  expect(run.status).toBe(2);
  expect(run.stderr).toContain('--async');
});
