import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeWebhookSecret } from '#control/requests/signature.ts';
import { makeNewRequest, upTo } from '#test/store/requests/records.ts';
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
  for (const { request } of await requests.take('default/digits', upTo(9), LATER)) {
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
  const taken = await deliveries.take('https://hooks.example', upTo(9), LATER);
  for (const { id: each } of taken) {
    await deliveries.settle(each, 1, { state: 'dead', at: LATER, reason: 'gone' });
  }
  const delivery = id.replace('rq_', 'msg_');
  const listed = await world.run(['get', 'deliveries']);
  expect(listed.stdout).toMatch(new RegExp(`^${delivery}  ${id}  dead `, 'm'));
  expect((await world.run(['request', id, 'replay'])).stdout).toContain(HOOK);
});

test('as many as are asked for are listed, of however many pages, and it is said that there are more', async () => {
  for (let one = 0; one < 3; one++) await add();
  const all = await world.run(['get', 'requests', '-o', 'json', '--limit', '5000']);
  const ids = (JSON.parse(all.stdout) as { id: string }[]).map(({ id }) => id);
  expect(all.stderr).toBe('');
  expect(ids.length).toBeGreaterThanOrEqual(3);
  const two = await world.run(['get', 'requests', '-o', 'json', '--limit', '2']);
  expect((JSON.parse(two.stdout) as { id: string }[]).map(({ id }) => id)).toEqual(ids.slice(0, 2));
  expect(two.stderr).toBe('There are more: --limit 20 shows more of them.\n');
});

test('of webhooks, too, in whatever state they are', async () => {
  const id = await add();
  await answer();
  const { deliveries } = world.server.requests;
  for (const { id: each } of await deliveries.take('https://hooks.example', upTo(9), LATER)) {
    await deliveries.settle(each, 1, { state: 'dead', at: LATER, reason: 'gone' });
  }
  const one = await world.run(['get', 'deliveries', '--limit', '1']);
  expect(one.stdout.trimEnd().split('\n')).toHaveLength(2);
  expect(one.stdout).toMatch(/ dead /);
  expect(one.stderr).toContain('There are more: --limit 10 shows more of them.');
  const all = await world.run(['get', 'deliveries', '--limit', '1000']);
  expect(all.stdout).toContain(id.replace('rq_', 'msg_'));
  expect(all.stderr).toBe('');
});

test.each([[['get', 'models', '--limit', '3']], [['get', 'requests', '--limit', '0']]])(
  '%j is wrong usage',
  async (args) => {
    const run = await world.run(args);
    expect(run).toMatchObject({ status: 2, stdout: '' });
    expect(run.stderr).toContain('--limit is how many requests or deliveries, 1 or more');
  },
);

test('the secret of webhooks is told for each namespace, as receivers want it', async () => {
  const own = await world.run(['webhook-secret']);
  expect(own.stdout).toMatch(/^whsec_[A-Za-z0-9+/]{43}=\n$/);
  const platformSecret = Buffer.alloc(32);
  expect(own.stdout.trim()).toBe(makeWebhookSecret(platformSecret, 'default'));
  const other = await world.run(['webhook-secret', '-n', 'lab', '-o', 'json']);
  expect(JSON.parse(other.stdout)).toEqual({ secret: makeWebhookSecret(platformSecret, 'lab') });
});

test('a webhook without --async is wrong usage', async () => {
  const run = await world.run(['invoke', 'digits', '--webhook', HOOK]);
  expect(run.status).toBe(2);
  expect(run.stderr).toContain('--async');
});
