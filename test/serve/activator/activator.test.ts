import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { beforeEach, describe, expect, test } from 'vitest';
import { createConnection } from '#knative/api/client.ts';
import { ENDPOINTS, SERVED_REVISIONS } from '#knative/activator/objects.ts';
import { createKube } from '#knative/api/kube.ts';
import { systemClock } from '#lib/clock.ts';
import { silentLog } from '#lib/log.ts';
import { createKnativeActivator, type KnativeActivator } from '#serve/activator/activator.ts';
import { call } from '#test/activator/harness.ts';
import { ask, openSession } from '#test/activator/http2/client.ts';
import { type ApiServer, startApiServer } from '#test/knative/api-server.ts';
import { makeEndpoints, makeRevision } from '#test/knative/activator/manifests.ts';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';
import { type FakeAutoscaler, startFakeAutoscaler } from './fake-autoscaler.ts';
import { type FakePod, startFakePod } from './fake-pod.ts';

const teardown = useTeardown();
const OWN_IP = '10.9.9.9';
const to = (revision: string) => ({
  'knative-serving-namespace': 'shop',
  'knative-serving-revision': revision,
});
const TO_A = to('a');
/** They are there from the beginning: what changes later is known some moments later, by a watch of its own. */
const REVISIONS = [
  makeRevision('a'),
  makeRevision('single', { containerConcurrency: 1 }),
  makeRevision('shared', { containerConcurrency: 1 }),
  makeRevision('brief', { timeoutSeconds: 1 }),
  makeRevision('prompt', { responseStartTimeoutSeconds: 1 }),
  makeRevision('probed', { containers: [{ startupProbe: { httpGet: {} } }] }),
];

let api: ApiServer;
let autoscaler: FakeAutoscaler;
let made: KnativeActivator;

async function start(): Promise<KnativeActivator> {
  const connection = await createConnection(api.kubeconfig);
  teardown(() => connection.close());
  const activator = await createKnativeActivator({
    environment: {
      podName: 'activator-1',
      podIp: OWN_IP,
      systemNamespace: 'knative-serving',
      clusterDomain: undefined,
      logLevel: 'info',
    },
    kube: createKube(connection, systemClock),
    autoscaler: autoscaler.url,
    clusterDomain: 'cluster.local',
    http: { host: '127.0.0.1', port: 0 },
    h2c: { host: '127.0.0.1', port: 0 },
    version: '0.0.0',
    clock: systemClock,
    roll: Math.random,
    log: silentLog,
  });
  teardown(() => activator.close(0));
  await activator.activator.ready;
  return activator;
}

beforeEach(async () => {
  api = await startApiServer();
  teardown(() => api.close());
  autoscaler = await startFakeAutoscaler();
  teardown(() => autoscaler.close());
  for (const revision of REVISIONS) api.store.put(SERVED_REVISIONS, revision);
  const activators = { ready: [OWN_IP, '10.1.1.1'], port: 8012 };
  api.store.put(ENDPOINTS, makeEndpoints('Public', 'shared', activators));
  made = await start();
  // What the autoscaler is told before it is there is lost.
  await until('it serves', async () => (await send({ 'k-kubelet-probe': 'x' })).status === 200);
});

const send = (headers: Record<string, string> = TO_A, path = '/p?q=1') =>
  call(made.activator.port, path, { headers });

const metrics = (): string => made.activator.metrics();

async function startPod(...options: Parameters<typeof startFakePod>): Promise<FakePod> {
  const pod = await startFakePod(...options);
  teardown(() => pod.close());
  return pod;
}

function setPods(
  pods: readonly FakePod[],
  which: 'ready' | 'notReady' = 'ready',
  revision = 'a',
): void {
  const port = pods[0]?.port ?? 1;
  const ips = pods.map(({ ip }) => ip);
  api.store.put(ENDPOINTS, makeEndpoints('Private', revision, { [which]: ips, port }));
}

