import { once } from 'node:events';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Status } from '#activator/status/status.ts';
import { call, dial, makeInstance, makeModel, makeRevision } from '../harness.ts';
import { makeKey } from '../make-key.ts';
import { useHarness } from '../use-harness.ts';

const PATH = '/models/default/digits/';
const STATUS = '/status/models/default/digits';
const STREAM = { accept: 'text/event-stream' };

/** The test is a proxy for several callers; what says nothing of one is from the test itself. */
const harness = useHarness({}, { trustedProxies: ['127.0.0.1'] });
const from = (caller: string) => ({ 'X-Forwarded-For': caller });

beforeEach(async () => {
  const revision = makeRevision({ concurrency: 1, coldStartSeconds: 3 });
  await harness.publish(makeModel({ revisions: [revision] }));
});

async function wake(): Promise<void> {
  const started = await harness.startInstance((_, response) => response.end('model'));
  harness.publisher.update({ instances: [makeInstance(started.port)] });
}

async function ask(path = STATUS, headers: Record<string, string> = {}): Promise<Status> {
  const answer = await call(harness.port, path, { headers });
  expect(answer.status, answer.body).toBe(200);
  expect(answer.headers).toMatchObject({
    'content-type': 'application/json',
    'cache-control': 'no-store',
  });
  return JSON.parse(answer.body) as Status;
}

/** Follows a status; `events` grows as they come. */
async function follow(path: string, headers: Record<string, string> = STREAM) {
  const client = await dial(harness.port);
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  client.socket.write(
    `GET ${path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${fields.join('')}\r\n`,
  );
  return {
    until: (pattern: RegExp) => client.until(pattern),
    socket: client.socket,
    /** All of them, once the stream has ended. */
    async end(): Promise<{ event: string; status: Status }[]> {
      const text = await client.closed;
      client.socket.destroy();
      return [...text.matchAll(/event: (\w+)\ndata: (.*)\n/g)].map(([, event = '', data = '']) => ({
        event,
        status: JSON.parse(data) as Status,
      }));
    },
  };
}

describe('of a model of runtime url that was not reached', () => {
  async function away(until: number): Promise<void> {
    const startFailure = { message: 'nothing answers at http://far/: refused', until };
    const revision = makeRevision({ runtime: 'url', startFailure });
    await harness.serve(
      (_, response) => response.end('there'),
      makeModel({ revisions: [revision] }),
    );
  }
  const ready = () => call(harness.port, '/v2/models/digits/ready');

  test('it has failed, and is not ready, though its address is known', async () => {
    await away(Date.now() + 60_000);
    const reason = 'nothing answers at http://far/: refused';
    await expect.poll(() => ask()).toMatchObject({ state: 'failed', reason });
    const answer = await ready();
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body)).toMatchObject({ ready: false, state: 'failed', error: reason });
  });

  test('later it may be tried, but nothing else is known of it; who reaches it tells control once', async () => {
    await away(Date.now() - 3000);
    const reason = expect.stringMatching(/refused \(last known\)$/);
    await expect.poll(() => ask()).toMatchObject({ state: 'failed', reason });
    expect((await ready()).status).toBe(200);
    for (let i = 0; i < 3; i += 1) expect((await call(harness.port, PATH)).body).toBe('there');
    const { instance } = await harness.report('reached');
    expect(instance).toMatch(/^instance-/);
    expect(harness.reports.filter(({ type }) => type === 'reached')).toHaveLength(1);
  });
});

