import type { RequestListener } from 'node:http';
import { buffer, text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import type { RequestInquiry } from '#bus/requests.ts';
import { until } from '#test/until.ts';
import { BY_MODEL, HOLDER, makeSubmission, STRANGER, useRequests } from './harness.ts';

const { start, serve } = useRequests();

const OK: RequestListener = (_incoming, response) => response.writeHead(200, BY_MODEL).end('out');

/** Answers in order; the last one again and again. */
function inTurn(...answers: RequestListener[]): RequestListener & { calls: number } {
  const listener = Object.assign(
    (...[incoming, response]: Parameters<RequestListener>): void => {
      const answer = answers[Math.min(listener.calls++, answers.length - 1)];
      answer?.(incoming, response);
    },
    { calls: 0 },
  );
  return listener;
}

function refuse(status: number, code: string): RequestListener {
  return (_incoming, response) =>
    response.writeHead(status).end(JSON.stringify({ code, detail: `${code}!` }));
}

function about(
  request: string,
  what: RequestInquiry['about'],
  more: Partial<RequestInquiry> = {},
): { type: 'inquire'; inquiry: RequestInquiry } {
  return { type: 'inquire', inquiry: { request, caller: HOLDER, about: what, ...more } };
}

test('a request reaches its model as it was made, at low priority, and its answer is kept as it came', async () => {
  const seen: object[] = [];
  const harness = await start(async (incoming, response) => {
    const { method, url, headers } = incoming;
    seen.push({ method, url, headers, body: await text(incoming) });
    response.writeHead(201, {
      ...BY_MODEL,
      'content-type': 'a/b',
      'set-cookie': 'x=y',
      'x-a': 'é',
    });
    response.end(Buffer.from([0, 255]));
  });
  const id = await harness.submit({ fields: 'X-Own: \xe9\r\nContent-Type: c/d\r\n', host: 'h:1' });
  expect(await harness.untilState(id, 'done')).toMatchObject({ status: 201, attempts: 1 });
  expect(seen).toMatchObject([
    {
      method: 'POST',
      url: '/v2/models/digits/infer',
      body: 'in',
      headers: {
        host: 'h:1',
        'x-own': '\xe9',
        'content-type': 'c/d',
        'rouse-priority': 'low',
        'content-length': '2',
      },
    },
  ]);
  const reply = await harness.ask(about(id, 'answer'));
  expect(reply).toMatchObject({ what: 'answer', status: 201, body: 'AP8=' });
  expect(reply).toHaveProperty('fields', expect.stringMatching(/content-type: a\/b\r\n/));
  expect(reply).not.toHaveProperty('fields', expect.stringMatching(/cookie/i));
});

test('what Rouse refuses for a while, loses or cannot reach is sent again', async () => {
  const model = inTurn(
    refuse(503, 'unavailable'),
    refuse(502, 'instance_lost'),
    ({ socket }) => socket.destroy(),
    (_incoming, response) => response.writeHead(503, BY_MODEL).end('busy'),
    OK,
  );
  const harness = await start(model);
  const id = await harness.submit();
  expect(await harness.untilState(id, 'done')).toMatchObject({ status: 200, attempts: 5 });
});

test('what Rouse refuses for good has failed, and its answer says why', async () => {
  const harness = await start(refuse(404, 'not_found'));
  const id = await harness.submit();
  expect(await harness.untilState(id, 'failed')).toMatchObject({
    status: 404,
    attempts: 1,
    reason: 'not_found!',
  });
});

test('a request that costs an instance each time is given up', async () => {
  const model = inTurn(refuse(502, 'instance_lost'));
  const harness = await start(model);
  const id = await harness.submit();
  await harness.untilState(id, 'failed');
  expect(model.calls).toBe(8);
});

test("a model's own refusals are its answer in the end", async () => {
  const harness = await start((_incoming, response) => response.writeHead(429, BY_MODEL).end('no'));
  const id = await harness.submit();
  expect(await harness.untilState(id, 'done')).toMatchObject({ status: 429, attempts: 8 });
});

test('an answer that is too large is none', async () => {
  const harness = await start((_incoming, response) =>
    response.writeHead(200, BY_MODEL).end(Buffer.alloc(8 * 2 ** 20 + 1)),
  );
  const id = await harness.submit();
  const { reason } = await harness.untilState(id, 'failed');
  expect(reason).toContain('8388608 bytes');
  expect(await harness.ask(about(id, 'answer'))).toMatchObject({ what: 'fault', code: 'conflict' });
});

test('what does not begin in time expires', async () => {
  const harness = await start(refuse(503, 'unavailable'));
  const id = await harness.submit({ deadline: 20 });
  expect((await harness.untilState(id, 'expired')).reason).toContain('deadline');
});

test('who cancels a request that runs breaks it off', async () => {
  let isGone = false;
  const running = Promise.withResolvers<void>();
  const harness = await start((incoming) => {
    incoming.socket.on('close', () => (isGone = true));
    running.resolve();
  });
  const id = await harness.submit();
  await running.promise;
  expect(await harness.ask(about(id, 'cancel'))).toMatchObject({ view: { state: 'cancelled' } });
  await until('the model is free', () => isGone);
  expect((await harness.view(id)).state).toBe('cancelled');
});

test('a question that waits is answered when something changes, and not before', async () => {
  const go = Promise.withResolvers<void>();
  const harness = await start(async (incoming, response) => {
    await go.promise;
    OK(incoming, response);
  });
  const id = await harness.submit();
  await harness.untilState(id, 'running');
  const waiting = harness.ask(about(id, 'state', { wait: { seen: 'running.1', ms: 60_000 } }));
  let isTold = false;
  void waiting.then(() => (isTold = true));
  await harness.view(id);
  expect(isTold).toBe(false);
  go.resolve();
  expect(await waiting).toMatchObject({ ended: true, view: { state: 'done' } });
});

test('a request is its maker’s: for all others there is none', async () => {
  const harness = await start(OK);
  const own = await harness.submit();
  const open = await harness.submit({ caller: STRANGER });
  const other = { id: 'otherkey', kind: 'key' } as const;
  for (const caller of [STRANGER, other]) {
    for (const what of ['state', 'answer', 'cancel'] as const) {
      const reply = await harness.ask(about(own, what, { caller }));
      expect(reply).toMatchObject({ what: 'fault', code: 'not_found' });
    }
    expect(await harness.ask(about(open, 'state', { caller }))).toMatchObject({ what: 'state' });
  }
});

test.each([
  [{ caller: STRANGER }, 'unauthorized', 'requests.anonymous'],
  [{ model: 'none' }, 'not_found', 'default/none'],
  [{ webhook: 'https://10.0.0.1/' }, 'bad_request', 'not a public address'],
] as const)('%j is refused', async (change, code, words) => {
  const harness = await start(OK, { anonymous: false });
  const reply = await harness.ask({ type: 'submit', submission: makeSubmission(change) });
  expect(reply).toMatchObject({ what: 'fault', code });
  expect(reply).toHaveProperty('message', expect.stringContaining(words));
});

test('of large bodies as many are in hand as memory is meant for, and all of them arrive', async () => {
  const size = 4 * 2 ** 20;
  const body = Buffer.alloc(size, 1).toString('base64');
  const held: (() => void)[] = [];
  let most = 0;
  let isHeld = true;
  const harness = await start(async (incoming, response) => {
    const received = await buffer(incoming);
    expect(received.length).toBe(size);
    const answer = (): void => OK(incoming, response);
    if (isHeld) held.push(answer);
    else answer();
    const { running } = await harness.requests.store.requests.counts();
    most = Math.max(most, running * size);
  });
  // One after the other: all of them at once would be in memory here.
  const ids: string[] = [];
  for (let count = 0; count < 24; count++) {
    ids.push(await harness.submit({ model: `m${count % 2}`, target: '/', body }));
  }
  await until('some are held', () => held.length >= 8);
  isHeld = false;
  for (const answer of held) answer();
  for (const id of ids) await harness.untilState(id, 'done');
  expect(most).toBeLessThanOrEqual(68 * 2 ** 20);
});

test('one model that has no room keeps nothing from another', async () => {
  const harness = await start((incoming, response) => {
    if (incoming.url === '/busy') refuse(503, 'queue_full')(incoming, response);
    else OK(incoming, response);
  });
  const busy = Array.from({ length: 200 }, () =>
    harness.submit({ model: 'busy', target: '/busy' }),
  );
  const ids = await Promise.all(busy);
  const id = await harness.submit();
  await harness.untilState(id, 'done');
  expect((await harness.view(ids[0]!)).state).not.toBe('done');
});

test('one request that a model would rather have tomorrow keeps nothing from its others', async () => {
  const harness = await start((incoming, response) => {
    if (incoming.url === '/tomorrow') {
      response.writeHead(503, { ...BY_MODEL, 'retry-after': '86400' }).end();
    } else OK(incoming, response);
  });
  const first = await harness.submit({ target: '/tomorrow' });
  await until('it was tried', async () => (await harness.view(first)).nextAt! > Date.now() + 1e6);
  await harness.untilState(await harness.submit(), 'done');
});

test('300 webhooks to a receiver that fails half the time all arrive, signed, each taken once', async () => {
  const taken = new Map<string, number>();
  const port = await serve(async (incoming, response) => {
    await text(incoming);
    const { 'webhook-id': id, 'webhook-signature': signature } = incoming.headers;
    const fails = Math.random() < 0.5;
    if (!fails) taken.set(String(id), (taken.get(String(id)) ?? 0) + 1);
    expect(signature).toMatch(/^v1,/);
    response.writeHead(fails ? 500 : 200).end();
  });
  const harness = await start(OK);
  const webhook = `http://127.0.0.1:${port}/`;
  const ids = await Promise.all(Array.from({ length: 300 }, () => harness.submit({ webhook })));
  await until('all are told', async () => {
    return (await harness.metric('rouse_webhooks{state="delivered"}')) === ids.length;
  });
  expect([...taken.keys()].toSorted()).toEqual(
    ids.map((id) => id.replace('rq_', 'msg_')).toSorted(),
  );
  expect(new Set(taken.values())).toEqual(new Set([1]));
});

test('a webhook tells what became of the request, and where its answer is', async () => {
  const bodies: unknown[] = [];
  const port = await serve(async (incoming, response) => {
    bodies.push(JSON.parse(await text(incoming)));
    response.end();
  });
  const harness = await start(OK);
  const id = await harness.submit({ webhook: `http://127.0.0.1:${port}/` });
  await until('it is told', () => bodies.length === 1);
  expect(bodies[0]).toMatchObject({
    type: 'request.done',
    data: { id, state: 'done', status: 200, answer: `/requests/${id}/answer` },
  });
  expect(JSON.stringify(bodies[0])).not.toContain('abcdefgh');
});

test('a webhook is signed with the hour as it is, also after the clock was set', async () => {
  const times: number[] = [];
  const port = await serve((incoming, response) => {
    times.push(Number(incoming.headers['webhook-timestamp']));
    response.end();
  });
  const harness = await start(OK, { wall: { now: () => 2_000_000_000_000 } });
  await harness.submit({ webhook: `http://127.0.0.1:${port}/` });
  await until('it is told', () => times.length === 1);
  expect(times).toEqual([2_000_000_000]);
});

test('a receiver that is gone makes a dead letter, which can be replayed', async () => {
  let status = 410;
  const port = await serve((_incoming, response) => response.writeHead(status).end());
  const harness = await start(OK);
  const id = await harness.submit({ webhook: `http://127.0.0.1:${port}/` });
  await until('it is given up', async () => {
    return (await harness.metric('rouse_webhooks{state="dead"}')) === 1;
  });
  status = 200;
  const { requests } = harness;
  const delivery = id.replace('rq_', 'msg_');
  expect(await requests.store.deliveries.replay(delivery, Date.now())).toMatchObject({
    id: delivery,
  });
  requests.askDeliveries();
  await until('it is taken', async () => {
    return (await harness.metric('rouse_webhooks{state="delivered"}')) === 1;
  });
});
