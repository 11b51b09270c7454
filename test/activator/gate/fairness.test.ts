import { fork } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { describe, expect, test } from 'vitest';
import type { Call, Calls, CallersMessage } from './callers-child.ts';
import { until } from '#test/until.ts';
import { type Answered, call, dial, makeInstance, makeModel, makeRevision } from '../harness.ts';
import { makeKey } from '../make-key.ts';
import { useHarness } from '../use-harness.ts';

const PATH = '/models/default/digits/';
const one = { concurrency: 1, coldStartSeconds: 2.2 };

const harness = useHarness();

async function publish(queue = { requests: 20_000, bytes: 1_000_000 }): Promise<void> {
  await harness.publish(makeModel({ queue, revisions: [makeRevision(one)] }));
}

/** An instance that keeps the order in which requests came to it. */
async function recorder(): Promise<{ port: number; seen: string[]; heads: string[] }> {
  const seen: string[] = [];
  const heads: string[] = [];
  const started = await harness.startInstance((incoming, response) => {
    seen.push(incoming.url?.slice(1) ?? '');
    heads.push(JSON.stringify(incoming.headers));
    response.end();
  });
  return { port: started.port, seen, heads };
}

/** A caller is an address: all of 127.0.0.0/8 is this machine. */
function callFrom(
  from: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const sent = request({ port: harness.port, path, headers, localAddress: from, agent: false });
    sent.on('error', reject);
    sent.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => (body += piece));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    });
    sent.end();
  });
}

describe('many who wait', () => {
  test('10,000 of four callers and three priorities: all answered, in order per caller and priority', async () => {
    await publish();
    const calls: Call[] = [];
    const priorities = ['high', 'normal', 'low'] as const;
    const secrets = priorities.map((priority) => {
      const { key, secret } = makeKey(priority);
      harness.publisher.update({ keys: [key] });
      return secret;
    });
    for (let i = 0; i < 10_000; i += 1) {
      const from = `127.0.0.${1 + (i % 4)}`;
      // A caller by its address cannot have a high priority; the keys are callers of their own.
      const asks = i % 5 === 0 ? `Authorization: Bearer ${secrets[i % 3]}\r\n` : '';
      const lower = i % 7 === 0 ? 'Rouse-Priority: low\r\n' : '';
      const who = asks === '' ? `address${i % 4}` : `key${i % 3}`;
      const priority = lower !== '' ? 'low' : asks === '' ? 'normal' : priorities[i % 3]!;
      const line = `${who}.${priority}`;
      calls.push({ line, from, path: `${PATH}${line}.${i}`, fields: asks + lower });
    }
    const child = fork(new URL('callers-child.ts', import.meta.url), { stdio: 'inherit' });
    harness.teardown(() => child.kill());
    const answered = once(child, 'message') as Promise<[CallersMessage]>;
    child.send({ port: harness.port, calls } satisfies Calls);
    await harness.untilQueued(10_000);
    const { port, seen } = await recorder();
    harness.publisher.update({ instances: [makeInstance(port)] });
    expect((await answered)[0]).toEqual({ statuses: { '200': 10_000 } });
    expect(seen).toHaveLength(10_000);
    const lines = Map.groupBy(seen, (name) => name.slice(0, name.lastIndexOf('.')));
    for (const [line, names] of lines) {
      const numbers = names.map((name) => Number(name.split('.')[2]));
      expect(numbers, line).toEqual(numbers.toSorted((a, b) => a - b));
    }
  });

  test('a flood by one caller does not starve another: they take turns', async () => {
    await publish();
    const flood = Array.from({ length: 200 }, (_, i) => callFrom('127.0.0.1', `${PATH}flood${i}`));
    await harness.untilQueued(200);
    const others = Array.from({ length: 5 }, (_, i) => callFrom('127.0.0.2', `${PATH}other${i}`));
    await harness.untilQueued(205);
    const { port, seen } = await recorder();
    harness.publisher.update({ instances: [makeInstance(port)] });
    for (const answer of await Promise.all([...flood, ...others])) expect(answer.status).toBe(200);
    const places = seen.flatMap((name, at) => (name.startsWith('other') ? [at] : []));
    expect(places).toEqual([1, 3, 5, 7, 9]);
  });

  test('full: the largest caller gives way with 429, and gets 429; a queue of one caller only is 503', async () => {
    await publish({ requests: 4, bytes: 1000 });
    const settled: string[] = [];
    const waiting = [1, 2, 3, 4].map(async (i) => {
      const answer = await callFrom('127.0.0.1', `${PATH}a${i}`);
      settled.push(`a${i}`);
      return answer;
    });
    await harness.untilQueued(4);
    const alone = await callFrom('127.0.0.1', PATH);
    expect(alone.status).toBe(503);
    expect(JSON.parse(alone.body)).toMatchObject({ code: 'queue_full' });
    const other = callFrom('127.0.0.2', `${PATH}b`);
    await until('one gives way', () => settled.length === 1);
    const gone = await Promise.race(waiting);
    expect(gone.status).toBe(429);
    expect(gone.headers['retry-after']).toMatch(/^[123]$/);
    expect(JSON.parse(gone.body)).toMatchObject({ code: 'caller_over_share' });
    const more = await callFrom('127.0.0.1', PATH);
    expect(more.status).toBe(429);
    expect(more.headers['retry-after']).toMatch(/^[123]$/);
    const { port, seen } = await recorder();
    harness.publisher.update({ instances: [makeInstance(port)] });
    expect((await other).status).toBe(200);
    await Promise.all(waiting);
    expect(seen).toHaveLength(4);
    expect(seen[1]).toBe('b');
  });

  test('who leaves in the middle is skipped, and nobody loses a place', async () => {
    await publish();
    const leaver = await dial(harness.port);
    const first = callFrom('127.0.0.1', `${PATH}first`);
    await harness.untilQueued(1);
    leaver.socket.write(`GET ${PATH}leaver HTTP/1.1\r\nHost: h\r\n\r\n`);
    await harness.untilQueued(2);
    const last = callFrom('127.0.0.1', `${PATH}last`);
    await harness.untilQueued(3);
    leaver.socket.destroy();
    await until('two wait', async () => (await harness.gauge('rouse_queue_depth')) === 2);
    const { port, seen } = await recorder();
    harness.publisher.update({ instances: [makeInstance(port)] });
    await Promise.all([first, last]);
    expect(seen).toEqual(['first', 'last']);
  });
});

