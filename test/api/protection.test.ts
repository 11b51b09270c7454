import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HostPort } from '#domain/address.ts';
import { checkExposure, needsKey } from '#api/exposure.ts';
import { createLocalFetch } from '#api/local.ts';
import type { Role } from '#domain/records.ts';
import { DEFAULT_DATA } from '#domain/server.ts';
import { messageOf } from '#lib/fault.ts';
import { createLog } from '#lib/log.ts';
import {
  ADMIN,
  COMMAND,
  JSON_TYPE,
  makeModel,
  modelPath,
  type RawCall,
  startServer,
  type TestServer,
} from './server.ts';

let open: TestServer;
let locked: TestServer;
const keys = new Map<Role, string>();

beforeAll(async () => {
  open = await startServer({ allowedHosts: ['rouse.example', 'other.example:9000'] });
  locked = await startServer({ requireKey: true });
  for (const role of ['admin', 'deploy', 'invoke', 'read'] as const) {
    keys.set(role, (await locked.useCases.createKey(ADMIN, role, '')).secret);
  }
});
afterAll(async () => {
  await open.close();
  await locked.close();
});

const document = JSON.stringify(makeModel('victim', COMMAND));
const write: RawCall = {
  method: 'PUT',
  path: modelPath('victim'),
  headers: JSON_TYPE,
  body: document,
};
const list: RawCall = { path: '/api/v1/namespaces/default/models' };

function withHeaders(call: RawCall, headers: Record<string, string>): RawCall {
  return { ...call, headers: { ...call.headers, ...headers } };
}

async function refusal(server: TestServer, call: RawCall): Promise<string> {
  const answer = await server.send(call);
  expect(answer.headers['content-type']).toBe('application/problem+json');
  expect(answer.json()).toMatchObject({ status: answer.status });
  return `${answer.status} ${answer.at('code')}`;
}

async function modelsOf(server: TestServer): Promise<number> {
  return (await server.useCases.listModels(ADMIN, 'default')).length;
}

