import { afterAll, beforeAll, expect, test } from 'vitest';
import { createArtifactKeys } from '#control/usecases/artifact-keys.ts';
import { ADMIN, startServer, type TestServer } from './server.ts';

let server: TestServer;
let digest: string;

beforeAll(async () => {
  server = await startServer({ requireKey: true });
  digest = (await server.push('weights')).slice('sha256:'.length);
});
afterAll(() => server.close());

function path(of: string): string {
  return `/api/v1/artifacts/sha256:${of}/content`;
}

async function askWith(key: string | undefined, of = digest): Promise<string> {
  const headers = key === undefined ? undefined : { authorization: `Bearer ${key}` };
  const { status, text } = await server.send({ path: path(of), ...(headers && { headers }) });
  return `${status} ${status === 200 ? text : JSON.parse(text).code}`;
}

test('the key of an artifact opens its bytes, and nothing else', async () => {
  const key = server.keyOf(digest);
  expect(await askWith(key)).toBe('200 weights');
  const other = (await server.push('other weights')).slice('sha256:'.length);
  expect(await askWith(key, other)).toBe('401 unauthorized');
  const headers = { authorization: `Bearer ${key}` };
  for (const asked of ['/api/v1/namespaces/default/models', `/api/v1/artifacts/sha256:${digest}`]) {
    expect((await server.send({ path: asked, headers })).status).toBe(401);
  }
});

test('no other key opens them', async () => {
  const { secret } = await server.useCases.createKey(ADMIN, 'admin', '');
  const stranger = createArtifactKeys(Buffer.alloc(32)).keyOf(digest);
  for (const key of [undefined, secret, stranger, 'ra_', `${server.keyOf(digest)}x`]) {
    expect(await askWith(key), String(key)).toBe('401 unauthorized');
  }
});

test('what is not there is said to be not there only to whom has its key', async () => {
  const absent = 'a'.repeat(64);
  expect(await askWith(server.keyOf(absent), absent)).toBe('404 not_found');
  expect(await askWith(server.keyOf(digest), absent)).toBe('401 unauthorized');
});

test('what a program has left is taken with the key of its attempt, and no other', async () => {
  const attempt = { namespace: 'default', id: 'job-1', attempt: 1 };
  const stranger = createArtifactKeys(Buffer.alloc(32)).outputKeyOf(attempt);
  const { secret } = await server.useCases.createKey(ADMIN, 'admin', '');
  const offer = async (key: string, of = 1, type = 'application/octet-stream') => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': type };
    const output = `/api/v1/namespaces/default/jobs/job-1/attempts/${of}/output`;
    const { status } = await server.send({ method: 'PUT', path: output, headers, body: 'x' });
    return status;
  };
  for (const key of ['', secret, stranger, server.keyOf(digest)]) {
    expect(await offer(key), key).toBe(401);
  }
  expect(await offer(server.outputKeyOf(attempt), 2)).toBe(401);
  expect(await offer(server.outputKeyOf(attempt), 1, 'text/plain')).toBe(415);
  // The right one: there are no jobs on this server.
  expect(await offer(server.outputKeyOf(attempt))).toBe(501);
});