describe('priorities', () => {
  test('a key of high priority goes first, a low request last; anonymous callers get no higher', async () => {
    await publish();
    const { key, secret } = makeKey('high');
    harness.publisher.update({ keys: [key] });
    const sent = [
      callFrom('127.0.0.1', `${PATH}low`, { 'Rouse-Priority': 'low' }),
      callFrom('127.0.0.1', `${PATH}normal`),
    ];
    await harness.untilQueued(2);
    sent.push(callFrom('127.0.0.1', `${PATH}asks-high`, { 'Rouse-Priority': 'HIGH' }));
    await harness.untilQueued(3);
    const authorization = `Bearer ${secret}`;
    sent.push(callFrom('127.0.0.1', `${PATH}key`, { authorization }));
    sent.push(callFrom('127.0.0.1', `${PATH}key-low`, { authorization, 'Rouse-Priority': 'low' }));
    await harness.untilQueued(5);
    const { port, seen } = await recorder();
    harness.publisher.update({ instances: [makeInstance(port)] });
    for (const answer of await Promise.all(sent)) expect(answer.status).toBe(200);
    expect(seen).toEqual(['key', 'normal', 'asks-high', 'low', 'key-low']);
  });

  test('an unknown priority is refused by name', async () => {
    await publish();
    const answer = await call(harness.port, PATH, { headers: { 'Rouse-Priority': 'urgent' } });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({
      detail: 'Rouse-Priority is "urgent"; it must be one of high, normal, low.',
    });
  });
});

