import { once } from 'node:events';
import { Agent, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { IncomingMessage, RequestListener } from 'node:http';
import { text } from 'node:stream/consumers';
import { beforeEach, describe, expect, test } from 'vitest';
import { ENDPOINT_SLICES, INGRESSES, SECRETS } from '#knative/ingress/objects.ts';
import type { IngressServer } from '#serve/ingress/ingress.ts';
import { call, startInstance } from '#test/activator/harness.ts';
import { makeCertificate } from '#test/fixtures/certificate.ts';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';
import { makeStatus } from '../api-server.ts';
import { createWorld, makeRule, NAMESPACE, type World } from './world.ts';

const HOST = 'digits.shop.example.com';

const teardown = useTeardown();
let world: World;
let gateway: IngressServer;

beforeEach(async () => {
  world = await createWorld(teardown);
  gateway = await world.startGateway('one');
});

async function startBackend(handler: RequestListener): Promise<number> {
  const instance = await startInstance(handler);
  teardown(() => instance.close());
  return instance.port;
}

/** A Service `name` that answers with its name. */
async function startNamed(name: string): Promise<void> {
  world.putService(name, [await startBackend((_, response) => response.end(name))]);
}

const ask = (host: string, path = '/', headers = {}, port = gateway.activator.port) =>
  call(port, path, { headers: { host, ...headers } });

const insidePort = (): number => gateway.activator.morePorts[1] ?? 0;

describe('an Ingress', () => {
  test('is served, and told ready with where it is served', async () => {
    await startNamed('a');
    world.putIngress('digits', makeRule(HOST, 'a'));
    const status = await world.untilReady('digits');
    expect((await ask(HOST)).body).toBe('a');
    expect((await ask(HOST, '/', {}, insidePort())).body).toBe('a');
    expect(status).toMatchObject({
      observedGeneration: 1,
      publicLoadBalancer: {
        ingress: [{ domainInternal: 'rouse-ingress.rouse-system.svc.cluster.local' }],
      },
      privateLoadBalancer: {
        ingress: [{ domainInternal: 'rouse-ingress-internal.rouse-system.svc.cluster.local' }],
      },
    });
    expect(status?.conditions?.map(({ type, status: is }) => `${type} ${is}`)).toEqual([
      'LoadBalancerReady True',
      'NetworkConfigured True',
      'Ready True',
    ]);
    expect((await ask('other.example.com')).status).toBe(404);
  });

  test('of another class is none of our business', async () => {
    await startNamed('a');
    const annotations = { 'networking.knative.dev/ingress.class': 'other' };
    world.putIngress('theirs', makeRule('theirs.example.com', 'a'), { annotations });
    world.putIngress('digits', makeRule(HOST, 'a'));
    await world.untilReady('digits');
    expect((await ask('theirs.example.com')).status).toBe(404);
    expect(world.getIngress('theirs')?.status).toBeUndefined();
  });

  test('that goes, or gets another class, is served no more', async () => {
    await startNamed('a');
    world.putIngress('digits', makeRule(HOST, 'a'));
    world.putIngress('second', makeRule('second.example.com', 'a'));
    await world.untilReady('digits');
    await world.untilReady('second');
    world.api.store.delete(INGRESSES, NAMESPACE, 'digits');
    await until('its host is unknown', async () => (await ask(HOST)).status === 404);
    world.putIngress('second', makeRule('second.example.com', 'a'), { annotations: {} });
    await until(
      'its host is unknown',
      async () => (await ask('second.example.com')).status === 404,
    );
  });

  test('for the cluster only is unknown outside, by all of its names', async () => {
    await startNamed('a');
    const names = ['digits.shop.svc.cluster.local', 'digits.shop.svc', 'digits.shop'];
    const [rule] = makeRule(names[0] ?? '', 'a').rules ?? [];
    world.putIngress('digits', { rules: [{ ...rule, visibility: 'ClusterLocal' }] });
    await world.untilReady('digits');
    for (const name of names) {
      expect((await ask(name)).status).toBe(404);
      expect((await ask(name, '/', {}, insidePort())).body).toBe('a');
    }
  });

  test('splits exactly, sets fields before and after the split, and rewrites the host', async () => {
    const echo: RequestListener = ({ headers }, response) =>
      void response.end(`${String(headers['x-row'])} ${String(headers['x-all'])} ${headers.host}`);
    for (const name of ['a', 'b']) world.putService(name, [await startBackend(echo)]);
    const splits = [
      { serviceName: 'a', servicePort: 80, percent: 80, appendHeaders: { 'X-Row': 'a' } },
      { serviceName: 'b', servicePort: 80, percent: 20, appendHeaders: { 'X-Row': 'b' } },
    ];
    const path = { splits, appendHeaders: { 'X-All': 'all' }, rewriteHost: 'inner.example.com' };
    world.putIngress('digits', makeRule(HOST, '', path));
    await world.untilReady('digits');
    const counts = new Map<string, number>();
    for (let n = 0; n < 20; n += 1) {
      const { body } = await ask(HOST, `/${n % 3}`, { 'x-row': 'theirs', 'x-all': 'theirs' });
      counts.set(body, (counts.get(body) ?? 0) + 1);
    }
    expect(Object.fromEntries(counts)).toEqual({
      'a all inner.example.com': 16,
      'b all inner.example.com': 4,
    });
  });
});

describe('what callers say', () => {
  const echo: RequestListener = ({ headers }, response) =>
    void response.end(
      JSON.stringify(
        Object.entries(headers).filter(([name]) => name.startsWith('k-') || name.startsWith('x-')),
      ),
    );

  test('of what is between the parts of Knative only, goes no further', async () => {
    world.putService('a', [await startBackend(echo)]);
    world.putIngress('digits', makeRule(HOST, 'a'));
    await world.untilReady('digits');
    const spoofed = {
      'k-proxy-request': 'activator',
      'K-Kubelet-Probe': 'x',
      k_original_host: 'x',
      'k-original-host': 'inner.example.com',
      'k-mine': '1',
    };
    for (const port of [gateway.activator.port, insidePort()]) {
      const { body } = await ask(HOST, '/', spoofed, port);
      const named = (JSON.parse(body) as string[][]).filter(([name]) => name?.startsWith('k'));
      expect(named).toEqual([['k-mine', '1']]);
    }
  });

  test('of themselves is believed inside of the cluster, where an ingress asks as well, and nowhere else', async () => {
    world.putService('a', [await startBackend(echo)]);
    world.putService('inside', [insidePort()]);
    const inner = 'inner.shop.svc.cluster.local';
    const [rule] = makeRule(inner, 'a').rules ?? [];
    world.putIngress('inner', { rules: [{ ...rule, visibility: 'ClusterLocal' }] });
    // As the DomainMapping of Knative.
    world.putIngress('digits', makeRule(HOST, 'inside', { rewriteHost: inner }));
    await world.untilReady('inner');
    await world.untilReady('digits');
    const said = { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-proto': 'https' };
    const { body } = await ask(HOST, '/', said);
    expect(Object.fromEntries(JSON.parse(body) as [string, string][])).toMatchObject({
      'x-forwarded-for': '127.0.0.1, 127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': HOST,
    });
    const direct = await ask(inner, '/', said, insidePort());
    expect(Object.fromEntries(JSON.parse(direct.body) as [string, string][])).toMatchObject({
      'x-forwarded-for': '192.0.2.1, 127.0.0.1',
      'x-forwarded-proto': 'https',
    });
  });
});

describe('probes', () => {
  test('are told the hash; others get to the backend with what they ask for', async () => {
    const port = await startBackend(({ headers }, response) =>
      response.end(String(headers['k-network-hash'])),
    );
    world.putService('a', [port]);
    world.putIngress('digits', makeRule(HOST, 'a'));
    await world.untilReady('digits');
    const override = { 'k-network-hash': 'override' };
    const told = await ask(HOST, '/x', { ...override, 'k-network-probe': 'probe' });
    expect(told).toMatchObject({ status: 200, body: '' });
    const hash = String(told.headers['k-network-hash']);
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect((await ask(HOST, '/', override)).body).toBe(hash);
    const own = { 'k-network-hash': 'abc', 'k-network-probe': 'probe' };
    expect((await ask(HOST, '/', own)).body).toBe('abc');
  });

  test('make ready only what every gateway serves', async () => {
    await startNamed('a');
    const second = await world.startGateway('two');
    world.putIngress('digits', makeRule(HOST, 'a'));
    await world.untilReady('digits');
    expect((await ask(HOST, '/', {}, second.activator.port)).body).toBe('a');
    // It is told of as a gateway, and is none.
    const port = await startBackend((_, response) => response.end('?'));
    const slice = world.api.store.all(ENDPOINT_SLICES)[0];
    const metadata = {
      name: 'more',
      namespace: 'rouse-system',
      labels: { 'kubernetes.io/service-name': 'rouse-ingress' },
    };
    world.api.store.put(ENDPOINT_SLICES, {
      ...slice,
      metadata,
      ports: [{ name: 'http', port }],
    } as never);
    world.putIngress('digits', makeRule(HOST, 'a', { path: '/x' }));
    await world.untilSaid('digits', /^Unknown Probing 2 of 3 gateways/);
    world.api.store.delete(ENDPOINT_SLICES, 'rouse-system', 'more');
    await world.untilReady('digits');
  });
});

describe('what is missing', () => {
  test('a Service: the rules before stay until it is there', async () => {
    await startNamed('a');
    world.putIngress('digits', makeRule(HOST, 'a'));
    await world.untilReady('digits');
    world.putIngress('digits', makeRule(HOST, 'b'));
    await world.untilSaid('digits', /^Unknown Missing Service b does not exist/);
    expect((await ask(HOST)).body).toBe('a');
    await startNamed('b');
    await world.untilReady('digits');
    expect((await ask(HOST)).body).toBe('b');
  });

  test('what cannot be is told, and the rules before stay', async () => {
    await startNamed('a');
    world.putIngress('digits', makeRule(HOST, 'a'));
    await world.untilReady('digits');
    world.putIngress(
      'digits',
      makeRule(HOST, 'a', { appendHeaders: { 'Transfer-Encoding': 'x' } }),
    );
    await world.untilSaid('digits', /^False Invalid Header transfer-encoding/);
    world.putIngress('digits', makeRule(HOST, 'a', { path: 'no-slash' }));
    await world.untilSaid('digits', /^False Invalid path no-slash/);
    expect((await ask(HOST)).body).toBe('a');
  });

  test('a host that an older Ingress has stays with it until it goes', async () => {
    await startNamed('a');
    await startNamed('b');
    const at = (creationTimestamp: string) => ({ creationTimestamp });
    world.putIngress('younger', makeRule(HOST, 'b'), at('2026-02-02T00:00:00Z'));
    await world.untilReady('younger');
    world.putIngress('older', makeRule(HOST, 'a'), at('2026-01-01T00:00:00Z'));
    await world.untilReady('older');
    await world.untilSaid('younger', /^False HostTaken Host \S+ belongs to Ingress shop\/older/);
    expect((await ask(HOST)).body).toBe('a');
    world.api.store.delete(INGRESSES, NAMESPACE, 'older');
    await world.untilReady('younger');
    expect((await ask(HOST)).body).toBe('b');
  });
});

test('a status that cannot be written keeps no other from being told', async () => {
  await startNamed('a');
  const { api } = world;
  api.refuse(/PATCH .*\/bad-\d+\/status/, 500, makeStatus(500, 'InternalError', 'no'), 1e6);
  for (let n = 0; n < 40; n += 1) world.putIngress(`bad-${n}`, makeRule(`${n}.example.com`, 'a'));
  world.putIngress('digits', makeRule(HOST, 'a'));
  await world.untilReady('digits');
});

describe('no request is lost', () => {
  test('when rules and endpoints change under callers that never stop', async () => {
    for (const name of ['a', 'b']) await startNamed(name);
    world.putIngress('digits', makeRule(HOST, 'a'));
    await world.untilReady('digits');
    const agent = new Agent({ keepAlive: true });
    teardown(() => agent.destroy());
    let isOver = false;
    const statuses: number[] = [];
    async function goOn(): Promise<void> {
      while (!isOver) {
        const { status } = await call(gateway.activator.port, '/', {
          headers: { host: HOST },
          agent,
        });
        statuses.push(status);
      }
    }
    const callers = [goOn(), goOn(), goOn()];
    for (let round = 0; round < 6; round += 1) {
      const service = round % 2 === 0 ? 'b' : 'a';
      world.putIngress(
        'digits',
        makeRule(HOST, service, { appendHeaders: { Round: String(round) } }),
      );
      await world.untilReady('digits');
      expect((await ask(HOST)).body).toBe(service);
      await startNamed(service);
      const before = statuses.length;
      await until('more requests are answered', () => statuses.length > before + 20);
    }
    isOver = true;
    await Promise.all(callers);
    expect(new Set(statuses)).toEqual(new Set([200]));
  });

  test('when the last endpoint goes and another comes a while later', async () => {
    await startNamed('a');
    world.putIngress('digits', makeRule(HOST, 'a'));
    await world.untilReady('digits');
    world.putService('a', []);
    const waiting: Promise<string>[] = [];
    // Until one is not answered before another that was asked later.
    await until('a caller waits', async () => {
      const answer = ask(HOST).then(({ body }) => body);
      waiting.push(answer);
      return (await Promise.race([answer, ask('other.example.com')])) !== 'a';
    });
    await startNamed('a');
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['a']));
  });

  test('an endpoint that leaves ends what it has', async () => {
    const first = Promise.withResolvers<() => void>();
    let asked = 0;
    const slow = await startBackend((_, response) => {
      asked += 1;
      if (asked === 1) first.resolve(() => response.end('slow'));
      else response.end('not yet');
    });
    world.putService('a', [slow]);
    world.putIngress('digits', makeRule(HOST, 'a'));
    await world.untilReady('digits');
    const answer = ask(HOST);
    const finish = await first.promise;
    await startNamed('a');
    await until('others go to the next', async () => (await ask(HOST)).body === 'a');
    finish();
    expect((await answer).body).toBe('slow');
  });
});

