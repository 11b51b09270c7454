import { readFile, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createConnection } from '#knative/api/client.ts';
import type { Connection } from '#knative/api/connection.ts';
import { createKube, type Kube } from '#knative/api/kube.ts';
import type { KnativeService } from '#knative/api/objects.ts';
import { DEFINITIONS, PODS, REVISIONS, SERVICES } from '#knative/api/resources.ts';
import { systemClock } from '#lib/clock.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { until } from '#test/runtime/conformance.ts';
import { makeStatus, startApiServer, type ApiServer } from './api-server.ts';

let server: ApiServer;
let connection: Connection;
let kube: Kube;

beforeEach(async () => {
  server = await startApiServer();
  connection = await createConnection(server.kubeconfig);
  kube = createKube(connection, systemClock);
});
afterEach(async () => {
  connection.close();
  await server.close();
});

function service(name: string, more: Partial<KnativeService['metadata']> = {}): KnativeService {
  const metadata = { name, namespace: 'shop', labels: { app: 'x' }, ...more };
  return { apiVersion: 'serving.knative.dev/v1', kind: 'Service', metadata, spec: { traffic: [] } };
}

const place = { namespace: 'shop', name: 'digits' };

describe('objects', () => {
  test('are applied, read, annotated and removed over TLS, with a token', async () => {
    expect(await kube.get(SERVICES, place)).toBeUndefined();
    const made = await kube.apply(SERVICES, service('digits'), { force: false });
    expect(made.metadata.uid).toBeDefined();
    await kube.annotate(SERVICES, place, { a: '1' });
    expect(await kube.get(SERVICES, place)).toMatchObject({
      metadata: { annotations: { a: '1' } },
    });
    await kube.remove(SERVICES, place, made.metadata.uid);
    await kube.remove(SERVICES, place);
    expect(await kube.get(SERVICES, place)).toBeUndefined();
    expect(server.requests.map(({ method }) => method)).toContain('PATCH');
    expect(server.requests.some(({ path }) => path.includes('fieldManager=rouse'))).toBe(true);
  });

  test('that a dry run applies are not made', async () => {
    await kube.apply(SERVICES, service('digits'), { force: false, dryRun: true });
    expect(await kube.get(SERVICES, place)).toBeUndefined();
  });

  test('are listed page by page, and only those that are selected', async () => {
    for (let n = 0; n < 1203; n++) server.store.put(SERVICES, service(`s${n}`));
    server.store.put(SERVICES, service('another', { labels: { app: 'y' } }));
    const { items, resourceVersion } = await kube.list(SERVICES, 'app=x');
    expect(items).toHaveLength(1203);
    expect(new Set(items.map(({ metadata }) => metadata.name)).size).toBe(1203);
    expect(resourceVersion).toBe(String(server.store.version));
    expect(server.requests).toHaveLength(3);
  });

  test('of others are taken only by force, and one of the same name is not the same', async () => {
    server.store.put(SERVICES, service('digits'));
    const taken = kube.apply(SERVICES, service('digits'), { force: false });
    await expect(taken).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('.spec.template (conflict with "kubectl-create")'),
    });
    const other = service('digits', { uid: 'another' });
    await expect(kube.apply(SERVICES, other, { force: true })).rejects.toMatchObject({
      code: 'conflict',
    });
    await expect(kube.remove(SERVICES, place, 'another')).rejects.toMatchObject({
      code: 'conflict',
    });
    expect(await kube.get(SERVICES, place)).toBeDefined();
  });

  test('logs are text, and none where there is no container', async () => {
    const pod = { metadata: { name: 'digits', namespace: 'shop' }, log: 'one\ntwo\n' };
    server.store.put(PODS, pod);
    expect(await kube.logs(place, 'model', 10)).toBe('one\ntwo\n');
    server.refuse(/log/, 400, makeStatus(400, 'BadRequest', 'is waiting to start'));
    expect(await kube.logs(place, 'model', 10)).toBe('');
    server.refuse(/log/, 404, makeStatus(404, 'NotFound', 'pods "digits" not found'));
    expect(await kube.logs(place, 'model', 10)).toBe('');
    expect(server.requests[0]?.path).toContain('container=model&tailLines=10&timestamps=true');
  });
});