describe('keys', () => {
  async function start(): Promise<{ secret: string; id: string; heads: string[] }> {
    await publish();
    const { key, secret } = makeKey('normal');
    harness.publisher.update({ keys: [key] });
    const { port, heads } = await recorder();
    harness.publisher.update({ instances: [makeInstance(port)] });
    return { secret, id: key.id, heads };
  }

  test('a key of Rouse does not reach the model; what is none does, as it came', async () => {
    const { secret, heads } = await start();
    const foreign = ['Bearer sk-abc', 'Basic cms6cms=', 'bearer  x'];
    for (const authorization of [`Bearer ${secret}`, `bearer ${secret}`, ...foreign]) {
      expect((await call(harness.port, PATH, { headers: { authorization } })).status).toBe(200);
    }
    const got = heads.map((head) => (JSON.parse(head) as { authorization?: string }).authorization);
    expect(got).toEqual([undefined, undefined, ...foreign]);
  });

  test('in any other form it is refused, and does not reach the model either', async () => {
    const { secret, heads } = await start();
    const basic = (text: string): string => Buffer.from(text).toString('base64');
    const forms = [
      `Bearer\t${secret}`,
      `Bearer \t${secret}`,
      `Bearer "${secret}"`,
      `Bearer x, Bearer ${secret}`,
      `Bearer x,Bearer ${secret}`,
      `Bearer ${secret}, Bearer x`,
      `Bearer ${secret}=`,
      `Bearer ${secret.toUpperCase()}`,
      secret,
      `Token ${secret}`,
      `Digest username="${secret}"`,
      `Basic ${secret}`,
      `Basic ${basic(`user:${secret}`)}`,
      `basic  ${basic(`${secret}:`)}`,
      `Basic "${basic(`user:${secret}`)}"`,
      `Basic ${Buffer.from(`é:${secret}`).toString('base64url')}`,
      'Bearer rk_short',
    ];
    for (const authorization of forms) {
      const answer = await call(harness.port, PATH, { headers: { authorization } });
      expect(answer.status, authorization).toBe(401);
    }
    expect(heads).toEqual([]);
  });

  const places: [
    string,
    (secret: string) => { path?: string; headers?: Record<string, string> },
  ][] = [
    ['X-Api-Key', (secret) => ({ headers: { 'X-Api-Key': secret } })],
    ['another scheme', (secret) => ({ headers: { 'api-key': `Bearer ${secret}` } })],
    ['a cookie', (secret) => ({ headers: { cookie: `a=b; key=${secret}` } })],
    ['a protocol', (secret) => ({ headers: { 'Sec-WebSocket-Protocol': `v1, key.${secret}` } })],
    ['the query', (secret) => ({ path: `?api_key=${secret}` })],
    ['the path', (secret) => ({ path: `/${secret}/x` })],
    ['a field beside Authorization', beside],
    [
      'a field before it',
      (secret) => ({ headers: { 'x-a': `Bearer ${secret}`, ...beside(secret).headers } }),
    ],
  ];

  function beside(secret: string): { headers: Record<string, string> } {
    return { headers: { authorization: `Bearer ${secret}`, 'x-api-key': `Bearer ${secret}` } };
  }

  test.each(places)('in %s it is refused, and does not reach the model', async (_, show) => {
    const { secret, id, heads } = await start();
    const { path = '', headers } = show(secret);
    expect(await call(harness.port, `${PATH}${path}`, { headers })).toMatchObject({ status: 401 });
    expect(heads).toEqual([]);
    // Keys of others are none of ours, whatever they look like.
    const foreign = show(secret.replace(id, 'f'.repeat(24)));
    const other = { ...foreign.headers };
    delete other.authorization;
    const answer = await call(harness.port, `${PATH}${foreign.path ?? ''}`, { headers: other });
    expect(answer.status).toBe(200);
  });

  test('one that is not known, or not any more, is refused on the connection that showed it', async () => {
    const { secret, id, heads } = await start();
    const client = await dial(harness.port);
    const text = `GET ${PATH} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${secret}\r\n\r\n`;
    client.socket.write(text);
    await client.until(/ 200 OK/);
    client.socket.write(
      text.replace(secret, `${secret.slice(0, -1)}${secret.endsWith('A') ? 'E' : 'A'}`),
    );
    await client.until(/ 401 [^]*unauthorized/);
    client.socket.write(text);
    await client.until(/ 401 [^]* 200 OK/);
    harness.publisher.update({ removedKeys: [id] });
    harness.publisher.update({ models: [makeModel({ name: 'later' })] });
    await call(harness.port, '/v2/models/later').then(async function again(answer): Promise<void> {
      if (answer.status === 404) return again(await call(harness.port, '/v2/models/later'));
    });
    client.socket.write(text);
    await client.until(/ 401 [^]* 401 /);
    expect(heads).toHaveLength(2);
    client.socket.destroy();
    await once(client.socket, 'close');
  });

  test('two Authorization fields are refused', async () => {
    await publish();
    const client = await dial(harness.port);
    client.socket.write(
      `GET ${PATH} HTTP/1.1\r\nHost: h\r\nAuthorization: Basic a\r\nAuthorization: Basic b\r\n\r\n`,
    );
    expect(await client.closed).toMatch(/^HTTP\/1\.1 400 /);
  });
});

describe('the end of a wait', () => {
  test.each(['50', '1'])(
    'a proxy that expects an answer within %s ms gets 504 by then',
    async (ms) => {
      await publish();
      const headers = { 'x-envoy-expected-rq-timeout-ms': ms };
      const answer = await call(harness.port, PATH, { headers });
      expect(answer.status).toBe(504);
      expect(JSON.parse(answer.body)).toMatchObject({ code: 'hold_timeout' });
    },
  );
});
