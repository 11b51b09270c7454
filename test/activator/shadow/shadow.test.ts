import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { RoutingModel, RoutingRevision, RoutingShadow } from '#domain/routing.ts';
import { until } from '#test/until.ts';
import { call, makeInstance, makeModel, makeRevision } from '../harness.ts';
import { useHarness } from '../use-harness.ts';

/** A shadow gets copies of what v1 answers. Its port is that of v2. */

const harness = useHarness();
const PATH = '/models/default/digits/infer?a=b';
const V1 = 'default/digits/v1';
const V2 = 'default/digits/v2';

function makeShadowed(
  shadow: Partial<RoutingShadow> = {},
  v2: Partial<RoutingRevision> = {},
): RoutingModel {
  const all = { revision: 'v2', percent: 100, wake: false, tolerance: 0, ignore: [], ...shadow };
  const revisions = [makeRevision(), makeRevision({ name: 'v2', ...v2 })];
  return makeModel({ revisions, shadow: all });
}

type Handler = (incoming: IncomingMessage, response: ServerResponse, body: string) => void;

/** Reads the request before it answers. */
const reading =
  (handler: Handler) =>
  async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const pieces: Buffer[] = [];
    for await (const piece of incoming) pieces.push(piece as Buffer);
    handler(incoming, response, Buffer.concat(pieces).toString());
  };

async function publish(model: RoutingModel, v1: number, v2?: number): Promise<void> {
  const shadow = v2 === undefined ? [] : [makeInstance(v2, { revision: V2 })];
  harness.publisher.update({
    models: [model],
    instances: [makeInstance(v1, { revision: V1 }), ...shadow],
  });
  await harness.activator.ready;
}

/** How often each thing became of a copy, as the metrics have it. */
async function outcomes(): Promise<Record<string, number>> {
  const rows = (await harness.scrape()).matchAll(
    /^rouse_shadow_requests_total\{.*,revision="v2",outcome="(\w+)"\} (\d+)$/gm,
  );
  return Object.fromEntries(
    [...rows].map(([, outcome = '', count]) => [outcome, Number(count)] as const),
  );
}

async function untilCounted(expected: Record<string, number>): Promise<void> {
  const total = Object.values(expected).reduce((sum, count) => sum + count, 0);
  await until('all copies are counted', async () => {
    const counts = Object.values(await outcomes());
    return counts.reduce((sum, count) => sum + count, 0) >= total;
  });
  expect(await outcomes()).toEqual(expected);
}

/** Nothing of a shadow holds a slot. */
async function untilFree(): Promise<void> {
  const row = /^rouse_requests_in_flight\{.*revision="v2"\} 0$/m;
  await until('its slots are free', async () => row.test(await harness.scrape()));
}

const answering = (text: string, type = 'application/json') =>
  reading((_, response) => response.setHeader('Content-Type', type).end(text));

test('the copy is the request; its caller sees nothing of it', async () => {
  const seen: { name: string; incoming: IncomingMessage; body: string }[] = [];
  const noting = (name: string) =>
    reading((incoming, response, body) => {
      seen.push({ name, incoming, body });
      response.end('{"a":1}');
    });
  const v1 = await harness.startInstance(noting('v1'));
  const v2 = await harness.startInstance(noting('v2'));
  await publish(makeShadowed(), v1.port, v2.port);
  const headers = {
    'X-Mine': 'yes',
    'Transfer-Encoding': 'chunked',
    'Rouse-Shadow': 'I say so',
  };
  const answer = await call(harness.port, PATH, { headers, body: '{"x":[1,2]}' });
  expect(answer.body).toBe('{"a":1}');
  expect(answer.headers['rouse-revision']).toBe('v1');
  await untilCounted({ same: 1 });
  const [original, copy] = seen;
  expect(seen.map(({ name }) => name)).toEqual(['v1', 'v2']);
  expect(original?.incoming.headers).not.toHaveProperty('rouse-shadow');
  const { 'rouse-shadow': mark, traceparent, ...rest } = copy?.incoming.headers ?? {};
  expect(mark).toBe('true');
  expect(traceparent).not.toBe(original?.incoming.headers['traceparent']);
  expect({ ...rest, traceparent }).toEqual({ ...original?.incoming.headers, traceparent });
  expect([copy?.incoming.method, copy?.incoming.url, copy?.body]).toEqual([
    'POST',
    '/infer?a=b',
    '{"x":[1,2]}',
  ]);
  // Those who judge it are told how it does; nobody has asked for it.
  await harness.report('load', ({ revisions }) =>
    revisions.some(({ revision, ok }) => revision === V2 && ok === 1),
  );
  const told = harness.reports.flatMap((load) => (load.type === 'load' ? load.revisions : []));
  expect(told.filter(({ revision, arrivals }) => revision === V2 && arrivals > 0)).toEqual([]);
});

