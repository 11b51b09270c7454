import { expect, test } from 'vitest';
import type { Report } from '#bus/publisher.ts';
import type { RequestInquiry, RequestReply, Submission } from '#bus/requests.ts';
import { type AsyncRequest, makeRequestView } from '#domain/async-request.ts';
import { until } from '#test/until.ts';
import { call, dial, makeModel } from '../harness.ts';
import { ask, openSession } from '../http2/client.ts';
import { makeKey } from '../make-key.ts';
import { useHarness } from '../use-harness.ts';

const harness = useHarness({}, {}, undefined, undefined, undefined, { roll: () => 0 });
const ID = `rq_${'0a'.repeat(20)}`;
const ASYNC = { prefer: 'respond-async' };
const INFER = '/v2/models/digits/infer';

function stateOf(change: Partial<AsyncRequest> = {}): RequestReply {
  const request: AsyncRequest = {
    id: ID,
    namespace: 'default',
    model: 'digits',
    caller: '127.0.0.1',
    priority: 'low',
    method: 'POST',
    target: INFER,
    state: 'waiting',
    attempts: 0,
    createdAt: 1,
    beginBy: 2,
    reason: '',
    ...change,
  };
  const ended = !['waiting', 'running'].includes(request.state);
  return { what: 'state', view: makeRequestView(request), seen: request.state, ended };
}

/** Control, as the test wants it: it answers all submissions, also those that came before. */
function onSubmit(answer: (submission: Submission) => RequestReply): void {
  answerAll((report) => (report.type === 'submit' ? answer(report.submission) : undefined));
}

/** Those that have been accepted. */
function acceptAll(): readonly Submission[] {
  const accepted: Submission[] = [];
  onSubmit((submission) => {
    accepted.push(submission);
    return stateOf();
  });
  return accepted;
}

function onInquire(answer: (inquiry: RequestInquiry) => RequestReply | undefined): void {
  answerAll((report) => (report.type === 'inquire' ? answer(report.inquiry) : undefined));
}

function answerAll(answer: (report: Report) => RequestReply | undefined): void {
  const { publisher } = harness;
  harness.onReport((report) => {
    const reply = answer(report);
    if (reply && 'id' in report) publisher.reply('test', report.id, reply);
  });
}

test('what is not waited for goes to control whole, without what is for this hop, and is accepted', async () => {
  await harness.publish();
  const got = acceptAll();
  const answer = await call(harness.port, `${INFER}?a=1`, {
    body: Buffer.from([0, 255, 13, 10]),
    headers: {
      ...ASYNC,
      host: 'models.example:8080',
      'content-type': 'application/octet-stream',
      'x-own': 'kept',
      'accept-encoding': 'gzip',
      'rouse-priority': 'low',
      'rouse-webhook': 'https://hooks.example/x',
      'rouse-deadline': '90s',
      'idempotency-key': 'k-1',
    },
  });
  expect(answer.status).toBe(202);
  expect(answer.headers).toMatchObject({
    location: `/requests/${ID}`,
    'preference-applied': 'respond-async',
  });
  expect(JSON.parse(answer.body)).toMatchObject({ id: ID, state: 'waiting' });
  const { fields, ...rest } = got[0]!;
  expect(rest).toEqual({
    namespace: 'default',
    model: 'digits',
    caller: { id: '127.0.0.1', kind: 'address' },
    method: 'POST',
    target: `${INFER}?a=1`,
    host: 'models.example:8080',
    body: 'AP8NCg==',
    priority: 'low',
    webhook: 'https://hooks.example/x',
    deadline: 90_000,
    idempotencyKey: 'k-1',
  });
  const names = fields.split('\r\n').map((line) => line.split(':')[0]?.toLowerCase());
  expect(
    names.filter((name) => name !== '').toSorted((a = '', b = '') => a.localeCompare(b)),
  ).toEqual(['content-type', 'idempotency-key', 'x-own']);
});

test('the model is found as for any request, by its host and by the body, too', async () => {
  await harness.publish();
  const got = acceptAll();
  const byHost = { ...ASYNC, host: 'digits.default.localhost' };
  expect((await call(harness.port, '/any', { body: 'x', headers: byHost })).status).toBe(202);
  const chat = JSON.stringify({ model: 'digits', messages: [] });
  const byBody = await call(harness.port, '/v1/chat/completions', { body: chat, headers: ASYNC });
  expect(byBody.status).toBe(202);
  expect(got.map(({ model, target }) => [model, target])).toEqual([
    ['digits', '/any'],
    ['digits', '/v1/chat/completions'],
  ]);
  expect(Buffer.from(got[1]?.body ?? '', 'base64').toString()).toBe(chat);
  const none = await call(harness.port, '/v2/models/none/infer', { body: 'x', headers: ASYNC });
  expect(none.status).toBe(404);
});

test('a sleeping model is not woken by what is only stored', async () => {
  await harness.publish();
  onSubmit(() => stateOf());
  await call(harness.port, INFER, { body: 'x', headers: ASYNC });
  expect(harness.reports.filter(({ type }) => type === 'wake')).toEqual([]);
});