describe('pages in a browser on this machine', () => {
  const attacks: Record<string, [RawCall, string]> = {
    'a rebound host reads': [withHeaders(list, { host: 'evil.example' }), '421 misdirected'],
    'a rebound host with the right port reads': [
      withHeaders(list, { host: 'evil.example:PORT' }),
      '421 misdirected',
    ],
    'a rebound host writes': [withHeaders(write, { host: 'evil.example' }), '421 misdirected'],
    'a name that begins like loopback': [
      withHeaders(list, { host: '127.0.0.1.evil.example:PORT' }),
      '421 misdirected',
    ],
    'loopback with the port of another program': [
      withHeaders(list, { host: '127.0.0.1:1' }),
      '421 misdirected',
    ],
    'an allowed name with another port': [
      withHeaders(list, { host: 'other.example:9001' }),
      '421 misdirected',
    ],
    'a foreign origin reads': [
      withHeaders(list, { origin: 'http://evil.example' }),
      '403 forbidden',
    ],
    'a foreign origin writes': [
      withHeaders(write, { origin: 'http://evil.example' }),
      '403 forbidden',
    ],
    'an opaque origin': [withHeaders(write, { origin: 'null' }), '403 forbidden'],
    'a page of another local port': [
      withHeaders(write, { origin: 'http://127.0.0.1:3000' }),
      '403 forbidden',
    ],
    'a cross-site image or script': [
      withHeaders(list, { 'sec-fetch-site': 'cross-site' }),
      '403 forbidden',
    ],
    'a same-site page of another port': [
      withHeaders(list, { 'sec-fetch-site': 'same-site' }),
      '403 forbidden',
    ],
    'a preflight': [
      {
        method: 'OPTIONS',
        path: modelPath('victim'),
        headers: { origin: 'http://evil.example', 'access-control-request-method': 'PUT' },
      },
      '403 forbidden',
    ],
    'a form post': [
      {
        method: 'POST',
        path: '/api/v1/keys',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: 'role=admin',
      },
      '415 unsupported_media_type',
    ],
    'a form post of several parts': [
      {
        method: 'POST',
        path: '/api/v1/keys',
        headers: { 'content-type': 'multipart/form-data; boundary=x' },
        body: '--x--',
      },
      '415 unsupported_media_type',
    ],
    'JSON as text/plain': [
      {
        method: 'POST',
        path: '/api/v1/keys',
        headers: { 'content-type': 'text/plain' },
        body: '{"role":"admin"}',
      },
      '415 unsupported_media_type',
    ],
    'JSON without a type': [
      { method: 'POST', path: '/api/v1/keys', body: '{"role":"admin"}' },
      '415 unsupported_media_type',
    ],
    'JSON with its type hidden in a parameter': [
      {
        method: 'POST',
        path: '/api/v1/keys',
        headers: { 'content-type': 'text/plain; application/json' },
        body: '{"role":"admin"}',
      },
      '415 unsupported_media_type',
    ],
    'content as a simple type': [
      {
        method: 'PUT',
        path: `/api/v1/artifacts/sha256:${'0'.repeat(64)}?name=x`,
        headers: { 'content-type': 'text/plain' },
        body: 'x',
      },
      '415 unsupported_media_type',
    ],
  };

  test.each(Object.entries(attacks))('%s', async (_name, [call, expected]) => {
    const host = call.headers?.['host']?.replace('PORT', String(open.port));
    const sent = host === undefined ? call : withHeaders(call, { host });
    expect(await refusal(open, sent)).toBe(expected);
    expect(await modelsOf(open)).toBe(0);
    expect(await open.useCases.listKeys(ADMIN)).toEqual([]);
  });

  test('no answer ever allows another origin', async () => {
    const origins: Record<string, string>[] = [
      {},
      { origin: 'http://evil.example' },
      { origin: open.url },
    ];
    for (const headers of origins) {
      for (const method of ['GET', 'OPTIONS', 'PUT']) {
        const answer = await open.send(withHeaders({ ...list, method }, headers));
        const names = Object.keys(answer.headers);
        expect(names.filter((name) => name.startsWith('access-control'))).toEqual([]);
        expect(answer.headers).toMatchObject({
          'x-content-type-options': 'nosniff',
          'cache-control': 'no-store',
          'cross-origin-resource-policy': 'same-origin',
        });
      }
    }
  });

  test('its own addresses and origins are served', async () => {
    const { port } = open;
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`]) {
      const headers = { host, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' };
      expect((await open.send(withHeaders(list, headers))).status).toBe(200);
    }
    for (const host of ['rouse.example', 'rouse.example:1234', 'Other.Example:9000']) {
      expect((await open.send(withHeaders(list, { host }))).status).toBe(200);
    }
    const direct = withHeaders(list, { 'sec-fetch-site': 'none' });
    expect((await open.send(direct)).status).toBe(200);
  });
});

describe('keys', () => {
  const bearer = (secret: string): Record<string, string> => ({
    authorization: `Bearer ${secret}`,
  });
  const key = (role: Role): Record<string, string> => bearer(keys.get(role) ?? '');

  test('loopback without a key is an admin; a request that was forwarded is nobody', async () => {
    expect((await open.send({ path: '/api/v1/keys' })).status).toBe(200);
    for (const name of ['x-forwarded-for', 'forwarded', 'x-real-ip']) {
      const call = { path: '/api/v1/keys', headers: { [name]: '10.0.0.9' } };
      expect(await refusal(open, call)).toBe('401 unauthorized');
    }
  });

  test('a wrong key is refused everywhere, even where none is needed', async () => {
    const good = keys.get('admin') ?? '';
    const wrong = [
      bearer('nonsense'),
      bearer(`${good.slice(0, -1)}${good.endsWith('A') ? 'B' : 'A'}`),
      bearer(''),
      { authorization: 'Basic YWRtaW46YWRtaW4=' },
      { authorization: good },
    ];
    for (const server of [open, locked]) {
      for (const headers of wrong) {
        for (const path of ['/api/v1', '/healthz', '/metrics']) {
          const answer = await server.send({ path, headers });
          expect(answer.status).toBe(401);
          expect(answer.headers['www-authenticate']).toContain('Bearer');
        }
      }
    }
  });

  test('the refusal of a key says what to do without one', async () => {
    const tell = async (server: TestServer, headers: Record<string, string>): Promise<string> =>
      (await server.send({ path: '/api/v1', headers })).at('detail');
    const unknown = bearer('rk_nobody');
    expect(await tell(open, unknown)).toMatch(/not known .*needs none on this machine/);
    expect(await tell(locked, unknown)).toMatch(/not known .*an admin can make another: .*create/);
    expect(await tell(open, { authorization: 'Basic eA==' })).toContain('"Bearer rk_…"');
  });

  test('where a key is needed, only the probes do without', async () => {
    expect(await refusal(locked, write)).toBe('401 unauthorized');
    for (const path of ['/api/v1', '/metrics', '/openapi.json', '/schemas/model.json', '/nope']) {
      expect(await refusal(locked, { path })).toBe('401 unauthorized');
    }
    for (const path of ['/healthz', '/readyz']) {
      expect((await locked.send({ path })).status).toBe(200);
    }
    expect(await modelsOf(locked)).toBe(0);
  });

  test('a role does what it may and no more', async () => {
    const statusOf = async (role: Role, call: RawCall): Promise<number> =>
      (await locked.send(withHeaders(call, key(role)))).status;
    const makeKey = {
      method: 'POST',
      path: '/api/v1/keys',
      headers: JSON_TYPE,
      body: '{"role":"read"}',
    };
    expect(await statusOf('read', list)).toBe(200);
    expect(await statusOf('read', write)).toBe(403);
    expect(await statusOf('invoke', write)).toBe(403);
    expect(await statusOf('deploy', makeKey)).toBe(403);
    expect(await modelsOf(locked)).toBe(0);
    expect(await statusOf('deploy', write)).toBe(201);
    expect(await statusOf('admin', makeKey)).toBe(201);
  });

  test.each([
    ['read', 'PUT', modelPath('x')],
    ['invoke', 'PUT', modelPath('x', '/traffic')],
    ['deploy', 'POST', '/api/v1/keys'],
    ['read', 'PUT', `/api/v1/artifacts/sha256:${'0'.repeat(64)}?name=x`],
  ] as const)(
    'whoever has the role %s is refused before what it sends is read: %s %s',
    async (role, method, path) => {
      const call = { method, path, headers: { 'content-type': 'text/plain' }, body: '{' };
      expect((await locked.send(withHeaders(call, key(role)))).status).toBe(403);
      expect((await locked.send(withHeaders(call, key('admin')))).status).toBe(415);
    },
  );

  test('a key opens nothing after it was deleted, and its secret is shown only once', async () => {
    const made = await locked.send({
      method: 'POST',
      path: '/api/v1/keys',
      headers: { ...JSON_TYPE, ...key('admin') },
      body: '{"role":"read","note":"for a test"}',
    });
    const id = made.at('id');
    const secret = made.at('secret');
    expect(made.json()).not.toHaveProperty('hash');
    const listed = await locked.send({ path: '/api/v1/keys', headers: key('admin') });
    expect(listed.text).toContain(id);
    expect(listed.text).not.toMatch(/"hash"|"secret"/);
    const read = { ...list, headers: bearer(secret) };
    expect((await locked.send(read)).status).toBe(200);
    const path = `/api/v1/keys/${id}`;
    const gone = await locked.send({ method: 'DELETE', path, headers: key('admin') });
    expect(gone.status).toBe(204);
    expect(await refusal(locked, read)).toBe('401 unauthorized');
  });

  test('an actor that this process names needs neither key nor Host', async () => {
    const fetch = createLocalFetch(locked.api, { id: 'system:test', role: 'read' });
    expect((await fetch('http://control/api/v1/namespaces/default/models')).status).toBe(200);
    const refused = await fetch(`http://control${write.path}`, {
      method: 'PUT',
      headers: JSON_TYPE,
      body: document,
    });
    expect(refused.status).toBe(403);
  });
});