describe('where requests go', () => {
  test('by headers, which end here; Host and what stands for it go on, and the way is told', async () => {
    const pod = await startPod((incoming, response) =>
      response.end(JSON.stringify(incoming.headers)),
    );
    setPods([pod]);
    const more = { 'k-original-host': 'before', 'k-network-hash': 'x', host: 'a.example' };
    const answer = await send({ ...TO_A, ...more, authorization: 'Bearer rk_none_x' });
    expect(answer.status).toBe(200);
    const headers: Record<string, string> = JSON.parse(answer.body);
    expect(headers).toMatchObject({
      host: 'a.example',
      'k-proxy-request': 'activator',
      'k-original-host': 'before',
      authorization: 'Bearer rk_none_x',
    });
    for (const name of ['k-network-hash', ...Object.keys(TO_A)]) {
      expect(headers).not.toHaveProperty(name);
    }
  });

  test('what an ingress says of its caller goes on, with the ingress behind it', async () => {
    const pod = await startPod((incoming, response) =>
      response.end(JSON.stringify(incoming.headers)),
    );
    setPods([pod]);
    const said = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https' };
    expect(JSON.parse((await send({ ...TO_A, ...said })).body)).toMatchObject({
      'x-forwarded-for': '203.0.113.7, 127.0.0.1',
      'x-forwarded-proto': 'https',
    });
  });

  test('a trace goes on; none begins here, for whether it is sampled is for others to say', async () => {
    const pod = await startPod((incoming, response) =>
      response.end(JSON.stringify(incoming.headers)),
    );
    setPods([pod]);
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00';
    expect(JSON.parse((await send({ ...TO_A, traceparent })).body)).toMatchObject({ traceparent });
    expect(JSON.parse((await send()).body)).not.toHaveProperty('traceparent');
  });

  test('by the name of the revision’s Service', async () => {
    setPods([await startPod((_, response) => response.end('by host'))]);
    const answer = await send({ host: 'a.shop.svc.cluster.local:80' });
    expect(answer).toMatchObject({ status: 200, body: 'by host' });
  });

  test.each([
    [to('b'), 'There is no revision "b" in namespace "shop".'],
    [{ host: 'b.shop.svc.cluster.local' }, 'There is no revision "b" in namespace "shop".'],
    [{ host: 'example.org' }, /^No revision is named: expected/],
    [{ 'knative-serving-revision': 'a' }, /^No revision is named/],
  ])('404 for %j', async (headers: Record<string, string>, detail) => {
    const answer = await send(headers);
    expect(answer.status).toBe(404);
    const body: { detail: string } = JSON.parse(answer.body);
    expect(body.detail).toEqual(
      typeof detail === 'string' ? detail : expect.stringMatching(detail),
    );
  });

  test('a revision that comes is known, one that goes is not', async () => {
    api.store.put(SERVED_REVISIONS, makeRevision('b'));
    const pod = await startPod((_, response) => response.end());
    api.store.put(ENDPOINTS, makeEndpoints('Private', 'b', { ready: [pod.ip], port: pod.port }));
    await until('it is known', async () => (await send(to('b'))).status === 200);
    api.store.delete(SERVED_REVISIONS, 'shop', 'b');
    await until('it is not', async () => (await send(to('b'))).status === 404);
  });
});

describe('probes, at any path', () => {
  const kinds: [Record<string, string>, number, string][] = [
    [{ 'user-agent': 'kube-probe/1.34' }, 200, ''],
    [{ 'k-kubelet-probe': 'queue' }, 200, ''],
    [{ 'k-network-probe': 'activator' }, 200, 'activator'],
    [{ 'k-network-probe': 'probe', 'k-network-hash': 'h1' }, 200, ''],
    [{ 'k-network-probe': 'probe' }, 400, 'a probe request must have a K-Network-Hash header\n'],
    [{ 'k-network-probe': 'queue' }, 400, 'unexpected probe header value: "queue"\n'],
  ];

  test.each(kinds)('%j: %i, by both protocols at both ports', async (headers, status, body) => {
    for (const port of [made.activator.port, made.activator.morePorts[0] ?? 0]) {
      const session = await openSession(port);
      teardown(() => session.destroy());
      const answers = [
        await call(port, '/any', { headers: { ...TO_A, ...headers } }),
        await ask(session, { ':path': '/any', ...TO_A, ...headers }),
      ];
      for (const answer of answers) {
        expect(answer).toMatchObject({ status, body });
        if (status === 200) {
          expect(answer.headers['k-network-hash']).toBe(headers['k-network-hash']);
        }
      }
    }
  });

  test('one that leaves says so, and serves on', async () => {
    setPods([await startPod((_, response) => response.end('served'))]);
    made.leave();
    expect((await send({ 'k-kubelet-probe': 'x' })).status).toBe(503);
    expect(await send()).toMatchObject({ status: 200, body: 'served' });
  });
});