test('it is asked when the caller has the answer, and not before', async () => {
  let asked = 0;
  let rest: (() => void) | undefined;
  const v1 = await harness.startInstance((_, response) => {
    response.write('a');
    rest = () => response.end('b');
  });
  const v2 = await harness.startInstance((_, response) => {
    asked += 1;
    response.end('ab');
  });
  await publish(makeShadowed(), v1.port, v2.port);
  const socket = await openSocket();
  socket.write(`GET ${PATH} HTTP/1.1\r\nHost: h\r\n\r\n`);
  await once(socket, 'data');
  const metadata = await call(harness.port, '/v2/models/digits');
  expect([metadata.status, asked]).toEqual([200, 0]);
  rest?.();
  await untilCounted({ same: 1 });
  expect(asked).toBe(1);
});

async function openSocket(): Promise<Socket> {
  const socket = connect(harness.port, '127.0.0.1');
  harness.teardown(() => socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

const JSON_TYPE = 'application/json; charset=utf-8';

describe('answers are compared', () => {
  test.each<[string, string, string, string, Partial<RoutingShadow>]>([
    ['same', '{"a":1}', '{"a":1}', 'text/plain', {}],
    ['body', '{"a":1}', '{"a":2}', JSON_TYPE, {}],
    ['same', '{"a":1.0,"b":2}', '{"b":2, "a":1}', JSON_TYPE, {}],
    ['body', '{"a":1.0,"b":2}', '{"b":2, "a":1}', 'text/plain', {}],
    ['same', '[0.5]', '[0.505]', JSON_TYPE, { tolerance: 0.01 }],
    ['same', '{"id":1}', '{"id":2}', 'application/problem+json', { ignore: ['id'] }],
    ['body', '{"a":1}', '{"a":1', JSON_TYPE, {}],
    ['body', 'a', 'b'.repeat(200_000), JSON_TYPE, {}],
    ['body', 'a'.repeat(200_000), 'b', JSON_TYPE, {}],
    ['uncompared', 'a'.repeat(200_000), 'a'.repeat(200_000), JSON_TYPE, {}],
  ])('%s: %.20s and %.20s of %s, %j', async (outcome, one, other, type, rules) => {
    const v1 = await harness.startInstance(answering(one, type));
    const v2 = await harness.startInstance(answering(other, type));
    await publish(makeShadowed(rules), v1.port, v2.port);
    expect((await call(harness.port, PATH, { body: '{}' })).body).toBe(one);
    await untilCounted({ [outcome]: 1 });
    await untilFree();
  });

  test('status first; the times of both are told', async () => {
    const v1 = await harness.startInstance(answering('{}'));
    const v2 = await harness.startInstance((_, response) => response.writeHead(500).end('{}'));
    await publish(makeShadowed(), v1.port, v2.port);
    await call(harness.port, PATH);
    await untilCounted({ status: 1 });
    const text = await harness.scrape();
    for (const of of ['shadow', 'caller']) {
      expect(text).toMatch(
        new RegExp(`^rouse_shadow_duration_seconds_count\\{.*revision="v2",of="${of}"\\} 1$`, 'm'),
      );
    }
    expect(text, 'callers were answered by v1 alone').not.toMatch(
      /^rouse_requests_total\{.*revision="v2"/m,
    );
    await harness.report('load', ({ revisions }) =>
      revisions.some(({ revision, failed }) => revision === V2 && failed === 1),
    );
  });
});

test('the share is exact', async () => {
  const v1 = await harness.startInstance(answering('{}'));
  const v2 = await harness.startInstance(answering('{}'));
  await publish(makeShadowed({ percent: 7 }), v1.port, v2.port);
  for (let i = 0; i < 200; i += 1) await call(harness.port, PATH);
  await untilCounted({ same: 14 });
});

describe('a shadow that sleeps', () => {
  test('sleeps on', async () => {
    const v1 = await harness.startInstance(answering('{}'));
    await publish(makeShadowed(), v1.port);
    for (let i = 0; i < 5; i += 1) await call(harness.port, PATH);
    expect(await outcomes()).toEqual({ asleep: 5 });
    await harness.report('load');
    expect(harness.reports.filter(({ type }) => type === 'wake')).toEqual([]);
  });

  test('is woken where that is asked for; nobody waits for it', async () => {
    const v1 = await harness.startInstance(answering('{}'));
    await publish(makeShadowed({ wake: true }), v1.port);
    expect((await call(harness.port, PATH)).status).toBe(200);
    expect(await harness.report('wake')).toMatchObject({ revision: V2 });
    expect(await outcomes()).toEqual({ asleep: 1 });
    expect(await harness.gauge('rouse_queue_depth')).toBe(0);
    const v2 = await harness.startInstance(answering('{}'));
    harness.publisher.update({ instances: [makeInstance(v2.port, { revision: V2 })] });
    await until('a copy reaches it', async () => {
      await call(harness.port, PATH);
      return 'same' in (await outcomes());
    });
  });

  test('one whose start fails repeatedly is not woken', async () => {
    const v1 = await harness.startInstance(answering('{}'));
    const startFailure = { message: 'exited with status 3', until: Date.now() + 600_000 };
    await publish(makeShadowed({ wake: true }, { startFailure }), v1.port);
    await call(harness.port, PATH);
    expect(await outcomes()).toEqual({ asleep: 1 });
    expect(harness.reports.filter(({ type }) => type === 'wake')).toEqual([]);
  });
});

test('who names a revision, or another protocol, is not copied', async () => {
  const v1 = await harness.startInstance(answering('{}'));
  const v2 = await harness.startInstance(answering('{}'));
  await publish(makeShadowed(), v1.port, v2.port);
  await call(harness.port, PATH, { headers: { 'Rouse-Revision': 'v1' } });
  await call(harness.port, PATH, { headers: { 'Rouse-Revision': 'v2' } });
  await call(harness.port, PATH, { headers: { Connection: 'Upgrade', Upgrade: 'websocket' } });
  await call(harness.port, PATH);
  await untilCounted({ same: 1 });
});

/** What a shadow may do with a connection instead of answering, and what it counts as. */
const FAULTS: Record<string, [(socket: Socket) => void, string]> = {
  'dies when it is asked': [(socket) => socket.once('data', () => socket.destroy()), 'failed'],
  'dies in the middle of its answer': [
    (socket) =>
      socket.once('data', () =>
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal', () => socket.destroy()),
      ),
    'failed',
  ],
  'talks nonsense': [(socket) => socket.once('data', () => socket.end('?\r\n\r\n')), 'failed'],
  'never answers': [(socket) => socket.resume(), 'failed'],
  'never ends its answer': [
    (socket) =>
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n');
        socket.resume();
      }),
    'failed',
  ],
  'answers with 10 GB': [
    (socket) =>
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n');
        flood(socket, 'a'.repeat(100_000));
      }),
    'body',
  ],
  'answers with chunks that never end': [
    (socket) =>
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
        flood(socket, `1000\r\n${'a'.repeat(0x1000)}\r\n`);
      }),
    'body',
  ],
  'never ends its head': [
    (socket) =>
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\n');
        flood(socket, `X-Field: ${'a'.repeat(1000)}\r\n`);
      }),
    'failed',
  ],
  'says without end that it will answer': [
    (socket) =>
      socket.once('data', () => flood(socket, 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(1000))),
    'failed',
  ],
};