describe('what the cluster refuses', () => {
  const webhook = 'validation.webhook.serving.knative.dev';
  test.each([
    [
      'no permission',
      403,
      makeStatus(
        403,
        'Forbidden',
        'services.serving.knative.dev "digits" is forbidden: User "system:serviceaccount:rouse:rouse" cannot patch resource "services" in API group "serving.knative.dev" in the namespace "shop"',
      ),
      'forbidden',
      /^the cluster does not let Rouse: services.serving.knative.dev "digits" is forbidden: User .* cannot patch/,
    ],
    [
      'a quota',
      403,
      makeStatus(
        403,
        'Forbidden',
        'services "digits" is forbidden: exceeded quota: small, used: 3',
      ),
      'unavailable',
      /the quota of its namespace is used up: .*exceeded quota: small/,
    ],
    [
      'a namespace that goes',
      403,
      makeStatus(403, 'Forbidden', 'unable to create new content', {
        causes: [{ reason: 'NamespaceTerminating' }],
      }),
      'conflict',
      /its namespace is being deleted$/,
    ],
    [
      'a namespace that is not there',
      404,
      makeStatus(404, 'NotFound', 'namespaces "shop" not found', {
        kind: 'namespaces',
        name: 'shop',
      }),
      'not_found',
      /^namespace shop does not exist in the cluster$/,
    ],
    [
      'no Knative',
      404,
      '404 page not found\n',
      'unavailable',
      /^the cluster has no services.serving.knative.dev: expected Knative Serving/,
    ],
    [
      'a webhook that denies',
      400,
      makeStatus(
        400,
        'BadRequest',
        `admission webhook "${webhook}" denied the request: validation failed: expected 0 <= -1 <= 1000: spec.template.spec.containerConcurrency`,
      ),
      'invalid',
      /^services.serving.knative.dev digits in namespace shop: refused by webhook validation.webhook.serving.knative.dev: validation failed: expected 0 <= -1/,
    ],
    [
      'a webhook that does not answer',
      500,
      makeStatus(
        500,
        'InternalError',
        `Internal error occurred: failed calling webhook "${webhook}": Post "https://webhook": connection refused`,
      ),
      'unavailable',
      /webhook validation.webhook.serving.knative.dev of the cluster does not work: Post .* connection refused$/,
    ],
    [
      'an object that is not valid',
      422,
      makeStatus(422, 'Invalid', 'Service "digits" is invalid', {
        causes: [{ field: 'spec.traffic', message: 'Required value' }],
      }),
      'invalid',
      /the cluster refuses it: Service "digits" is invalid$/,
    ],
    [
      'what was changed meanwhile',
      409,
      makeStatus(409, 'Conflict', 'the object has been modified'),
      'conflict',
      /: the object has been modified$/,
    ],
    [
      'too many requests',
      429,
      makeStatus(429, 'TooManyRequests', 'slow down', { retryAfterSeconds: 7 }),
      'unavailable',
      /the cluster answers 429: slow down$/,
    ],
    ['a proxy between', 502, '<html>Bad Gateway</html>', 'unavailable', /answers 502: <html>Bad/],
  ])('%s', async (_name, status, body, code, message) => {
    server.refuse(/^PATCH/, status, body);
    const error: unknown = await kube
      .apply(SERVICES, service('digits'), { force: true })
      .catch((fault: unknown) => fault);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    if (status === 429) expect(error).toMatchObject({ retryAfter: 7 });
    if (status === 422) {
      expect(error).toMatchObject({
        problems: [{ key: 'spec.traffic', value: '', expected: 'Required value' }],
      });
    }
  });

  test('an answer that is no JSON, as of a proxy on the way', async () => {
    server.refuse(/GET .*digits/, 200, '<html>Sign in</html>');
    await expect(kube.get(SERVICES, place)).rejects.toMatchObject({
      code: 'bad_upstream',
      message: expect.stringMatching(
        /^services.serving.knative.dev digits in namespace shop: the answer of the cluster is no JSON: <html>Sign in/,
      ),
    });
  });

  test('a message that never ends is cut', async () => {
    server.refuse(/^GET/, 500, 'x'.repeat(100_000));
    const error: unknown = await kube.get(REVISIONS, place).catch((fault: unknown) => fault);
    expect((error as Error).message.length).toBeLessThanOrEqual(2000);
  });
});