describe('from zero', () => {
  test('a request waits, the autoscaler hears of it at once, and its pod is asked until it is there', async () => {
    const answer = send();
    await until('it is told', () => autoscaler.stats.length > 0);
    expect(autoscaler.stats[0]).toEqual({
      namespace: 'shop',
      revision: 'a',
      pod: 'activator-1',
      concurrency: 1,
      count: 1,
    });
    const pod = await startPod((_, response) => response.end('woken'), { isReady: false });
    setPods([pod], 'notReady');
    await until('it is asked', () => pod.probes.length > 1);
    expect(pod.probes[0]).toMatchObject({ 'user-agent': 'Knative-Activator-Probe' });
    pod.setReady(true);
    const { headers, ...rest } = await answer;
    expect(rest).toEqual({ status: 200, body: 'woken' });
    expect(headers['rouse-cold-start']).toBe('true');
    const probes = pod.probes.length;
    expect((await send()).headers['rouse-cold-start']).toBe('false');
    expect(pod.probes.length).toBe(probes);
  });

  test('nothing listens at first', async () => {
    // An address that nobody else's server takes meanwhile.
    const ip = '127.0.0.9';
    const first = await startPod(() => {}, { ip });
    await first.close();
    const answer = send();
    setPods([first], 'notReady');
    await until('it waits', () => autoscaler.stats.length > 0);
    await startPod((_, response) => response.end('late'), { ip, port: first.port });
    expect((await answer).body).toBe('late');
  });

  test('what only kubelet can ask is sent nothing before Kubernetes says that it is ready', async () => {
    let requests = 0;
    const pod = await startPod((_, response) => {
      requests += 1;
      response.end('ready');
    });
    const answer = send(to('probed'));
    await until('it waits', () => autoscaler.stats.length > 0);
    setPods([pod], 'notReady', 'probed');
    await until('it has answered a probe', () => pod.probes.length > 0);
    // A round to the activator and back: what would be sent is on its way by then.
    await send({ 'k-network-probe': 'activator' });
    expect(requests).toBe(0);
    setPods([pod], 'ready', 'probed');
    expect((await answer).body).toBe('ready');
  });

  test('time runs from arrival: 504', async () => {
    expect((await send(to('brief'))).status).toBe(504);
  });

  test('a response that does not begin in time: 504', async () => {
    setPods([await startPod(() => {})], 'ready', 'prompt');
    const answer = await send(to('prompt'));
    expect(answer.status).toBe(504);
    expect(JSON.parse(answer.body)).toMatchObject({
      detail: expect.stringContaining('the time in which the response has to begin, 1s'),
    });
  });
});

