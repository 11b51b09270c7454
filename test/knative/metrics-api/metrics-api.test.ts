import { request } from 'node:https';
import { json } from 'node:stream/consumers';
import { X509Certificate } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { createConnection } from '#knative/api/client.ts';
import { createKube } from '#knative/api/kube.ts';
import type { Certificate } from '#knative/metrics-api/certificate.ts';
import { createMetricsApi, type MetricsApi } from '#knative/metrics-api/metrics-api.ts';
import { RENEW_MS } from '#knative/metrics-api/rotation.ts';
import type { ConfigMap, KubeObject } from '#knative/api/objects.ts';
import { CONFIG_MAPS } from '#knative/api/resources.ts';
import { systemClock } from '#lib/clock.ts';
import { silentLog } from '#lib/log.ts';
import { createFakeClock, type FakeClock } from '#test/fake-clock.ts';
import { makeCertificate } from '#test/fixtures/certificate.ts';
import { manifestsOf } from '#test/knative/install/files.ts';
import { deedsOf, isAllowed, nameOf, type Rule, rulesOf } from '#test/knative/install/rights.ts';
import { until } from '#test/until.ts';
import { startApiServer, type ApiServer } from '../api-server.ts';

const SERVICES = { root: '/apis/apiregistration.k8s.io/v1', plural: 'apiservices' };
const NAME = 'v1beta2.custom.metrics.k8s.io';
const HOST = 'rouse-metrics.rouse-system.svc';
const ROOT = '/apis/custom.metrics.k8s.io/v1beta2';
const MODEL = `${ROOT}/namespaces/shop/models.rouse.dev/digits/rouse_wanted_instances`;
const USER = { 'x-remote-user': 'system:serviceaccount:kube-system:horizontal-pod-autoscaler' };
const LOOK_MS = 15_000;

const proxy = makeCertificate(['front-proxy-client']);
const kubelet = makeCertificate(['kubelet']);
const stranger = makeCertificate(['front-proxy-client']);