/** Until nobody listens any more. */
function flood(socket: Socket, piece: string): void {
  const write = (): void => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on('drain', write);
  write();
}

describe.each(Object.entries(FAULTS))('a shadow that %s', (_, [fault, outcome]) => {
  test('harms no caller, and gives its slots back', async () => {
    const v1 = await harness.startInstance(answering('{"served":true}'));
    const v2 = await harness.startBareInstance(fault);
    // Where its answer is compared it has all the time that it needs to begin one.
    const run = outcome === 'failed' ? 300 : 60_000;
    const timeouts = { hold: 0, run, idle: 0, drain: 0 };
    await publish(makeShadowed({}, { concurrency: 2, timeouts }), v1.port, v2.port);
    for (let i = 0; i < 20; i += 1) {
      const { status, body } = await call(harness.port, PATH, { body: 'x'.repeat(100_000) });
      expect([status, body]).toEqual([200, '{"served":true}']);
    }
    await until('all copies are over', async () => {
      const { busy = 0, [outcome]: ended = 0 } = await outcomes();
      return busy + ended === 20 && ended > 0;
    });
    await untilFree();
  });
});

test('a shadow that is not there harms no caller, and control is told', async () => {
  const v1 = await harness.startInstance(answering('{}'));
  const v2 = await harness.startInstance(answering('{}'));
  await v2.close();
  await publish(makeShadowed(), v1.port, v2.port);
  expect((await call(harness.port, PATH)).status).toBe(200);
  await untilCounted({ failed: 1 });
  expect(await harness.report('suspect')).toMatchObject({ instance: `instance-${v2.port}` });
});