describe('who waits', () => {
  test('is served in turns of callers, who are known by what the ingress says, and by priority', async () => {
    const served: (string | undefined)[] = [];
    const pod = await startPod((incoming, response) => {
      served.push(incoming.url);
      response.end();
    });
    const session = await openSession(made.activator.port);
    teardown(() => session.destroy());
    const from = (caller: string, path: string, priority = 'normal') =>
      ask(session, {
        ':path': path,
        'x-forwarded-for': caller,
        'rouse-priority': priority,
        ...to('single'),
      });
    // On one connection they come in this order.
    const answers = [
      from('203.0.113.1', '/low', 'low'),
      from('203.0.113.2', '/first'),
      from('203.0.113.2', '/second'),
      from('203.0.113.3', '/other'),
    ];
    await until('they wait', () => /^rouse_queue_depth\{.*"single".*\} 4$/m.test(metrics()));
    setPods([pod], 'ready', 'single');
    for (const { status } of await Promise.all(answers)) expect(status).toBe(200);
    expect(served).toEqual(['/first', '/other', '/second', '/low']);
  });

  test('no longer than it wants to, and is told so', async () => {
    const { status, headers, body } = await send({ ...TO_A, 'rouse-hold': '10ms' });
    expect({ status, type: headers['content-type'] }).toEqual({
      status: 504,
      type: 'application/problem+json',
    });
    expect(JSON.parse(body)).toMatchObject({ code: 'hold_timeout' });
  });

  test('is told where the time of its start went, and so are the metrics, of each start once', async () => {
    const pod = await startPod((_, response) => response.end(), { isReady: false });
    const answers = [send(), send()];
    await until('they wait', () => /^rouse_queue_depth\{.*"a".*\} 2$/m.test(metrics()));
    setPods([pod], 'notReady');
    await until('it is asked', () => pod.probes.length > 0);
    pod.setReady(true);
    const [answer] = await Promise.all(answers);
    expect(answer?.headers['server-timing']).toMatch(
      /^queue;dur=.*, start;dur=.*, load;dur=.*, infer;dur=/,
    );
    const counted = metrics().matchAll(/^rouse_cold_start_seconds_count\{phase="(.*)"\} (.*)$/gm);
    expect(Array.from(counted, ([, phase, count]) => `${phase} ${count}`)).toEqual([
      'queue 2',
      'start 1',
      'load 1',
      'infer 2',
    ]);
    // Nobody waits for it.
    const other = { ip: '127.0.0.2', port: pod.port };
    const second = await startPod((_, response) => response.end('second'), other);
    setPods([pod, second]);
    await until('it serves', async () => (await send()).body === 'second');
    expect(metrics()).toContain('rouse_cold_start_seconds_count{phase="load"} 1\n');
  });
});