describe('TLS', () => {
  async function askSecurely(host: string, ca: string): Promise<string> {
    const [port = 0] = gateway.activator.morePorts;
    const options = { port, servername: host, ca, headers: { host }, agent: false } as const;
    const sent = requestHttps(options).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return await text(response);
  }

  const secretOf = (secretName: string) => [
    { hosts: [HOST], secretName, secretNamespace: NAMESPACE },
  ];

  test('by certificates from Secrets, which may change; a name without one gets no handshake', async () => {
    await startNamed('a');
    world.putIngress('digits', { ...makeRule(HOST, 'a'), tls: secretOf('cert') });
    await world.untilSaid('digits', /^Unknown Missing Secret shop\/cert does not exist/);
    const one = makeCertificate([HOST]);
    world.putSecret('cert', one.certificate, one.key);
    await world.untilReady('digits');
    expect(await askSecurely(HOST, one.certificate)).toBe('a');
    expect((await ask(HOST)).body).toBe('a');
    const two = makeCertificate([HOST]);
    world.putSecret('cert', two.certificate, two.key);
    await until('the second certificate is shown', () =>
      askSecurely(HOST, two.certificate).then(
        () => true,
        () => false,
      ),
    );
    await expect(askSecurely('other.example.com', two.certificate)).rejects.toThrow();
  });

  test('a Secret that goes is told, since who begins now cannot serve without it; it is served on', async () => {
    await startNamed('a');
    const { certificate, key } = makeCertificate([HOST]);
    world.putSecret('cert', certificate, key);
    world.putIngress('digits', { ...makeRule(HOST, 'a'), tls: secretOf('cert') });
    await world.untilReady('digits');
    world.api.store.delete(SECRETS, NAMESPACE, 'cert');
    await world.untilSaid('digits', /^Unknown Missing Secret shop\/cert does not exist/);
    expect(await askSecurely(HOST, certificate)).toBe('a');
    world.putSecret('cert', certificate, key);
    await world.untilReady('digits');
  });

  test('is where plain callers are sent, with their path; inside of the cluster nobody is', async () => {
    await startNamed('a');
    const { certificate, key } = makeCertificate([HOST]);
    world.putSecret('cert', certificate, key);
    world.putIngress('digits', {
      ...makeRule(HOST, 'a'),
      tls: secretOf('cert'),
      httpOption: 'Redirected',
    });
    await world.untilReady('digits');
    const sent = requestHttp({
      port: gateway.activator.port,
      path: '/x?y',
      headers: { host: `${HOST}:8080` },
      agent: false,
    }).end();
    const [{ statusCode, headers }] = (await once(sent, 'response')) as [IncomingMessage];
    expect([statusCode, headers.location]).toEqual([301, `https://${HOST}/x?y`]);
    expect(await askSecurely(HOST, certificate)).toBe('a');
    expect((await ask(HOST, '/', {}, insidePort())).body).toBe('a');
  });

  test('a Secret that holds no certificate is told', async () => {
    await startNamed('a');
    world.putSecret('cert', 'no certificate', 'no key');
    world.putIngress('digits', { ...makeRule(HOST, 'a'), tls: secretOf('cert') });
    await world.untilSaid('digits', /^False Invalid tls.crt of Secret shop\/cert is no PEM/);
  });
});