test('a body in pieces is read as a whole, and a caller is asked for it', async () => {
  await harness.publish();
  const got = acceptAll();
  const caller = await dial(harness.port);
  caller.socket.write(
    `POST ${INFER} HTTP/1.1\r\nHost: x\r\nPrefer: respond-async\r\nExpect: 100-continue\r\n` +
      'Transfer-Encoding: chunked\r\n\r\n',
  );
  await caller.until(/100 Continue\r\n\r\n/);
  caller.socket.write('3\r\nabc\r\n');
  caller.socket.write('2\r\nde\r\n0\r\n\r\n');
  await caller.until(/ 202 Accepted\r\n/);
  expect(Buffer.from(got[0]?.body ?? '', 'base64').toString()).toBe('abcde');
  // The connection goes on.
  caller.socket.end('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  await caller.until(/ 200 OK\r\n/);
});

test('a body that is too large is refused, and holds no bytes afterwards', async () => {
  await harness.publish();
  const body = Buffer.alloc(8 * 2 ** 20 + 1);
  const answer = await call(harness.port, INFER, { body, headers: ASYNC });
  expect(answer.status).toBe(413);
  expect(harness.reports.filter(({ type }) => type === 'submit')).toEqual([]);
  await until('nothing is held', async () => (await harness.gauge('rouse_held_bytes')) === 0);
});

test.each([
  ['rouse-deadline', 'soon'],
  ['rouse-webhook', 'ftp://hooks.example'],
  ['rouse-webhook', 'https://user:secret@hooks.example'],
  ['idempotency-key', 'k'.repeat(256)],
])('%s: %s is refused by name', async (name, value) => {
  await harness.publish();
  const answer = await call(harness.port, INFER, {
    body: 'x',
    headers: { ...ASYNC, [name]: value },
  });
  expect(answer.status).toBe(400);
  expect(answer.body.toLowerCase()).toContain(name);
});

test('what control refuses is refused in the envelope of the protocol', async () => {
  await harness.publish();
  onSubmit(() => ({ what: 'fault', code: 'queue_full', message: 'Full.', retryAfter: 7 }));
  const answer = await call(harness.port, INFER, { body: 'x', headers: ASYNC });
  expect(answer.status).toBe(503);
  expect(answer.headers['retry-after']).toBe('7');
  expect(JSON.parse(answer.body)).toEqual({ error: 'Full.', code: 'queue_full' });
});

test('when control goes away callers are told so, at once and while they wait', async () => {
  await harness.publish();
  const waiting = call(harness.port, INFER, { body: 'x', headers: ASYNC });
  await harness.report('submit');
  await harness.publisher.close();
  const later = await call(harness.port, `/requests/${ID}`);
  for (const answer of [await waiting, later]) {
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBe('1');
  }
});

test('who waits for a while gets the answer itself, when it comes in time', async () => {
  await harness.publish();
  onSubmit(() => stateOf());
  onInquire(({ about, wait }) => {
    if (about === 'answer') {
      return {
        what: 'answer',
        status: 418,
        fields: 'X-A: b\r\nContent-Type: a/b\r\n',
        body: 'AP8=',
      };
    }
    return wait ? stateOf({ state: 'done', status: 418 }) : stateOf({ state: 'running' });
  });
  const headers = { prefer: 'respond-async, wait=20' };
  const answer = await call(harness.port, INFER, { body: 'x', headers });
  expect(answer.status).toBe(418);
  expect(answer.headers).toMatchObject({
    'content-type': 'a/b',
    'x-a': 'b',
    'content-length': '2',
  });
});

test('who leaves while waiting is forgotten at control', async () => {
  await harness.publish();
  onSubmit(() => stateOf());
  const caller = await dial(harness.port);
  caller.socket.write(
    `POST ${INFER} HTTP/1.1\r\nHost: x\r\nPrefer: respond-async, wait=60\r\nContent-Length: 0\r\n\r\n`,
  );
  const { id } = await harness.report('inquire');
  caller.socket.destroy();
  expect((await harness.report('dismiss')).id).toBe(id);
});

test('state, answer and cancel are asked for by the path, also at the host of a model', async () => {
  await harness.publish();
  const asked: RequestInquiry[] = [];
  onInquire((inquiry) => {
    asked.push(inquiry);
    if (inquiry.about === 'answer') return { what: 'fault', code: 'conflict', message: 'Not yet.' };
    return stateOf({ state: inquiry.about === 'cancel' ? 'cancelled' : 'running' });
  });
  const host = { host: 'digits.default.localhost' };
  const shown = await call(harness.port, `/requests/${ID}`, { headers: host });
  expect([shown.status, JSON.parse(shown.body).state]).toEqual([200, 'running']);
  expect(shown.headers['cache-control']).toBe('no-store');
  expect((await call(harness.port, `/requests/${ID}/answer`)).status).toBe(409);
  const cancelled = await call(harness.port, `/requests/${ID}`, { method: 'DELETE' });
  expect(JSON.parse(cancelled.body).state).toBe('cancelled');
  expect(asked.map(({ about, request }) => [about, request])).toEqual([
    ['state', ID],
    ['answer', ID],
    ['cancel', ID],
  ]);
  expect((await call(harness.port, `/requests/rq_1`)).status).toBe(404);
});

test('a model gets a path of its own that only looks like one', async () => {
  await harness.serve((incoming, response) => response.end(incoming.url));
  const host = { host: 'digits.default.localhost' };
  expect((await call(harness.port, '/requests/17', { headers: host })).body).toBe('/requests/17');
});

test('each change is an event, and the end is the last', async () => {
  await harness.publish();
  const states = [
    stateOf(),
    stateOf({ state: 'running' }),
    stateOf({ state: 'done', status: 200 }),
  ];
  onInquire(() => states.shift());
  const answer = await call(harness.port, `/requests/${ID}`, {
    headers: { accept: 'text/event-stream' },
  });
  expect(answer.headers['content-type']).toBe('text/event-stream');
  const events = answer.body.trimEnd().split('\n\n');
  expect(events.map((event) => event.split('\n')[0])).toEqual([
    'event: state',
    'event: state',
    'event: end',
  ]);
});

test('without the preference nothing changes, and others than respond-async go on', async () => {
  await harness.serve((incoming, response) => response.end(String(incoming.headers['prefer'])));
  const headers = { prefer: 'return=minimal' };
  const answer = await call(harness.port, INFER, { body: 'x', headers });
  expect([answer.status, answer.body]).toEqual([200, 'return=minimal']);
  expect(harness.reports.filter(({ type }) => type === 'submit')).toEqual([]);
});

test('so many bytes are on their way to control at once; what is more waits for its turn', async () => {
  await harness.publish(makeModel());
  const body = Buffer.alloc(6 * 2 ** 20);
  const calls = Array.from({ length: 6 }, () =>
    call(harness.port, INFER, { body, headers: ASYNC }),
  );
  const sent = () => harness.reports.filter((report) => report.type === 'submit');
  await until('some are on their way', () => sent().length === 4);
  const [first] = sent();
  harness.publisher.reply('test', first!.id, stateOf());
  await until('the next one is', () => sent().length === 5);
  onSubmit(() => stateOf());
  for (const one of await Promise.all(calls)) expect(one.status).toBe(202);
});

test('a key of Rouse says whose request it is, and goes no further; any other goes to the model', async () => {
  await harness.publish();
  const { key, secret } = makeKey('high');
  harness.publisher.update({ keys: [key] });
  const got = acceptAll();
  for (const authorization of [`Bearer ${secret}`, 'Bearer foreign']) {
    await call(harness.port, INFER, { body: 'x', headers: { ...ASYNC, authorization } });
  }
  expect(got.map(({ caller }) => caller)).toEqual([
    { id: key.id, kind: 'key' },
    { id: '127.0.0.1', kind: 'address' },
  ]);
  expect(got[0]?.fields).not.toMatch(/authorization|rk_/i);
  expect(got[1]?.fields).toMatch(/authorization: Bearer foreign\r\n/i);
  const unknown = { ...ASYNC, authorization: `Bearer rk_abcdefgh_${'a'.repeat(43)}` };
  expect((await call(harness.port, INFER, { body: 'x', headers: unknown })).status).toBe(401);
  expect(got).toHaveLength(2);
});

test('over HTTP/2 it is the same', async () => {
  await harness.publish();
  onSubmit((submission) => stateOf({ target: submission.target }));
  onInquire(() => ({ what: 'answer', status: 200, fields: 'Content-Type: a/b\r\n', body: 'AP8=' }));
  const session = await openSession(harness.port);
  harness.teardown(() => session.destroy());
  const post = { ':method': 'POST', ':path': INFER, ...ASYNC };
  const accepted = await ask(session, post, 'x');
  expect([accepted.status, accepted.headers.location]).toEqual([202, `/requests/${ID}`]);
  const answer = await ask(session, { ':path': `/requests/${ID}/answer` });
  expect([answer.status, answer.headers['content-type']]).toEqual([200, 'a/b']);
});

test('a data plane that ends lets go of those who wait, and what is stored stays accepted', async () => {
  await harness.publish();
  onSubmit(() => stateOf());
  onInquire(({ wait }) => (wait ? undefined : stateOf({ state: 'running' })));
  const accepted = call(harness.port, INFER, {
    body: 'x',
    headers: { prefer: 'respond-async, wait=600' },
  });
  const asked = call(harness.port, `/requests/${ID}`, { headers: { prefer: 'wait=600' } });
  await until('both wait', () => {
    const waiting = harness.reports.filter(
      (report) => report.type === 'inquire' && report.inquiry.wait,
    );
    return waiting.length === 2;
  });
  await harness.activator.close(600_000);
  expect((await accepted).status).toBe(202);
  expect((await asked).status).toBe(503);
});