describe('an address that others reach', () => {
  const listen = { host: '127.0.0.1', port: 8080 };

  test('starts only with a key, and says how to make one', () => {
    const control = { host: '0.0.0.0', port: 8081 };
    const data = DEFAULT_DATA;
    expect(() => checkExposure({ control, listen, data }, false)).toThrow(
      /listen on 0\.0\.0\.0 port 8081/,
    );
    expect(() => checkExposure({ control, listen, data }, false)).toThrow(
      'npx rouse key create --role admin --server http://127.0.0.1:8081',
    );
    expect(() => checkExposure({ control: { host: '::', port: 1 }, listen, data }, false)).toThrow(
      /no key/,
    );
    expect(() =>
      checkExposure({ control: { host: 'rouse.example', port: 1 }, listen, data }, false),
    ).toThrow(/no key/);
    checkExposure({ control, listen, data }, true);
    checkExposure({ control: { host: '127.0.0.1', port: 8081 }, listen, data }, false);
    checkExposure({ control: { host: '::1', port: 8081 }, listen, data }, false);
    expect(needsKey(control, false)).toBe(true);
    expect(needsKey({ host: '127.0.0.1', port: 1 }, false)).toBe(false);
    expect(needsKey({ host: '127.0.0.1', port: 1 }, true)).toBe(true);
  });

  test('the commands it says keep the data folder and --listen, and name a port that is one', () => {
    const control = { host: '0.0.0.0', port: 0 };
    const told = (data: string, listen: HostPort = { host: '127.0.0.1', port: 8080 }): string => {
      try {
        checkExposure({ control, listen, data }, false);
        return '';
      } catch (error) {
        return messageOf(error);
      }
    };
    expect(told(DEFAULT_DATA)).not.toMatch(/port 0|:0\b|--data|--listen/);
    expect(told(DEFAULT_DATA, { host: '::', port: 80 })).toContain(
      "  npx rouse serve --listen '[::]:80' --control 127.0.0.1:8081\n",
    );
    expect(told('./my state').split('\n').slice(-2)).toEqual([
      "  npx rouse serve --control 127.0.0.1:8081 --data './my state'",
      '  npx rouse key create --role admin --server http://127.0.0.1:8081',
    ]);
  });

  test('answers to the address that a connection came in on', async () => {
    const server = await startServer({ host: '0.0.0.0', requireKey: true });
    const { secret } = await server.useCases.createKey(ADMIN, 'read', '');
    const headers = { authorization: `Bearer ${secret}` };
    expect((await server.send({ ...list, headers })).status).toBe(200);
    expect((await server.send(list)).status).toBe(401);
    expect((await server.send(withHeaders(list, { host: `0.0.0.0:${server.port}` }))).status).toBe(
      421,
    );
    await server.close();
  });
});