test('a shadow that lags gets as many as it takes at once; the others are dropped, nobody waits', async () => {
  const held: ServerResponse[] = [];
  const v1 = await harness.startInstance(answering('{}'));
  const v2 = await harness.startInstance((_, response) => held.push(response));
  await publish(makeShadowed({}, { concurrency: 3 }), v1.port, v2.port);
  for (let i = 0; i < 10; i += 1) expect((await call(harness.port, PATH)).status).toBe(200);
  await until('it has three', async () => held.length === 3 && (await outcomes())['busy'] === 7);
  expect(await harness.gauge('rouse_queue_depth')).toBe(0);
  for (const response of held) response.setHeader('Content-Type', 'application/json').end('{}');
  await untilCounted({ busy: 7, same: 3 });
});

describe('one that takes as many as there are, and answers none', () => {
  test.each([
    ['256 requests at a time', 300, '', 256],
    ['32 MiB', 200, 'x'.repeat(300_000), Math.floor((32 * 1024 * 1024) / 300_000)],
  ])('has %s at most', async (_, calls, body, most) => {
    let asked = 0;
    const v1 = await harness.startInstance(reading((__, response) => response.end()));
    const v2 = await harness.startInstance(() => void (asked += 1));
    await publish(makeShadowed({}, { concurrency: 0 }), v1.port, v2.port);
    for (let i = 0; i < calls; i += 1) {
      expect((await call(harness.port, PATH, { method: 'POST', body })).status).toBe(200);
    }
    await until('the others are dropped', async () => {
      return ((await outcomes())['busy'] ?? 0) + asked === calls;
    });
    expect(asked).toBeGreaterThan(most / 4);
    expect(asked).toBeLessThanOrEqual(most);
  });
});

test('a copy takes no slot that somebody waits for', async () => {
  const held: ServerResponse[] = [];
  const v1 = await harness.startInstance(answering('{}'));
  const v2 = await harness.startInstance((_, response) => held.push(response));
  await publish(makeShadowed({}, { concurrency: 1 }), v1.port, v2.port);
  const headers = { 'Rouse-Revision': 'v2' };
  const asked = [1, 2].map(() => call(harness.port, PATH, { headers }));
  await until('one runs, one waits', async () => (await harness.gauge('rouse_queue_depth')) === 1);
  await call(harness.port, PATH);
  await untilCounted({ busy: 1 });
  held[0]?.end('first');
  await until('the other runs', () => held.length === 2);
  held[1]?.end('second');
  expect((await Promise.all(asked)).map(({ body }) => body).sort()).toEqual(['first', 'second']);
});

test('a large request is not copied, one in many small pieces is', async () => {
  const v1 = await harness.startInstance(reading((_, response, body) => response.end(body)));
  const v2 = await harness.startInstance(reading((_, response, body) => response.end(body)));
  await publish(makeShadowed(), v1.port, v2.port);
  const large = await call(harness.port, PATH, { body: 'x'.repeat(1024 * 1024 + 1) });
  expect(large.body.length).toBe(1024 * 1024 + 1);
  await untilCounted({ too_large: 1 });
  const socket = await openSocket();
  socket.write(`POST ${PATH} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n`);
  for (let i = 0; i < 200; i += 1) {
    socket.write(`1\r\n${i % 10}\r\n`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.write('0\r\n\r\n');
  await untilCounted({ too_large: 1, same: 1 });
});

test.each(['in the middle of its request', 'in the middle of the answer'])(
  'of a caller that leaves %s the shadow hears nothing',
  async (when) => {
    let asked = 0;
    const v1 = await harness.startInstance((incoming, response) => {
      incoming.resume();
      response.write('a');
    });
    const v2 = await harness.startInstance((_, response) => {
      asked += 1;
      response.end();
    });
    await publish(makeShadowed(), v1.port, v2.port);
    const socket = await openSocket();
    const length = when === 'in the middle of its request' ? 10 : 5;
    socket.write(`POST ${PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: ${length}\r\n\r\nhello`);
    await once(socket, 'data');
    socket.destroy();
    await untilCounted({ unanswered: 1 });
    expect(asked).toBe(0);
  },
);

test('an answer that comes before the whole request: that was no whole request to copy', async () => {
  const v1 = await harness.startInstance((_, response) => response.end('early'));
  const v2 = await harness.startInstance(answering('{}'));
  await publish(makeShadowed(), v1.port, v2.port);
  const socket = await openSocket();
  socket.write(`POST ${PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello`);
  await once(socket, 'data');
  await untilCounted({ unanswered: 1 });
});