describe('pods', () => {
  test('no more than the concurrency at once reaches a pod, and all are served', async () => {
    let running = 0;
    let most = 0;
    const handle = (response: { end(text: string): void }): void => {
      running += 1;
      most = Math.max(most, running);
      setImmediate(() => {
        running -= 1;
        response.end('done');
      });
    };
    const first = await startPod((_, response) => handle(response));
    const answers = Array.from({ length: 50 }, () => send(to('single')));
    await until('they wait', () => autoscaler.stats.length > 0);
    setPods([first], 'ready', 'single');
    for (const { status } of await Promise.all(answers)) expect(status).toBe(200);
    expect(most).toBe(1);
  });

  test('with two activators in the path each uses its pods alone', async () => {
    const served = new Set<string>();
    const make = (ip: string, port?: number) =>
      startPod(
        (_, response) => {
          served.add(ip);
          response.end();
        },
        { ip, ...(port !== undefined && { port }) },
      );
    const first = await make('127.0.0.2');
    const second = await make('127.0.0.3', first.port);
    setPods([first, second], 'ready', 'shared');
    // The other one comes first in the order of addresses. Until its own pod has answered, this one shares the other's.
    await until('its own is known', async () => {
      expect((await send(to('shared'))).status).toBe(200);
      return served.has('127.0.0.3');
    });
    served.clear();
    for (let i = 0; i < 20; i += 1) expect((await send(to('shared'))).status).toBe(200);
    expect([...served]).toEqual(['127.0.0.3']);
  });

  test('one that goes finishes what it has, and gets nothing more', async () => {
    const held = Promise.withResolvers<{ end(text: string): void }>();
    let taken = 0;
    const first = await startPod(
      (_, response) => {
        taken += 1;
        if (taken === 1) held.resolve(response);
        else response.end('first');
      },
      { ip: '127.0.0.2' },
    );
    const second = await startPod((_, response) => response.end('second'), {
      ip: '127.0.0.3',
      port: first.port,
    });
    setPods([first]);
    const answer = send();
    const response = await held.promise;
    setPods([second]);
    await until('the other one serves', async () => (await send()).body === 'second');
    for (let i = 0; i < 5; i += 1) expect((await send()).body).toBe('second');
    response.end('first');
    expect((await answer).body).toBe('first');
  });

  test('one that is not ready any more is asked again before it gets anything', async () => {
    const pod = await startPod((_, response) => response.end('served'));
    setPods([pod]);
    expect((await send()).body).toBe('served');
    pod.setReady(false);
    setPods([pod], 'notReady');
    const probes = pod.probes.length;
    await until('it is asked', () => pod.probes.length > probes);
    const waiting = send();
    const told = autoscaler.stats.length;
    await until('one waits', () => autoscaler.stats.slice(told).some(({ count }) => count > 0));
    pod.setReady(true);
    expect((await waiting).body).toBe('served');
  });

  test('h2c by the name of the port', async () => {
    const pod = await startPod((_, response) => response.end('http1'));
    const containers = [{ ports: [{ name: 'h2c' }] }];
    api.store.put(SERVED_REVISIONS, makeRevision('a', { containers }));
    const to = { ready: [pod.ip], port: pod.port, name: 'http2' };
    api.store.put(ENDPOINTS, makeEndpoints('Private', 'a', to));
    await until('it is told of by its new port', async () => (await send()).body === 'http2');
  });

  test('bodies go both ways at once', async () => {
    setPods([await startPod((incoming, response) => void incoming.pipe(response))]);
    const sent = request({ port: made.activator.port, method: 'POST', headers: TO_A });
    teardown(() => sent.destroy());
    sent.write('one');
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    expect(String((await once(response, 'data'))[0])).toBe('one');
    sent.write('two');
    expect(String((await once(response, 'data'))[0])).toBe('two');
    sent.end();
    await once(response, 'end');
  });

  test('another protocol after an upgrade passes both ways', async () => {
    setPods([await startPod(() => {})]);
    const headers = { ...TO_A, connection: 'Upgrade', upgrade: 'echo' };
    const sent = request({ port: made.activator.port, headers }).end();
    const [, socket] = await once(sent, 'upgrade');
    teardown(() => socket.destroy());
    socket.write('both ways');
    expect(String((await once(socket, 'data'))[0])).toBe('both ways');
  });
});

describe('the autoscaler', () => {
  test('is called without an origin, and again when its connection ends', async () => {
    await until('it is called', () => autoscaler.openings.length === 1);
    expect(autoscaler.openings[0]).not.toHaveProperty('origin');
    autoscaler.drop();
    await until('it is called again', () => autoscaler.openings.length === 2);
    const waiting = send();
    await until('it hears', () => autoscaler.stats.length > 0);
    setPods([await startPod((_, response) => response.end('woken'))]);
    expect((await waiting).body).toBe('woken');
  });

  test('hears of load each second, and once of none', async () => {
    setPods([await startPod((_, response) => response.end())]);
    expect((await send()).status).toBe(200);
    const zero = () => autoscaler.stats.findIndex((s) => s.concurrency === 0 && s.count === 0);
    await until('nothing is told of', () => zero() > 0);
    const counts = autoscaler.stats.reduce((sum, { count }) => sum + count, 0);
    expect(counts).toBe(1);
  });

  test('its being away hurts nothing that is awake', async () => {
    setPods([await startPod((_, response) => response.end('awake'))]);
    expect((await send()).body).toBe('awake');
    await autoscaler.close();
    expect(await send()).toMatchObject({ status: 200, body: 'awake' });
    expect((await send({ 'k-kubelet-probe': 'x' })).status).toBe(200);
  });
});

test('while the API server is away, what is known is served', async () => {
  setPods([await startPod((_, response) => response.end('known'))]);
  expect((await send()).body).toBe('known');
  await api.away(true);
  expect(await send()).toMatchObject({ status: 200, body: 'known' });
});