describe('the status of a model, as JSON', () => {
  const asleep = {
    namespace: 'default',
    model: 'digits',
    revision: 'v1',
    state: 'asleep',
    waiting: 0,
    inFlight: 0,
    expectedWaitSeconds: 3,
  };

  test.each([
    ['its own address', STATUS, {}],
    ['the path', PATH, { 'rouse-status': 'true' }],
    ['the header', '/any', { 'rouse-status': 'true', 'rouse-model': 'digits' }],
    ['the host', '/any', { 'rouse-status': 'true', host: 'digits.default.localhost' }],
    ['V2 metadata', '/v2/models/digits', { 'rouse-status': 'true' }],
    ['V2', '/v2/models/digits/infer', { 'rouse-status': 'true' }],
  ] as const)('by %s: asleep, and it stays so', async (_, path, headers) => {
    expect(await ask(path, { ...headers })).toEqual(asleep);
    expect(harness.reports.filter(({ type }) => type === 'wake')).toEqual([]);
  });

  test('starting, then awake; who waits is counted', async () => {
    const waiting = call(harness.port, PATH);
    await harness.report('wake');
    const starting = await ask();
    expect(starting).toMatchObject({ state: 'starting', waiting: 1 });
    expect(starting.expectedWaitSeconds, 'behind another, of unknown duration').toBeNull();
    await wake();
    await waiting;
    expect(await ask()).toEqual({ ...asleep, state: 'awake', expectedWaitSeconds: 0 });
  });

  test('failed, with the reason; preparing', async () => {
    const startFailure = { message: 'exited with status 3', until: Date.now() + 60_000 };
    harness.publisher.update({
      models: [
        makeModel({ revisions: [makeRevision({ startFailure })] }),
        makeModel({ name: 'new', revisions: [makeRevision({ state: 'Preparing' })] }),
      ],
    });
    const isKnown = async (): Promise<boolean> =>
      (await call(harness.port, '/status/models/default/new')).status === 200;
    while (!(await isKnown()));
    expect(await ask()).toMatchObject({ state: 'failed', reason: 'exited with status 3' });
    const preparing = await ask('/status/models/default/new');
    expect(preparing).toMatchObject({ state: 'preparing', expectedWaitSeconds: null });
  });

  test('a failed start is told while it is tried again, and after', async () => {
    const leaver = await dial(harness.port);
    leaver.socket.write(`GET ${PATH} HTTP/1.1\r\nHost: h\r\n\r\n`);
    await harness.report('wake');
    const startFailure = { message: 'exited with status 3', until: 0 };
    harness.publisher.update({
      models: [makeModel({ revisions: [makeRevision({ startFailure })] })],
    });
    const told = { reason: 'exited with status 3' };
    let status = await ask();
    while (status.reason === undefined) status = await ask();
    expect(status).toMatchObject({ ...told, state: 'starting', waiting: 1 });
    leaver.socket.destroy();
    const startAgain = { message: 'exited with status 3 (2 failed starts in a row)', until: 0 };
    while (status.waiting > 0) status = await ask();
    harness.publisher.update({
      models: [makeModel({ revisions: [makeRevision({ startFailure: startAgain })] })],
    });
    while (status.state !== 'failed') status = await ask();
    expect(status).toMatchObject({ reason: startAgain.message, expectedWaitSeconds: null });
    const metadata = await call(harness.port, '/v2/models/digits');
    expect(JSON.parse(metadata.body)).toMatchObject({ state: 'failed' });
  });

  test('parked: with its own wait, which the Retry-After is made of, too', async () => {
    harness.publisher.update({
      models: [makeModel({ revisions: [makeRevision({ coldStartSeconds: 6 })] })],
      instances: [makeInstance(1, { state: 'parked' })],
    });
    let status = await ask();
    while (status.state === 'asleep') status = await ask();
    expect(status).toMatchObject({ state: 'parked', expectedWaitSeconds: 0.05 });
    const refused = await call(harness.port, PATH, { headers: { 'rouse-hold': '0' } });
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1']);
  });

  test('a named request is told its place and its wait', async () => {
    const name = (id: string) => ({ headers: { 'Rouse-Request-Id': id } });
    const sent = [call(harness.port, PATH, name('first'))];
    await harness.report('wake', ({ queued }) => queued === 1);
    sent.push(call(harness.port, PATH, name('second')));
    await harness.report('wake', ({ queued }) => queued === 2);
    expect((await ask(`${STATUS}?request=second`)).request).toMatchObject({
      id: 'second',
      state: 'waiting',
      position: 2,
    });
    expect((await ask(`${PATH}?request=first`, { 'Rouse-Status': 'true' })).request).toMatchObject({
      position: 1,
    });
    const unknown = { id: 'third', state: 'unknown' };
    expect((await ask(`${STATUS}?request=third`)).request).toEqual(unknown);
    await wake();
    await Promise.all(sent);
    const granted = { id: 'first', state: 'granted' };
    expect((await ask(`${STATUS}?request=first`)).request, 'it was asked for').toEqual(granted);
  });

  test.each(['f$o', 'a%20b', 'x'.repeat(129)])('a name of %s is refused', async (name) => {
    const answer = await call(harness.port, `${STATUS}?a=1&request=${name}`);
    expect(answer.status).toBe(400);
    expect(answer.body).toContain('it must be 1 to 128 letters');
    // At the model's own address the query is the model's.
    const own = await ask(`${PATH}?request=${name}`, { 'Rouse-Status': 'true' });
    expect(own).not.toHaveProperty('request');
  });

  test('a name is forgotten with its request: the next on the connection has none', async () => {
    const client = await dial(harness.port);
    const head = `GET ${PATH} HTTP/1.1\r\nHost: h\r\n`;
    client.socket.write(`${head}Rouse-Hold: 1ms\r\nRouse-Request-Id: first\r\n\r\n`);
    await client.until(/ 504 /);
    client.socket.write(`${head}\r\n`);
    while ((await ask()).waiting === 0);
    expect((await ask(`${STATUS}?request=first`)).request?.state).toBe('unknown');
    client.socket.destroy();
  });

  test('a name is of its caller alone: to others it is unknown, and theirs takes nothing away', async () => {
    const name = { 'Rouse-Request-Id': 'mine' };
    const own = { ...from('192.0.2.1'), ...name };
    const path = `${STATUS}?request=mine`;
    const unknown = { id: 'mine', state: 'unknown' };
    const sent = call(harness.port, PATH, { headers: own });
    await harness.report('wake', ({ queued }) => queued === 1);
    expect((await ask(path, from('192.0.2.1'))).request).toMatchObject({ position: 1 });
    expect((await ask(path, from('192.0.2.2'))).request).toEqual(unknown);
    const thief = await dial(harness.port);
    const fields = 'X-Forwarded-For: 192.0.2.2\r\nRouse-Request-Id: mine\r\n';
    thief.socket.write(`GET ${PATH} HTTP/1.1\r\nHost: h\r\n${fields}\r\n`);
    await harness.report('wake', ({ queued }) => queued === 2);
    expect((await ask(path, from('192.0.2.1'))).request).toMatchObject({ position: 1 });
    expect((await ask(path, from('192.0.2.2'))).request).toMatchObject({ position: 2 });
    const stream = await follow(path, { ...STREAM, ...from('192.0.2.1') });
    await stream.until(/"position":1/);
    thief.socket.destroy();
    while ((await ask()).waiting > 1);
    await wake();
    expect((await sent).status).toBe(200);
    expect((await stream.end()).at(-1)?.status.request).toEqual({ id: 'mine', state: 'granted' });
    expect((await ask(path, from('192.0.2.2'))).request?.state).not.toBe('granted');
  });

  test('who has named a request with a key asks for it with the key', async () => {
    const { key, secret } = makeKey('normal');
    harness.publisher.update({ keys: [key] });
    const shown = { authorization: `Bearer ${secret}` };
    while ((await call(harness.port, STATUS, { headers: shown })).status === 401);
    const headers = { ...shown, 'Rouse-Request-Id': 'mine' };
    const leaver = await dial(harness.port);
    const fields = Object.entries(headers).map(([field, value]) => `${field}: ${value}\r\n`);
    leaver.socket.write(`GET ${PATH} HTTP/1.1\r\nHost: h\r\n${fields.join('')}\r\n`);
    await harness.report('wake');
    const path = `${STATUS}?request=mine`;
    expect((await ask(path)).request?.state).toBe('unknown');
    expect((await ask(path, shown)).request?.state).toBe('waiting');
    // On one connection: who asks is read anew each time.
    const client = await dial(harness.port);
    const asks = (line: string): string => `GET ${path} HTTP/1.1\r\nHost: h\r\n${line}\r\n`;
    client.socket.write(asks(`Authorization: Bearer ${secret}\r\n`) + asks(''));
    await client.until(/"waiting","position[^]*"unknown"/);
    const wrong = { authorization: `Bearer ${makeKey('normal').secret}` };
    expect((await call(harness.port, path, { headers: wrong })).status).toBe(401);
    client.socket.destroy();
    leaver.socket.destroy();
  });

  test.each([
    [STATUS, {}],
    [STATUS, STREAM],
    [PATH, { 'rouse-status': 'true' }],
  ] as const)(
    'HEAD %s %j: as GET, without the body, and nothing is woken',
    async (path, headers) => {
      const answer = await call(harness.port, path, { method: 'HEAD', headers: { ...headers } });
      expect(answer).toMatchObject({ status: 200, body: '' });
      expect(answer.headers['content-type']).toBe('application/json');
      expect((await ask()).state).toBe('asleep');
    },
  );

  test('with "wake" the model is woken, unless it is awake or cannot start; with "true" it is not', async () => {
    const wakes = () => harness.reports.filter(({ type }) => type === 'wake').length;
    expect((await ask(PATH, { 'rouse-status': 'true' })).state).toBe('asleep');
    expect(wakes()).toBe(0);
    expect((await ask(PATH, { 'rouse-status': 'wake' })).state).toBe('starting');
    expect(wakes()).toBe(1);
    await wake();
    await expect.poll(async () => (await ask()).state).toBe('awake');
    await ask(PATH, { 'rouse-status': 'wake' });
    const startFailure = { message: 'exited with status 3', until: Date.now() + 60_000 };
    const revision = makeRevision({ name: 'v2', startFailure });
    harness.publisher.update({ models: [makeModel({ revisions: [makeRevision(), revision] })] });
    const failed = { 'rouse-status': 'wake', 'rouse-revision': 'v2' };
    await expect
      .poll(async () => (await call(harness.port, PATH, { headers: failed })).body)
      .toContain('"failed"');
    expect(wakes()).toBe(1);
  });

  test.each([
    [404, '/status/models/default/nothing', {}],
    [404, '/status/else', {}],
    [404, STATUS, { 'rouse-revision': 'v9' }],
    [400, PATH, { 'rouse-status': 'please' }],
    [400, PATH, { 'rouse-request-id': 'a b' }],
  ] as const)('%d: %s %j', async (status, path, headers) => {
    expect((await call(harness.port, path, { headers: { ...headers } })).status).toBe(status);
  });

  test.each([
    ['rouse-hold', '5 apples', 'Rouse-Hold is "5 apples"; it must be a duration such as'],
    [
      'rouse-priority',
      'x'.repeat(500),
      `Rouse-Priority is "${'x'.repeat(130)}…"; it must be one of`,
    ],
    ['rouse-status', '"yes"', String.raw`Rouse-Status is "\"yes\""; it must be true, or wake`],
    ['rouse-request-id', 'a b', 'Rouse-Request-Id is "a b"; it must be 1 to 128 letters'],
  ])('%s: %s is refused with what was found', async (name, value, words) => {
    const { status, body } = await call(harness.port, PATH, { headers: { [name]: value } });
    expect(status).toBe(400);
    expect((JSON.parse(body) as { detail: string }).detail).toContain(words);
  });

  test('what is no GET goes to the model, and the header ends here', async () => {
    let seen: unknown;
    const started = await harness.startInstance((incoming, response) => {
      seen = incoming.headers;
      response.end('model');
    });
    harness.publisher.update({ instances: [makeInstance(started.port)] });
    const headers = { 'rouse-status': 'true', 'rouse-request-id': 'x', 'rouse-priority': 'low' };
    const answer = await call(harness.port, PATH, { headers, body: '{}' });
    expect(answer.body).toBe('model');
    expect(Object.keys(seen as object).filter((name) => name.startsWith('rouse'))).toEqual([]);
  });
});

describe('the status of a model, as events', () => {
  test('each change, and an end when it is awake', async () => {
    const stream = await follow(STATUS);
    await stream.until(/"asleep"/);
    const waiting = call(harness.port, PATH);
    await stream.until(/"starting"[^]*"waiting":1/);
    await wake();
    await waiting;
    const events = await stream.end();
    const states = events.map(({ event, status }) => `${event} ${status.state}`);
    expect(states[0]).toBe('status asleep');
    expect(states.slice(1, -1).every((state) => state === 'status starting')).toBe(true);
    expect(states.at(-1)).toBe('end awake');
  });

  test('with "wake" it keeps the model waking, as the waiting page does; with "true" it does not', async () => {
    const quiet = await follow(PATH, { ...STREAM, 'rouse-status': 'true' });
    await quiet.until(/"asleep"/);
    expect(harness.reports.filter(({ type }) => type === 'wake')).toEqual([]);
    const waking = await follow(PATH, { ...STREAM, 'rouse-status': 'wake' });
    await quiet.until(/"starting"/);
    const wakes = () => harness.reports.filter(({ type }) => type === 'wake').length;
    await harness.report('wake', () => wakes() >= 2);
    await wake();
    expect((await waking.end()).at(-1)).toMatchObject({ event: 'end', status: { state: 'awake' } });
    expect((await quiet.end()).at(-1)).toMatchObject({ event: 'end' });
  });

  test('with "wake" it ends when a start has failed, and asks for no other', async () => {
    const waking = await follow(PATH, { ...STREAM, 'rouse-status': 'wake' });
    await waking.until(/"starting"/);
    const startFailure = { message: 'exited with status 3', until: 0 };
    harness.publisher.update({
      models: [makeModel({ revisions: [makeRevision({ startFailure })] })],
    });
    expect((await waking.end()).at(-1)).toMatchObject({
      event: 'end',
      status: { state: 'failed', reason: 'exited with status 3' },
    });
    const wakes = () => harness.reports.filter(({ type }) => type === 'wake').length;
    const before = wakes();
    const again = await follow(PATH, { ...STREAM, 'rouse-status': 'wake' });
    expect((await again.end()).map(({ event }) => event)).toEqual(['end']);
    expect(wakes()).toBe(before);
  });

  test('a named request: its place, then that it was granted', async () => {
    const stream = await follow(`${STATUS}?request=mine`);
    await stream.until(/"unknown"/);
    const waiting = call(harness.port, PATH, { headers: { 'Rouse-Request-Id': 'mine' } });
    await stream.until(/"position":1/);
    await wake();
    expect((await waiting).status).toBe(200);
    const { event, status } = (await stream.end()).at(-1)!;
    expect(event).toBe('end');
    expect(status.request).toEqual({ id: 'mine', state: 'granted' });
  });

  test('a named request that is refused, or whose caller leaves', async () => {
    for (const leave of [false, true]) {
      const stream = await follow(`${STATUS}?request=mine`);
      await stream.until(/"unknown"/);
      const caller = await dial(harness.port);
      const hold = leave ? '' : 'Rouse-Hold: 300ms\r\n';
      caller.socket.write(
        `GET ${PATH} HTTP/1.1\r\nHost: h\r\nRouse-Request-Id: mine\r\n${hold}\r\n`,
      );
      if (leave) {
        await stream.until(/"position":1/);
        caller.socket.destroy();
      }
      expect((await stream.end()).at(-1)?.status.request).toEqual({ id: 'mine', state: 'refused' });
      caller.socket.destroy();
    }
  });

  test('a watcher that leaves is forgotten; so many of a caller may follow, and so many in all', async () => {
    const asCaller = (i: number) => ({ ...STREAM, ...from(`192.0.2.${i}`) });
    const refused = async (i: number) => await call(harness.port, STATUS, { headers: asCaller(i) });
    const streams = [];
    for (let i = 0; i < 256; i += 1) {
      if (i === 32) {
        const tooMany = await refused(0);
        expect([tooMany.status, tooMany.headers['retry-after']]).toEqual([429, '1']);
        expect(JSON.parse(tooMany.body)).toMatchObject({ code: 'caller_over_share' });
        expect(tooMany.body).toContain('32');
        expect((await ask(STATUS, from('192.0.2.0'))).state, 'without events').toBe('asleep');
      }
      const stream = await follow(STATUS, asCaller(Math.floor(i / 32)));
      await stream.until(/event/);
      streams.push(stream);
    }
    const full = await refused(9);
    expect([full.status, full.headers['retry-after']]).toEqual([503, '1']);
    expect((await ask()).state, 'without events').toBe('asleep');
    streams[0]?.socket.destroy();
    const head = await call(harness.port, `${STATUS}?x`, { headers: STREAM, method: 'HEAD' });
    expect(head.status, 'a HEAD follows nothing').toBe(200);
    const next = await dial(harness.port);
    const request = `GET ${STATUS} HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\nX-Forwarded-For: 192.0.2.0\r\n\r\n`;
    for (let i = 1; !/ 200 /.test(next.text()); i += 1) {
      next.socket.write(request);
      await next.until(new RegExp(`(?:HTTP/1.1 [^]*){${i}}`));
    }
    for (const stream of [...streams, next]) stream.socket.destroy();
    await once(next.socket, 'close');
    expect((await call(harness.port, STATUS)).status).toBe(200);
  });

  test('a data plane that closes ends the streams', async () => {
    const client = await dial(harness.port);
    client.socket.write(`GET ${STATUS} HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\n\r\n`);
    await client.until(/event: status/);
    const closing = harness.activator.close(60_000);
    expect(await client.closed).toMatch(/event: end[^]*\r\n0\r\n\r\n$/);
    client.socket.destroy();
    await closing;
  });
});