test('secrets never reach the log, and each request has a number', async () => {
  const lines: string[] = [];
  const log = createLog({ level: 'debug', terminal: false });
  const spied = new Proxy(log, {
    get: (target, name) =>
      name === 'debug' || name === 'error'
        ? (...args: unknown[]) => lines.push(JSON.stringify(args))
        : Reflect.get(target, name),
  });
  const server = await startServer({ log: spied, requireKey: true });
  const { secret } = await server.useCases.createKey(ADMIN, 'admin', '');
  const headers = { ...JSON_TYPE, authorization: `Bearer ${secret}` };
  const made = await server.send({
    method: 'POST',
    path: '/api/v1/keys?x=query-text',
    headers,
    body: '{"role":"read"}',
  });
  const again = await server.send({ ...list, headers });
  await server.send({ path: '/api/v1', headers: { authorization: 'Bearer rk_wrong_secret' } });
  await server.close();
  expect(made.headers['x-request-id']).not.toBe(again.headers['x-request-id']);
  const logged = lines.join('\n');
  expect(logged).toContain(String(again.headers['x-request-id']));
  expect(logged).toContain('/api/v1/keys');
  for (const hidden of [secret, 'rk_', 'query-text', 'Bearer'])
    expect(logged).not.toContain(hidden);
});