interface World {
  readonly server: ApiServer;
  readonly api: MetricsApi;
  readonly clock: FakeClock;
  /** PEM; what the API server trusts. */
  readonly bundle: () => string;
  readonly ask: (path: string, options?: Partial<Asking>) => Promise<Answer>;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

interface Asking {
  readonly method: string;
  readonly client: Certificate | undefined;
  readonly headers: Record<string, string>;
  readonly trusts: string;
}

const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

/** As the install makes it. */
function apiService(): KubeObject {
  const made = manifestsOf('metrics').find(({ kind }) => kind === 'APIService');
  if (!made) throw new Error('there is no APIService');
  return made;
}

function authentication(): ConfigMap {
  const data = {
    // Others have certificates of the same authority.
    'requestheader-client-ca-file': proxy.certificate + kubelet.certificate,
    'requestheader-allowed-names': '["front-proxy-client"]',
    'requestheader-username-headers': '["X-Remote-User"]',
  };
  const metadata = { namespace: 'kube-system', name: 'extension-apiserver-authentication' };
  return { metadata, data };
}

async function begin(prepare: (server: ApiServer) => void): Promise<World> {
  const server = await startApiServer();
  ends.push(() => server.close());
  prepare(server);
  const connection = await createConnection(server.kubeconfig);
  ends.push(async () => connection.close());
  // Certificates are checked by the time of day, also those that are made in the end.
  const clock = createFakeClock(Date.now() - RENEW_MS);
  const kube = createKube(connection, systemClock);
  const source = { wanted: () => new Map([['shop/digits/v1', 3]]), pods: () => [] };
  const address = { host: '127.0.0.1', port: 0 };
  const api = await createMetricsApi({ kube, source, address, clock, log: silentLog });
  ends.push(() => api.close());
  const bundle = (): string => {
    const { spec } = (server.store.get(SERVICES, '', NAME) ?? {}) as {
      spec?: { caBundle?: string };
    };
    return Buffer.from(spec?.caBundle ?? '', 'base64').toString();
  };
  return {
    server,
    api,
    clock,
    bundle,
    ask: (path, { method = 'GET', headers = USER, trusts = bundle(), ...rest } = {}) => {
      const client = 'client' in rest ? rest.client : proxy;
      const { certificate: cert, key } = client ?? {};
      const pair = client ? { cert, key } : {};
      const to = { ...api.address, servername: HOST, ca: trusts, agent: false, ...pair };
      return new Promise((resolve, reject) => {
        request({ ...to, path, method, headers }, (response) => {
          json(response).then(
            (body) => resolve({ status: response.statusCode ?? 0, body }),
            reject,
          );
        })
          .on('error', reject)
          .end();
      });
    },
  };
}

async function beginInstalled(): Promise<World> {
  const world = await begin(({ store }) => {
    store.put(SERVICES, apiService());
    store.put(CONFIG_MAPS, authentication());
  });
  await until('it is trusted', () => world.bundle() !== '');
  return world;
}

/** After that time it looks once more; what it did before is over. */
async function lookAfter(clock: FakeClock, ms: number): Promise<void> {
  await until('it waits for its time', () => clock.pending > 0);
  clock.advance(ms);
}

const countOf = (bundle: string): number => bundle.split('BEGIN CERTIFICATE').length - 1;

describe('the API server', () => {
  test('finds what there is, and gets values', async () => {
    const { ask } = await beginInstalled();
    const found = await ask(ROOT);
    expect(found.body).toMatchObject({
      kind: 'APIResourceList',
      resources: [
        { name: 'pods/rouse_wanted_instances', namespaced: true },
        { name: 'models.rouse.dev/rouse_wanted_instances', namespaced: true },
      ],
    });
    expect((await ask('/apis/custom.metrics.k8s.io')).body).toMatchObject({
      kind: 'APIGroup',
      preferredVersion: { groupVersion: 'custom.metrics.k8s.io/v1beta2' },
    });
    expect(await ask(MODEL)).toMatchObject({
      status: 200,
      body: { kind: 'MetricValueList', items: [{ value: '3' }] },
    });
  });

  test.each([
    ['GET', '/apis', 404, /is not here/],
    ['GET', '/openapi/v3', 404, /is not here/],
    [
      'GET',
      `${ROOT}/namespaces/shop/pods/*/requests`,
      404,
      /expected pods\/rouse_wanted_instances/,
    ],
    ['GET', `${ROOT}/namespaces/shop/pods/*/rouse_wanted_instances`, 404, /nothing is known/],
    ['GET', `${MODEL}?metricLabelSelector=a%3Db`, 404, /nothing is known/],
    ['GET', `${MODEL}?labelSelector=a%3E1`, 400, /found "a>1", expected terms/],
    ['GET', MODEL.replace('digits', '%ff'), 400, /found "%ff", expected percent-encoded/],
    ['POST', MODEL, 405, /expected GET/],
  ])('%s %s is answered with %i', async (method, path, status, message) => {
    const { ask } = await beginInstalled();
    expect(await ask(path, { method })).toEqual({
      status,
      body: expect.objectContaining({
        kind: 'Status',
        code: status,
        message: expect.stringMatching(message),
      }),
    });
  });

  test.each([
    ['without a certificate', { client: undefined }],
    ["with a stranger's certificate", { client: stranger }],
    ['with a certificate for something else', { client: kubelet }],
    ['on behalf of nobody', { headers: {} }],
    ['on behalf of a user without a name', { headers: { 'x-remote-user': '' } }],
  ])('who asks %s is refused', async (_, asking) => {
    const { ask } = await beginInstalled();
    expect(await ask(MODEL, asking)).toMatchObject({
      status: 401,
      body: { reason: 'Unauthorized' },
    });
  });
});

describe('its certificate', () => {
  test('is for the Service that the APIService names', async () => {
    const { bundle } = await beginInstalled();
    expect(new X509Certificate(bundle()).checkHost(HOST)).toBe(HOST);
    expect(new X509Certificate(bundle()).checkHost('rouse.rouse-system.svc')).toBeUndefined();
  });

  test('is renewed, and whoever trusts what is to be trusted then reaches it at any time', async () => {
    const { ask, bundle, clock } = await beginInstalled();
    const first = bundle();
    await lookAfter(clock, RENEW_MS);
    await until('both are trusted', () => countOf(bundle()) === 2);
    expect((await ask(ROOT, { trusts: first })).status).toBe(200);
    expect((await ask(ROOT)).status).toBe(200);
    await lookAfter(clock, LOOK_MS);
    await until('the new one alone is trusted', () => countOf(bundle()) === 1);
    expect(bundle()).not.toBe(first);
    expect((await ask(ROOT)).status).toBe(200);
    await expect(ask(ROOT, { trusts: first })).rejects.toThrow(/self-signed certificate/);
  });

  test('is trusted again when the APIService was made anew', async () => {
    const { ask, bundle, clock, server } = await beginInstalled();
    server.store.delete(SERVICES, '', NAME);
    server.store.put(SERVICES, apiService());
    expect(bundle()).toBe('');
    await lookAfter(clock, LOOK_MS);
    await until('it is trusted', () => bundle() !== '');
    expect((await ask(ROOT)).status).toBe(200);
  });
});

describe('without what it needs', () => {
  test('it waits for the install, and nobody is served', async () => {
    const { ask, bundle, clock, server } = await begin(() => {});
    await expect(ask(ROOT)).rejects.toThrow();
    await until('it has looked', () => server.requests.length > 0);
    server.store.put(SERVICES, apiService());
    server.store.put(CONFIG_MAPS, authentication());
    await lookAfter(clock, LOOK_MS);
    await until('it is trusted', () => bundle() !== '');
    expect((await ask(ROOT)).status).toBe(200);
  });

  test("another's API is left alone", async () => {
    const { bundle, clock, server } = await begin(({ store }) => {
      const { metadata, ...rest } = apiService();
      store.put(SERVICES, { ...rest, metadata: { ...metadata, labels: { app: 'adapter' } } });
      store.put(CONFIG_MAPS, authentication());
    });
    const looks = (): number => server.requests.filter(({ method }) => method === 'GET').length;
    await lookAfter(clock, LOOK_MS);
    await until('it has looked twice', () => looks() === 2);
    await until('it waits for its time', () => clock.pending > 0);
    expect(bundle()).toBe('');
    expect(server.requests.filter(({ method }) => method !== 'GET')).toEqual([]);
  });
});

test('the install lets it do what it does, and nothing else', async () => {
  const { server } = await beginInstalled();
  // Of Kubernetes' own role, which the install names.
  const reader: Rule = {
    apiGroups: [''],
    resources: ['configmaps'],
    resourceNames: ['extension-apiserver-authentication'],
    verbs: ['get'],
  };
  const rules = [...rulesOf(manifestsOf('metrics'), 'ClusterRole', 'rouse-metrics'), reader];
  const deeds = server.requests.flatMap(deedsOf);
  expect(deeds.filter((deed) => !isAllowed(rules, deed))).toEqual([]);
  expect(new Set(deeds.map(nameOf))).toEqual(
    new Set([
      'get apiservices.apiregistration.k8s.io',
      'patch apiservices.apiregistration.k8s.io',
      'get configmaps',
    ]),
  );
});