describe('the API server', () => {
  test('away: what is known is served on, and what changed meanwhile afterwards', async () => {
    await startNamed('a');
    await startNamed('b');
    world.putIngress('digits', makeRule(HOST, 'a'));
    await world.untilReady('digits');
    await world.api.away(true);
    expect((await ask(HOST)).body).toBe('a');
    world.putIngress('digits', makeRule(HOST, 'b'));
    await world.api.away(false);
    await world.untilReady('digits');
    expect((await ask(HOST)).body).toBe('b');
  });

  test('that does not answer keeps no gateway from its end: callers are let go at once', async () => {
    await startNamed('a');
    world.putIngress('digits', makeRule(HOST, 'a'));
    await world.untilReady('digits');
    world.api.refuse(/leases/, 0, undefined, 1e6);
    const ended = world.stopGateway(gateway);
    await until('it takes no more', async () => {
      const isTaken = await ask(HOST).then(
        () => true,
        () => false,
      );
      return !isTaken;
    });
    await until('it has asked for its lease', () => world.api.unanswered > 0);
    await world.api.away(true);
    await ended;
  });

  test('is asked only for Secrets with certificates', () => {
    const asked = world.api.requests.filter(({ path }) => path.startsWith('/api/v1/secrets'));
    expect(asked.length).toBeGreaterThan(0);
    for (const { path } of asked)
      expect(path).toContain('fieldSelector=type%3Dkubernetes.io%2Ftls');
  });

  test('when the one that writes status ends, another does', async () => {
    await startNamed('a');
    await world.stopGateway(gateway);
    await world.startGateway('two');
    world.putIngress('digits', makeRule(HOST, 'a'));
    await world.untilReady('digits');
  });
});