describe('a way to the cluster', () => {
  test('that is not there', async () => {
    await server.away(true);
    await expect(kube.get(SERVICES, place)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(
        /^the API server of the cluster does not answer: .*ECONNREFUSED/,
      ),
    });
    await server.away(false);
    expect(await kube.get(SERVICES, place)).toBeUndefined();
  });

  test('with a wrong token', async () => {
    await rewrite((text) => text.replace('token-of-a-test', 'guess'));
    const other = await createConnection(server.kubeconfig);
    await expect(createKube(other, systemClock).get(SERVICES, place)).rejects.toMatchObject({
      code: 'unavailable',
      message: "the cluster does not know Rouse's credentials: Unauthorized",
    });
  });

  test('whose certificate nobody vouches for', async () => {
    await rewrite((text) => text.replace(/"certificate-authority-data":"[^"]*"/, '"x":""'));
    const other = await createConnection(server.kubeconfig);
    await expect(createKube(other, systemClock).get(SERVICES, place)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/self-signed certificate/),
    });
    expect(server.requests).toEqual([]);
  });

  test('that no file tells', async () => {
    await expect(createConnection(`${server.kubeconfig}.gone`)).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('ENOENT'),
    });
    await rewrite(() => '{"apiVersion":"v1","kind":"Config"}');
    await expect(createConnection(server.kubeconfig)).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('expected a current context with a cluster'),
    });
  });

  test('that does not answer is given up, and so is a watch beyond its time', async () => {
    const clock = createFakeClock();
    const impatient = createKube(connection, clock);
    server.refuse(/^GET/, 0, '');
    const asking = impatient.get(SERVICES, place);
    const late = {
      code: 'unavailable',
      message: 'the API server of the cluster has not answered within 45s',
    };
    const refused = expect(asking).rejects.toMatchObject(late);
    await until('it is asked', () => server.requests.length === 1);
    clock.advance(45_000);
    await refused;
    const from = {
      selector: '',
      resourceVersion: '100',
      seconds: 300,
      signal: new AbortController().signal,
    };
    server.refuse(/^GET/, 0, '');
    const beginning = expect(impatient.watch(SERVICES, from)).rejects.toMatchObject(late);
    await until('a watch is asked for', () => server.requests.length === 2);
    clock.advance(45_000);
    await beginning;
    const watching = await impatient.watch(SERVICES, from);
    if (watching === 'gone') throw new Error('the watch is refused');
    const cut = expect(drain(watching)).rejects.toThrow(/abort/i);
    clock.advance(330_000);
    await cut;
    expect(clock.pending).toBe(0);
  });

  test('that is closed ends what is open', async () => {
    const watching = await kube.watch(DEFINITIONS, {
      selector: '',
      resourceVersion: '100',
      seconds: 300,
      signal: new AbortController().signal,
    });
    if (watching === 'gone') throw new Error('the watch is refused');
    const reading = drain(watching);
    connection.close();
    await expect(reading).rejects.toThrow(/abort/i);
  });

  async function drain(events: AsyncIterable<unknown>): Promise<void> {
    for await (const _ of events);
  }

  async function rewrite(change: (text: string) => string): Promise<void> {
    await writeFile(server.kubeconfig, change(await readFile(server.kubeconfig, 'utf8')));
  }
});
