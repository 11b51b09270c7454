import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { PlaneLimits } from '#activator/plane.ts';
import { until } from '#test/until.ts';
import {
  call,
  dial,
  makeInstance,
  makeModel,
  makeRevision,
  startHarness,
  startStill,
  type StillHarness,
} from '../harness.ts';
import { useHarness } from '../use-harness.ts';

const harness = useHarness();

const PATH = '/models/default/digits/';
const one = { concurrency: 1 };
/** Idle connections that are kept of an instance. */
const KEPT = 256;

/** While time stands still, an instance that could not be reached is not tried again. */
async function startOther(limits: Partial<PlaneLimits> = {}): Promise<StillHarness> {
  const still = await startStill(limits);
  harness.teardown(() => still.close());
  return still;
}

/** No more, either. */
async function untilOneWaits(): Promise<void> {
  await until('one waits', async () => (await harness.gauge('rouse_queue_depth')) === 1);
}

describe('a sleeping model', () => {
  test('wakes at once, and the request is answered by the instance that comes', async () => {
    await harness.publish();
    const started = await harness.startInstance((_, response) => response.end('awake'));
    const answer = call(harness.port, PATH);
    expect(await harness.report('wake')).toMatchObject({
      revision: 'default/digits/v1',
      queued: 1,
    });
    harness.publisher.update({ instances: [makeInstance(started.port)] });
    expect(await answer).toMatchObject({ status: 200, body: 'awake' });
    expect((await answer).headers).toMatchObject({ 'rouse-cold-start': 'true' });
    expect((await answer).headers['server-timing']).toMatch(
      /^queue;dur=[\d.]+, start;dur=[\d.]+, load;dur=[\d.]+, infer;dur=[\d.]+$/,
    );
    const again = await call(harness.port, PATH);
    expect(again.headers).toMatchObject({ 'rouse-cold-start': 'false' });
  });

  test('2,000 requests, one at a time at the instance: all answered, in order, none lost', async () => {
    const total = 2000;
    await harness.publish(makeModel({ revisions: [makeRevision(one)] }));
    const order: number[] = [];
    let running = 0;
    let most = 0;
    const started = await harness.startInstance((incoming, response) => {
      most = Math.max(most, (running += 1));
      order.push(Number(incoming.url?.slice(1)));
      setImmediate(() => {
        running -= 1;
        response.end(incoming.url);
      });
    });
    const clients = [];
    for (let i = 0; i < total; i += 1) {
      const client = await dial(harness.port);
      client.socket.write(`GET ${PATH}${i} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);
      clients.push(client);
    }
    await harness.untilQueued(total);
    harness.publisher.update({ instances: [makeInstance(started.port)] });
    const texts = await Promise.all(clients.map((client) => client.closed));
    for (const [i, text] of texts.entries()) {
      expect(text).toMatch(/^HTTP\/1\.1 200 /);
      expect(text.endsWith(`/${i}`)).toBe(true);
    }
    expect(order).toEqual(Array.from({ length: total }, (_, i) => i));
    expect(most).toBe(1);
  });

  test('with room for 100, 100 wait and the others are refused at once with 503 and Retry-After', async () => {
    const queue = { requests: 100, bytes: 1_000_000 };
    const revisions = [makeRevision({ ...one, coldStartSeconds: 600 })];
    await harness.publish(makeModel({ queue, revisions }));
    const started = await harness.startInstance((_, response) => response.end());
    const come = (count: number) => Array.from({ length: count }, () => call(harness.port, PATH));
    const waiting = come(100);
    await harness.untilQueued(100);
    for (let batch = 0; batch < 5; batch += 1) {
      // Not all at once: the system accepts a few hundred ahead of us, and forgets others in the end.
      for (const { status, headers } of await Promise.all(come(380))) {
        expect(status).toBe(503);
        const retry = Number(headers['retry-after']);
        expect(retry, 'what is left of the start').toBeGreaterThan(500);
        expect(retry).toBeLessThanOrEqual(600);
      }
    }
    harness.publisher.update({ instances: [makeInstance(started.port)] });
    for (const { status } of await Promise.all(waiting)) expect(status).toBe(200);
  });

  test('waiting bodies are counted: what would pass the limit is refused', async () => {
    await harness.publish(makeModel({ queue: { requests: 100, bytes: 1000 } }));
    const started = await harness.startInstance((incoming, response) => {
      incoming.resume();
      incoming.on('end', () => response.end());
    });
    const first = call(harness.port, PATH, { body: 'a'.repeat(600) });
    await harness.untilQueued(1);
    const second = await call(harness.port, PATH, { body: 'a'.repeat(600) });
    expect(second.status).toBe(503);
    expect(JSON.parse(second.body)).toMatchObject({ code: 'queue_full' });
    harness.publisher.update({ instances: [makeInstance(started.port)] });
    expect((await first).status).toBe(200);
  });

  test('bodies of all waiting requests share one limit, whatever their models', async () => {
    const small = await startHarness({ heldBytes: 1000 });
    harness.teardown(() => small.close());
    const models = ['one', 'two'].map((name) => makeModel({ name }));
    small.publisher.update({ models });
    await small.activator.ready;
    const first = call(small.port, '/models/default/one/', { body: 'a'.repeat(900) });
    await small.report('load', (report) => report.revisions.some((load) => load.queued === 1));
    const second = await call(small.port, '/models/default/two/', { body: 'a'.repeat(900) });
    expect(second.status).toBe(503);
    expect(JSON.parse(second.body)).toMatchObject({ code: 'unavailable' });
    const started = await harness.startInstance((incoming, response) => incoming.pipe(response));
    const at = makeInstance(started.port, { revision: 'default/one/v1' });
    small.publisher.update({ instances: [at] });
    expect((await first).body).toBe('a'.repeat(900));
    const third = call(small.port, '/models/default/two/', { body: 'a'.repeat(1000) });
    await small.report('wake', (report) => report.revision === 'default/two/v1');
    small.publisher.update({
      instances: [makeInstance(started.port, { id: 'other', revision: 'default/two/v1' })],
    });
    expect((await third).status, 'what was held is given back').toBe(200);
  });

  test('a body that waits again, since its instance could not be reached, is counted again', async () => {
    const small = await startOther({ heldBytes: 1000 });
    const gone = await harness.startInstance(() => {});
    await gone.close();
    const [one, two] = [makeModel({ name: 'one' }), makeModel({ name: 'two' })];
    const revision = 'default/one/v1';
    small.publisher.update({
      models: [one, two],
      instances: [makeInstance(gone.port, { revision })],
    });
    await small.activator.ready;
    const first = call(small.port, '/models/default/one/', { body: 'a'.repeat(900) });
    await small.report('suspect');
    await small.report('wake');
    const second = await call(small.port, '/models/default/two/', { body: 'a'.repeat(900) });
    expect(second.status).toBe(503);
    expect(JSON.parse(second.body)).toMatchObject({ code: 'unavailable' });
    const fresh = await harness.startInstance((incoming, response) => incoming.pipe(response));
    small.publisher.update({ instances: [makeInstance(fresh.port, { revision })] });
    expect((await first).body).toBe('a'.repeat(900));
    const third = call(small.port, '/models/default/two/', { body: 'a'.repeat(1000) });
    await small.report('wake', (report) => report.revision === 'default/two/v1');
    small.publisher.update({
      instances: [makeInstance(fresh.port, { id: 'other', revision: 'default/two/v1' })],
    });
    expect((await third).status, 'what was held is given back').toBe(200);
  });

  test('when the hold budget ends: 504 hold_timeout; the caller may ask for less', async () => {
    const timeouts = { hold: 60_000, run: 1000, idle: 0, drain: 0 };
    await harness.publish(makeModel({ revisions: [makeRevision({ timeouts })] }));
    const answer = await call(harness.port, PATH, { headers: { 'Rouse-Hold': '50ms' } });
    expect(answer.status).toBe(504);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'hold_timeout' });
    expect(answer.headers['retry-after']).toBe('1');
  });

  test.each([
    [{ 'rouse-hold': '50ms' }, {}, 'Rouse-Hold of the request, which allows 50ms'],
    [{}, { hold: 60 }, 'timeouts.hold of the model, 60ms'],
    [{ 'rouse-hold': '9s' }, { total: 70 }, 'timeouts.total of the model, 70ms'],
    [{ 'x-envoy-expected-rq-timeout-ms': '80' }, {}, 'x-envoy-expected-rq-timeout-ms: 80'],
  ])('a 504 says which limit ended the wait: %j %j', async (headers, limits, words) => {
    const timeouts = { hold: 60_000, run: 1000, idle: 0, drain: 0, ...limits };
    const startFailure = { message: 'exited with status 3', until: 0 };
    await harness.publish(makeModel({ revisions: [makeRevision({ timeouts, startFailure })] }));
    const answer = await call(harness.port, PATH, { headers: { ...headers } });
    expect(answer.status).toBe(504);
    const { detail } = JSON.parse(answer.body) as { detail: string };
    expect(detail).toContain(`What ended the wait: ${words}.`);
    expect(detail).toContain('Its last start failed: exited with status 3');
  });

  test('what a proxy before us expects ends the wait and nothing else: an answer may take longer', async () => {
    const still = await startOther();
    still.publisher.update({ models: [makeModel()] });
    await still.activator.ready;
    const taken = Promise.withResolvers<ServerResponse>();
    const started = await harness.startInstance((_, response) => taken.resolve(response));
    const headers = { 'x-envoy-expected-rq-timeout-ms': '80' };
    const answer = call(still.port, PATH, { headers });
    await still.report('wake');
    still.publisher.update({ instances: [makeInstance(started.port)] });
    const response = await taken.promise;
    still.clock.advance(1000);
    response.end('late');
    expect(await answer).toMatchObject({ status: 200, body: 'late' });
  });

  test('a 504 says what a start waits for', async () => {
    const timeouts = { hold: 60, run: 1000, idle: 0, drain: 0 };
    const startFailure = { message: 'exited with status 3', until: 0 };
    const waitingFor = 'waits for room: 0/1 nodes are available';
    const revision = makeRevision({ timeouts, startFailure, waitingFor });
    await harness.publish(makeModel({ revisions: [revision] }));
    const answer = await call(harness.port, PATH);
    expect(answer.status).toBe(504);
    const { detail } = JSON.parse(answer.body) as { detail: string };
    expect(detail).toMatch(/ The instance waits for room: 0\/1 nodes are available$/);
  });

  test.each([
    [{}, { hold: 60 }, 3.24, ' A start takes about 3.2s: raise timeouts.hold.'],
    [{ 'rouse-hold': '50ms' }, {}, 3.24, ' A start takes about 3.2s: raise Rouse-Hold.'],
    [
      { 'rouse-hold': '9s' },
      { total: 70 },
      3.24,
      ' A start takes about 3.2s: raise timeouts.total.',
    ],
    [{}, { hold: 60 }, 0.05, ''],
    [{}, { hold: 60 }, 0, ''],
  ])(
    'and what to raise, when a start takes longer: %j %j %d s',
    async (headers, limits, seconds, cure) => {
      const timeouts = { hold: 60_000, run: 1000, idle: 0, drain: 0, ...limits };
      const revisions = [makeRevision({ timeouts, coldStartSeconds: seconds })];
      await harness.publish(makeModel({ revisions }));
      const answer = await call(harness.port, PATH, { headers: { ...headers } });
      const { code, detail } = JSON.parse(answer.body) as { code: string; detail: string };
      expect(code).toBe('hold_timeout');
      expect(/(?: A start takes.*)?$/.exec(detail)?.[0]).toBe(cure);
    },
  );

  test.each([
    [{ run: 100 }, 'timeouts.run of the model, 100ms'],
    [{ run: 5000, total: 100 }, 'timeouts.total of the model, 100ms'],
  ])('so does that of a model that does not answer: %j', async (limits, words) => {
    const timeouts = { hold: 60_000, idle: 0, drain: 0, ...limits };
    await harness.publish(makeModel({ revisions: [makeRevision({ timeouts })] }));
    const started = await harness.startInstance(() => {});
    harness.publisher.update({ instances: [makeInstance(started.port)] });
    const answer = await call(harness.port, PATH);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'run_timeout' });
    expect(answer.body).toContain(words);
  });

  test.each([
    [{ 'rouse-hold': '0' }, 60_000, 'the request does not wait (Rouse-Hold: 0).'],
    [{}, 0, 'the request does not wait (timeouts.hold of the model: 0).'],
  ])('who may not wait is told by whom: %j, timeouts.hold %d', async (headers, hold, words) => {
    const timeouts = { hold, run: 1000, idle: 0, drain: 0 };
    await harness.publish(makeModel({ revisions: [makeRevision({ timeouts })] }));
    const answer = await call(harness.port, PATH, { headers: { ...headers } });
    expect(answer.status).toBe(503);
    expect(answer.body).toContain(words);
  });

  test('Rouse-Hold: 0 is refused at once, and still wakes', async () => {
    await harness.publish();
    const answer = await call(harness.port, PATH, { headers: { 'Rouse-Hold': '0' } });
    expect(answer.status).toBe(503);
    await harness.report('wake');
  });

  test('a Rouse-Hold that is no duration is refused', async () => {
    await harness.publish();
    const answer = await call(harness.port, PATH, { headers: { 'Rouse-Hold': 'soon' } });
    expect(answer.status).toBe(400);
  });

  test.each(['destroy', 'end'] as const)(
    'a caller that leaves (%s) while it waits is forgotten',
    async (how) => {
      await harness.publish(makeModel({ revisions: [makeRevision(one)] }));
      const calls: string[] = [];
      const started = await harness.startInstance((incoming, response) => {
        calls.push(incoming.url ?? '');
        response.end();
      });
      const leaver = await dial(harness.port);
      leaver.socket.write(`GET ${PATH}leaver HTTP/1.1\r\nHost: h\r\n\r\n`);
      await harness.report('wake');
      const stayer = call(harness.port, `${PATH}stayer`);
      await harness.report('wake', (report) => report.queued === 2);
      leaver.socket[how]();
      await untilOneWaits();
      harness.publisher.update({ instances: [makeInstance(started.port)] });
      expect((await stayer).status).toBe(200);
      expect(calls).toEqual(['/stayer']);
    },
  );

  test.each([
    ['no more is read than has to be', 512 * 1024, 2_000_000],
    ['as much is read on as one may have', 64 * 1024 * 1024, 10_400_000],
  ])(
    'a caller that leaves behind more body than is read is found out before a slot is spent: %s',
    async (_, bytes, size) => {
      const queue = { requests: 2, bytes };
      await harness.publish(makeModel({ queue, revisions: [makeRevision(one)] }));
      const calls: string[] = [];
      const started = await harness.startInstance((incoming, response) => {
        calls.push(incoming.url ?? '');
        incoming.resume();
        incoming.on('end', () => response.end());
      });
      const leaver = await dial(harness.port);
      leaver.socket.write(
        `POST ${PATH}leaver HTTP/1.1\r\nHost: h\r\nContent-Length: ${size}\r\n\r\n`,
      );
      leaver.socket.write(Buffer.alloc(size), () => leaver.socket.destroy());
      await once(leaver.socket, 'close');
      await harness.report('wake');
      const stayer = call(harness.port, `${PATH}stayer`, { body: Buffer.alloc(size) });
      await harness.report('wake', (report) => report.queued === 2);
      harness.publisher.update({ instances: [makeInstance(started.port)] });
      expect((await stayer).status).toBe(200);
      expect(calls).toEqual(['/stayer']);
    },
  );

  test('starts that fail again and again: those who wait are told why, and so are the next', async () => {
    await harness.publish();
    const waiting = call(harness.port, PATH);
    await harness.report('wake');
    const startFailure = { message: 'exited with status 3', until: Date.now() + 60_000 };
    harness.publisher.update({
      models: [makeModel({ revisions: [makeRevision({ startFailure })] })],
    });
    for (const answer of [await waiting, await call(harness.port, PATH)]) {
      expect(answer.status).toBe(503);
      expect(JSON.parse(answer.body)).toMatchObject({ code: 'start_failed' });
      expect(answer.body).toContain(
        'Revision v1 of digits does not start: exited with status 3. See: npx rouse logs digits',
      );
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(50);
    }
  });

  test('starts that fail while an instance is ready: those who wait for it, and the next, are served', async () => {
    const limits = { concurrency: 1 };
    await harness.publish(makeModel({ revisions: [makeRevision(limits)] }));
    const answers: (() => void)[] = [];
    const { port } = await harness.startInstance((_, response) => {
      answers.push(() => response.end('served'));
    });
    harness.publisher.update({ instances: [makeInstance(port)] });
    const calls = [call(harness.port, PATH), call(harness.port, PATH)];
    await harness.report('wake');
    const startFailure = { message: 'the GPU is taken', until: Date.now() + 60_000 };
    harness.publisher.update({
      models: [makeModel({ revisions: [makeRevision({ ...limits, startFailure })] })],
    });
    const ready = await call(harness.port, '/v2/models/digits/ready');
    expect([ready.status, JSON.parse(ready.body)]).toMatchObject([200, { state: 'awake' }]);
    calls.push(call(harness.port, PATH));
    for (let asked = 0; asked < calls.length; asked += 1) {
      await until('it is asked', () => answers.length > 0);
      answers.shift()?.();
    }
    const all = await Promise.all(calls);
    expect(all.map(({ status, body }) => `${status} ${body}`)).toEqual(
      calls.map(() => '200 served'),
    );
  });

  test('a model that is deleted lets go of those who wait for it', async () => {
    await harness.publish();
    const waiting = call(harness.port, PATH);
    await harness.report('wake');
    harness.publisher.update({ removedModels: ['default/digits'] });
    expect((await waiting).status).toBe(404);
  });
});

describe('instances that come and go', () => {
  test('a draining instance gets nothing new, and is reported drained when its last request ended', async () => {
    await harness.publish();
    let finish = (): void => {};
    const old = await harness.startInstance((_, response) => {
      finish = () => response.end('old');
    });
    const fresh = await harness.startInstance((_, response) => response.end('fresh'));
    harness.publisher.update({ instances: [makeInstance(old.port)] });
    const running = call(harness.port, PATH);
    await once(old.server, 'request');
    harness.publisher.update({
      instances: [makeInstance(old.port, { state: 'draining' }), makeInstance(fresh.port)],
    });
    for (let i = 0; i < 20; i += 1) expect((await call(harness.port, PATH)).body).toBe('fresh');
    expect(harness.reports.filter((report) => report.type === 'drained')).toEqual([]);
    finish();
    expect((await running).body).toBe('old');
    expect(await harness.report('drained')).toMatchObject({ instance: `instance-${old.port}` });
  });

  test('an instance that refuses connections costs no request: another one or a later one serves', async () => {
    await harness.publish();
    const gone = await harness.startInstance(() => {});
    await gone.close();
    harness.publisher.update({ instances: [makeInstance(gone.port)] });
    const waiting = Array.from({ length: 20 }, () => call(harness.port, PATH, { body: 'kept' }));
    await harness.report('suspect');
    const fresh = await harness.startInstance((incoming, response) => incoming.pipe(response));
    harness.publisher.update({
      instances: [makeInstance(fresh.port)],
      removedInstances: [`instance-${gone.port}`],
    });
    for (const answer of await Promise.all(waiting))
      expect(answer).toMatchObject({ status: 200, body: 'kept' });
  });

  test('an instance that drained before it was heard of gets nothing, and is reported drained', async () => {
    await harness.publish();
    const old = await harness.startInstance((_, response) => response.end('old'));
    const fresh = await harness.startInstance((_, response) => response.end('fresh'));
    const draining = makeInstance(old.port, { state: 'draining' });
    harness.publisher.update({ instances: [draining, makeInstance(fresh.port)] });
    for (let i = 0; i < 20; i += 1) expect((await call(harness.port, PATH)).body).toBe('fresh');
    expect(await harness.report('drained')).toMatchObject({ instance: draining.id });
  });

  test('that an instance refuses connections is one incident, however many requests met it', async () => {
    const still = await startOther();
    const gone = await harness.startInstance(() => {});
    await gone.close();
    still.publisher.update({ models: [makeModel()] });
    await still.activator.ready;
    const waiting = Array.from({ length: 8 }, () => call(still.port, PATH));
    await still.report('wake', ({ queued }) => queued === 8);
    still.publisher.update({ instances: [makeInstance(gone.port)] });
    await still.report('suspect');
    const fresh = await harness.startInstance((_, response) => response.end('fresh'));
    still.publisher.update({ instances: [makeInstance(fresh.port)] });
    for (const answer of await Promise.all(waiting)) expect(answer.body).toBe('fresh');
    // Behind whatever was said of the instance.
    still.clock.advance(1000);
    await still.report('load');
    expect(still.reports.filter(({ type }) => type === 'suspect')).toHaveLength(1);
  });

  test('of very many connections that were in use together some are kept, the others closed', async () => {
    const answers: (() => void)[] = [];
    const started = await harness.serve(
      (_, response) => answers.push(() => response.end('ok')),
      makeModel({ revisions: [makeRevision({ concurrency: 0 })] }),
    );
    const connections = (): Promise<number> =>
      promisify(started.server.getConnections.bind(started.server))();
    const calls = Array.from({ length: KEPT + 50 }, () => call(harness.port, PATH));
    await until('all have come', () => answers.length === calls.length);
    expect(await connections()).toBe(calls.length);
    for (const answer of answers.splice(0)) answer();
    for (const { status } of await Promise.all(calls)) expect(status).toBe(200);
    await until('those beyond are closed', async () => (await connections()) <= KEPT);
    const again = Array.from({ length: KEPT }, () => call(harness.port, PATH));
    await until('all have come again', () => answers.length === KEPT);
    expect(await connections(), 'no new ones').toBe(KEPT);
    for (const answer of answers) answer();
    await Promise.all(again);
  });
});
