import { createServer } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { makeLostWorkload } from '#control/autoscaling/active.ts';
import { revisionSpec, type RevisionSpecInput } from '#domain/model.ts';
import type { KnativeService, KubeObject, Pod, Texts } from '#knative/api/objects.ts';
import { DEFINITIONS, PODAUTOSCALERS, PODS, REVISIONS, SERVICES } from '#knative/api/resources.ts';
import { revisionName } from '#knative/manifests/names.ts';
import { systemClock } from '#lib/clock.ts';
import { silentLog, type Log } from '#lib/log.ts';
import { createKnativeRuntime } from '#knative/runtime/runtime.ts';
import type { Instance, RuntimeEvent, Workload } from '#runtime/runtime.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { listening } from '#test/listening.ts';
import { until, wanted } from '#test/runtime/conformance.ts';
import { createLocalSetup } from '#test/runtime/local/harness.ts';
import { useTeardown } from '#test/teardown.ts';
import { makeStatus } from './api-server.ts';
import { createKnativeSetup, type KnativeSetup } from './runtime-setup.ts';

const MIN = 'autoscaling.knative.dev/min-scale';
const MAX = 'autoscaling.knative.dev/max-scale';
const BURST = 'autoscaling.knative.dev/target-burst-capacity';
const WINDOW = 'autoscaling.knative.dev/window';

const teardown = useTeardown();
let setup: KnativeSetup;

afterEach(() => setup.close());

function workload(revision: string, spec: Partial<RevisionSpecInput> = {}): Workload {
  const source = 'registry.example/digits:1';
  return {
    key: `shop/digits/${revision}`,
    spec: revisionSpec.parse({ runtime: 'image', source, ...spec }),
  };
}

const service = (): KnativeService | undefined =>
  setup.server.store.get(SERVICES, 'shop', 'digits') as KnativeService | undefined;

const rows = (): string[] =>
  (service()?.spec?.traffic ?? []).map(({ revisionName: name, percent, tag = '' }) =>
    `${name?.replace(/-[0-9a-f]{10}$/, '')} ${percent} ${tag}`.trim(),
  );

const failed = (): Extract<RuntimeEvent, { type: 'failed' }>[] =>
  setup.events.filter((event) => event.type === 'failed');

async function ready(made: Workload, count = 1): Promise<void> {
  await setup.runtime.want(made, wanted(count));
  await until(`${count} of ${made.key} ready`, () => {
    const states = setup.runtime.instances(made.key).map(({ state }) => state);
    return states.filter((state) => state === 'ready').length === count;
  });
}

describe('a model', () => {
  test('has a Revision of each revision, made one after the other, and traffic as it is told', async () => {
    setup = await createKnativeSetup();
    const { runtime } = setup;
    const [one, two, three] = ['v1', 'v2', 'v3'].map((name) => workload(name)) as [
      Workload,
      Workload,
      Workload,
    ];
    await Promise.all([one, two, three].map((each) => runtime.want(each, wanted(1))));
    await until('all are ready', () => runtime.instances().length === 3);
    const names = setup.server.store.all(REVISIONS).map(({ metadata }) => metadata.name);
    expect(names).toEqual([one, two, three].map(revisionName));
    await until('all are kept', () => rows().length === 3);
    expect(rows()).toEqual(['digits-v1 100', 'digits-v2 0', 'digits-v3 0']);
    runtime.routes.route('shop/digits', [
      { revision: 'v1', percent: 90 },
      { revision: 'v2', percent: 10, tag: 'canary' },
    ]);
    await until('the split is there', () => rows()[1] === 'digits-v2 10 canary');
    expect(rows()).toEqual(['digits-v1 90', 'digits-v2 10 canary', 'digits-v3 0']);
    await runtime.want(three, wanted(0));
    await until('what sleeps has no row', () => rows().length === 2);
    expect(setup.server.store.all(SERVICES)).toHaveLength(1);
  });

  test('is not split until all its Revisions are there', async () => {
    setup = await createKnativeSetup();
    const { runtime } = setup;
    await ready(workload('v1'));
    runtime.routes.route('shop/digits', [
      { revision: 'v1', percent: 50 },
      { revision: 'v2', percent: 50 },
    ]);
    await setup.runtime.prepare(workload('v2'));
    expect(rows()).toEqual(['digits-v1 100']);
    await ready(workload('v2'));
    await until('the split is there', () => rows().join() === 'digits-v1 50,digits-v2 50');
  });

  test('whose revision was made again with other content has another Revision, and none of the old', async () => {
    setup = await createKnativeSetup();
    const [old, fresh] = [workload('v1'), workload('v1', { concurrency: 3 })];
    await ready(old);
    await setup.runtime.want(fresh, wanted(1));
    const find = (made: Workload) => setup.server.store.get(REVISIONS, 'shop', revisionName(made));
    await until('the new one runs', () => find(fresh)?.metadata.annotations?.[MIN] === '1');
    await until('traffic goes to the new one', () => {
      const [row] = service()?.spec?.traffic ?? [];
      return row?.revisionName === revisionName(fresh);
    });
    await until('the old one is removed', () => find(old) === undefined);
  });

  test('keeps no Revision that there shall be none of, but for the newest', async () => {
    setup = await createKnativeSetup();
    const made = ['v1', 'v2', 'v3'].map((name) => workload(name));
    for (const each of made) await ready(each);
    await until('all have rows', () => rows().length === 3);
    for (const each of made) await setup.runtime.want(each, { min: 0, max: 0, desired: 0 });
    await until('nothing runs', () =>
      setup.runtime.instances().every(({ state }) => state === 'draining'),
    );
    const names = (): string[] =>
      setup.server.store.all(REVISIONS).map(({ metadata }) => metadata.name);
    // Traffic goes to the first, and the last is what Knative would make anew.
    const kept = [made[0], made[2]].map((each) => each && revisionName(each));
    await until('one has gone', () => names().join() === kept.join());
    await ready(workload('v2'));
  });

  test('keeps none of a revision without pods of which only the key is known any more', async () => {
    setup = await createKnativeSetup();
    const { runtime } = setup;
    const [old, current] = [workload('v1'), workload('v2')];
    for (const each of [old, current]) await ready(each);
    runtime.routes.route('shop/digits', [{ revision: 'v2', percent: 100 }]);
    await runtime.want(old, wanted(0));
    await until('it sleeps', () => {
      for (const { id } of runtime.instances(old.key)) setup.knative.drained(id);
      return runtime.instances(old.key).length === 0;
    });
    await until('it has no row', () => rows().join() === 'digits-v2 100');
    expect(runtime.routes.revisions().toSorted()).toEqual([old.key, current.key]);
    await runtime.want(makeLostWorkload(old.key), { min: 0, max: 0, desired: 0 });
    await until('it is removed', () => runtime.routes.revisions().join() === current.key);
    expect(setup.server.store.all(REVISIONS)).toHaveLength(1);
  });

  test('of class hpa is told its bounds, its number by the metric, and has no Revision without instances', async () => {
    setup = await createKnativeSetup();
    const { runtime } = setup;
    const [one, two] = [workload('v1'), workload('v2')].map(({ key, spec }): Workload => {
      return { key, spec: { ...spec, autoscaler: 'hpa' } };
    }) as [Workload, Workload];
    const find = (made: Workload) => setup.server.store.get(REVISIONS, 'shop', revisionName(made));
    for (const each of [one, two]) await ready(each);
    await runtime.want(one, { min: 2, max: 5, desired: 4 });
    await until('it has its bounds', () => find(one)?.metadata.annotations?.[MIN] === '2');
    expect(find(one)?.metadata.annotations?.[MAX]).toBe('5');
    expect(Object.fromEntries(runtime.metrics.wanted())).toEqual({ [one.key]: 4, [two.key]: 1 });
    await until('its pods are known', () => Array.from(runtime.metrics.pods()).length === 3);
    runtime.routes.route('shop/digits', [{ revision: 'v2', percent: 100 }]);
    await until('it has no traffic', () => !rows().includes('digits-v1 100'));
    await runtime.want(one, { min: 0, max: 5, desired: 0 });
    await until('it is removed', () => find(one) === undefined);
    expect(runtime.metrics.wanted().get(one.key)).toBe(0);
    await ready(one);
    await runtime.want(one, { min: 0, max: 0, desired: 0 });
    expect(runtime.metrics.wanted().has(one.key)).toBe(false);
  });

  test('belongs to its owner, and is forgotten with all that was made of it', async () => {
    const owner = { apiVersion: 'rouse.dev/v1alpha1', kind: 'Model', name: 'digits', uid: '1' };
    setup = await createKnativeSetup({
      ownerOf: (model) => (model === 'shop/digits' ? owner : undefined),
    });
    await ready(workload('v1'));
    expect(service()?.metadata.ownerReferences).toEqual([
      { ...owner, controller: true, blockOwnerDeletion: false },
    ]);
    await setup.runtime.routes.forget('shop/digits');
    await setup.runtime.routes.forget('shop/digits');
    expect(setup.server.store.all(SERVICES)).toEqual([]);
    await until('its pods drain', () => setup.runtime.instances()[0]?.state === 'draining');
    await ready(workload('v1'));
  });

  test('is forgotten with what Rouse has made while it could not see it', async () => {
    setup = await createKnativeSetup({ runtimeClock: createFakeClock() });
    await until('it watches', () => setup.server.watches === 4);
    // By a clock that stands still no watch comes back.
    setup.server.end();
    await setup.runtime.want(workload('v1'), wanted(1));
    await until('it is made', () => service() !== undefined);
    await setup.runtime.routes.forget('shop/digits');
    expect(service()).toBeUndefined();
  });

  test('is forgotten also when another Service of ours has come in the place of the one that was seen', async () => {
    setup = await createKnativeSetup({ runtimeClock: createFakeClock() });
    await ready(workload('v1'));
    setup.server.end();
    const before = service();
    if (!before) throw new Error('no Service');
    setup.server.store.delete(SERVICES, 'shop', 'digits');
    setup.server.store.put(SERVICES, before);
    expect(service()?.metadata.uid).not.toBe(before.metadata.uid);
    await setup.runtime.routes.forget('shop/digits');
    expect(service()).toBeUndefined();
  });

  test.each([
    ['nobody', {}],
    ['another manager', { 'rouse.dev/model': 'digits' }],
    ['another model', { 'app.kubernetes.io/managed-by': 'rouse', 'rouse.dev/model': 'letters' }],
  ])('is forgotten, and a Service of its name that belongs to %s stays', async (_, labels) => {
    setup = await createKnativeSetup();
    const metadata = { name: 'digits', namespace: 'shop', labels };
    const before = setup.server.store.put(SERVICES, { metadata });
    await setup.runtime.routes.forget('shop/digits');
    expect(service()).toEqual(before);
  });

  test('that somebody copies under another name: the copy is a stranger, and gets no requests of the model', async () => {
    setup = await createKnativeSetup();
    const { store } = setup.server;
    const made = workload('v1');
    await ready(made);
    const [pod] = store.all(PODS);
    const [revision] = store.all(REVISIONS);
    const original = service();
    if (!pod || !revision || !original) throw new Error('nothing was made');
    const copy = ({ metadata, ...rest }: KubeObject, of: string): KubeObject => {
      const labels = { ...metadata.labels, 'serving.knative.dev/service': of };
      return { ...rest, metadata: { namespace: 'shop', name: `${of}-${metadata.name}`, labels } };
    };
    store.put(SERVICES, { ...original, metadata: { ...original.metadata, name: 'copied' } });
    const copied = store.put(REVISIONS, copy(revision, 'copied'));
    store.put(PODS, copy(pod, 'copied'));
    const mine = store.put(PODS, copy(pod, 'digits'));
    await until('the one after it is seen', () => setup.runtime.instances().length === 2);
    const ids = setup.runtime.instances().map(({ id }) => id);
    expect(ids.toSorted()).toEqual(
      [`shop/${mine.metadata.name}`, `shop/${pod.metadata.name}`].toSorted(),
    );
    expect(setup.runtime.routes.models()).toEqual(['shop/digits']);
    await setup.runtime.want(made, wanted(3));
    await until('it is steered', () => {
      const now = store.get(REVISIONS, 'shop', revision.metadata.name);
      return now?.metadata.annotations?.[MIN] === '3';
    });
    await setup.runtime.routes.forget('shop/digits');
    expect(service()).toBeUndefined();
    expect(store.get(SERVICES, 'shop', 'copied')).toBeDefined();
    const { annotations } = store.get(REVISIONS, 'shop', copied.metadata.name)?.metadata ?? {};
    expect(annotations?.[MIN]).toBeUndefined();
  });

  test('of a stranger is refused, and stays as it is', async () => {
    setup = await createKnativeSetup();
    const before = setup.server.store.put(SERVICES, {
      metadata: { name: 'digits', namespace: 'shop' },
    });
    await expect(setup.runtime.prepare(workload('v1'))).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(
        /^Knative Service digits in namespace shop is not Rouse's, and is not touched: /,
      ),
    });
    await setup.runtime.want(workload('v1'), wanted(1));
    await until('it is told', () => failed().length === 1);
    expect(failed()[0]?.reason).toContain("is not Rouse's");
    await setup.runtime.routes.forget('shop/digits');
    expect(service()).toEqual(before);
  });

  test('is rehearsed when it is prepared, with what webhooks say, and nothing is made', async () => {
    setup = await createKnativeSetup();
    await setup.runtime.prepare(workload('v1'));
    const message = 'admission webhook "w" denied the request: no such image policy';
    setup.server.refuse(/^PATCH.*dryRun=All/, 400, makeStatus(400, 'BadRequest', message));
    await expect(setup.runtime.prepare(workload('v1'))).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('refused by webhook w: no such image policy'),
    });
    await expect(
      setup.runtime.prepare(workload('v1', { timeouts: { run: '1h' } })),
    ).rejects.toMatchObject({ code: 'invalid' });
    expect(service()).toBeUndefined();
  });
});

describe('what steers the autoscaler', () => {
  test.each([
    ['1.23.0', REVISIONS, 'revisions'],
    ['1.20.2', PODAUTOSCALERS, 'podautoscalers'],
  ] as const)('in Knative %s is set where it is live', async (version, resource, carrier) => {
    setup = await createKnativeSetup({ version, carrier });
    const made = workload('v1');
    await ready(made, 2);
    const { metadata } = setup.server.store.get(resource, 'shop', revisionName(made)) ?? {};
    expect(metadata?.annotations).toMatchObject({ [MIN]: '2', [MAX]: '10' });
    await setup.runtime.want(made, { min: 0, max: 5, desired: 1 });
    await until('one drains', () =>
      setup.runtime.instances().some(({ state }) => state === 'draining'),
    );
  });

  test('moves when Knative is upgraded meanwhile', async () => {
    const runtimeClock = createFakeClock();
    setup = await createKnativeSetup({
      version: '1.20.2',
      carrier: 'podautoscalers',
      runtimeClock,
    });
    const made = workload('v1');
    await ready(made, 2);
    const annotations = (): Texts =>
      setup.server.store.get(REVISIONS, 'shop', revisionName(made))?.metadata.annotations ?? {};
    expect(annotations()).not.toHaveProperty([MIN]);
    const metadata = {
      name: 'services.serving.knative.dev',
      labels: { 'app.kubernetes.io/version': '1.21.0' },
    };
    setup.server.store.put(DEFINITIONS, { metadata });
    runtimeClock.advance(60_000);
    await until('the Revision has the bounds', () => annotations()[MIN] === '2');
  });

  test('lets the last go at once, and what sleeps can be woken by its bounds alone', async () => {
    setup = await createKnativeSetup();
    const made = workload('v1');
    await ready(made);
    const annotations = (): Texts =>
      setup.server.store.get(REVISIONS, 'shop', revisionName(made))?.metadata.annotations ?? {};
    await until('it is awake', () => !(BURST in annotations()));
    const { id } = setup.runtime.instances()[0] ?? { id: '' };
    setup.knative.hold(true);
    await setup.runtime.want(made, wanted(0));
    await until('it may go', () => annotations()[WINDOW] === '6s');
    expect(annotations()).not.toHaveProperty([BURST]);
    setup.knative.hold(false);
    await until('it drains', () => setup.runtime.instances()[0]?.state === 'draining');
    setup.knative.drained(id);
    await until('it sleeps', () => annotations()[BURST] === '-1' && !(WINDOW in annotations()));
    await ready(made);
    await until('it is awake again', () => !(BURST in annotations()));
  });
});

describe('what goes wrong is told', () => {
  test('what the cluster refuses, again after a while, and no more when it does not', async () => {
    const runtimeClock = createFakeClock();
    setup = await createKnativeSetup({ runtimeClock });
    const refused = makeStatus(403, 'Forbidden', 'cannot patch resource "services"');
    setup.server.refuse(/^PATCH/, 403, refused, 2);
    await setup.runtime.want(workload('v1'), wanted(1));
    await until('it is told', () => failed().length === 1);
    expect(failed()[0]).toMatchObject({
      reason: 'the cluster does not let Rouse: cannot patch resource "services"',
      failures: 1,
      retryAt: runtimeClock.now() + 10_000,
    });
    runtimeClock.advance(10_000);
    await until('it is told again', () => failed().length === 2);
    expect(failed()[1]).toMatchObject({ failures: 2, retryAt: runtimeClock.now() + 20_000 });
    const requests = (): number =>
      setup.server.requests.filter(({ method }) => method === 'PATCH').length;
    // Its answer has been read when the next try has its timer, beside those of what is told.
    await until('it is refused again', () => requests() === 2 && runtimeClock.pending === 4);
    runtimeClock.advance(10_000);
    await until('it is ready', () => setup.runtime.instances()[0]?.state === 'ready');
    runtimeClock.advance(600_000);
    expect(failed()).toHaveLength(2);
  });

  test('a cluster that does not answer is waited for, and is no failure', async () => {
    const runtimeClock = createFakeClock();
    setup = await createKnativeSetup({ runtimeClock });
    const made = workload('v1');
    await until('it watches', () => setup.server.watches === 4);
    await setup.server.away(true);
    await setup.runtime.want(made, wanted(1));
    await until('it waits', () => setup.runtime.instances(made.key).length === 1);
    const [waiting] = setup.runtime.instances(made.key);
    expect(waiting).toMatchObject({
      state: 'starting',
      waitingFor: expect.stringMatching(
        /^waits for the cluster: the API server .* does not answer/,
      ),
    });
    await setup.server.away(false);
    await until('it is ready', () => {
      runtimeClock.advance(1000);
      return setup.runtime.instances(made.key)[0]?.state === 'ready';
    });
    expect(failed()).toEqual([]);
    await until('its wait has ended', () => setup.runtime.instances().length === 1);
    const ends = setup.events.filter(({ type }) => type === 'stopped');
    expect(ends.map(({ instance }) => instance.id)).toEqual([waiting?.id]);
  });

  test('what Rouse cannot see is waited for', async () => {
    const runtimeClock = createFakeClock();
    setup = await createKnativeSetup({ runtimeClock });
    await until('it watches', () => setup.server.watches === 4);
    const missing = '404 page not found';
    setup.server.refuse(/^GET .*services\?.*watch/, 404, missing, 1);
    setup.server.refuse(/^PATCH/, 404, missing, 1);
    setup.server.end();
    await setup.runtime.want(workload('v1'), wanted(1));
    await until('it waits', () => setup.runtime.instances().length === 1);
    expect(setup.runtime.instances()[0]?.waitingFor).toBe(
      'waits for the cluster: the cluster has no services.serving.knative.dev: ' +
        'expected Knative Serving, installed and ready',
    );
    await until('it is ready', () => {
      runtimeClock.advance(1000);
      return setup.runtime.instances()[0]?.state === 'ready';
    });
    expect(failed()).toEqual([]);
  });

  test('nobody waits for what shall not run any more', async () => {
    const runtimeClock = createFakeClock();
    setup = await createKnativeSetup({ runtimeClock });
    await until('it watches', () => setup.server.watches === 4);
    await setup.server.away(true);
    await setup.runtime.want(workload('v1'), wanted(1));
    await until('it waits', () => setup.runtime.instances().length === 1);
    await setup.runtime.want(workload('v1'), wanted(0));
    await until('it does not', () => setup.runtime.instances().length === 0);
    await setup.server.away(false);
  });

  test('a Revision without pods: a quota', async () => {
    setup = await createKnativeSetup();
    const made = workload('v1');
    setup.knative.onPod((pod) => ({ ...pod, metadata: { ...pod.metadata, labels: {} } }));
    await setup.runtime.want(made, wanted(1));
    const find = () => setup.server.store.get(REVISIONS, 'shop', revisionName(made));
    await until('its Revision is there', () => find() !== undefined);
    const revision = find();
    if (!revision) throw new Error('no Revision');
    const conditions = [
      {
        type: 'ResourcesAvailable',
        status: 'False',
        reason: 'FailedCreate',
        message: 'exceeded quota',
      },
      { type: 'Ready', status: 'False', reason: 'FailedCreate', message: 'exceeded quota' },
    ];
    setup.server.store.put(REVISIONS, { ...revision, status: { conditions } } as never);
    await until('it is told', () => failed().length === 1);
    expect(failed()[0]).toMatchObject({
      reason: 'the cluster refuses its pods: exceeded quota',
      instance: { id: `shop/${revisionName(made)}`, revision: made.key },
    });
  });

  test('an image that cannot be pulled lasts until it can', async () => {
    const runtimeClock = createFakeClock();
    setup = await createKnativeSetup({ runtimeClock });
    const waiting = { reason: 'ErrImagePull', message: 'not found' };
    setup.knative.onPod((pod) => withContainer(pod, { restartCount: 0, state: { waiting } }));
    await setup.runtime.want(workload('v1'), wanted(1));
    await until('it is told', () => failed().length === 1);
    runtimeClock.advance(30_000);
    expect(failed().map(({ reason, failures }) => [reason, failures])).toEqual([
      ['its image cannot be pulled: not found', 1],
      ['its image cannot be pulled: not found', 2],
      ['its image cannot be pulled: not found', 3],
    ]);
    expect(setup.runtime.instances()).toEqual([]);
    const [pod] = setup.server.store.all(PODS) as Pod[];
    if (!pod) throw new Error('no pod');
    setup.knative.onPod((each) => each);
    setup.server.store.put(PODS, {
      ...pod,
      status: {
        podIP: '10.0.0.9',
        conditions: [{ type: 'Ready', status: 'True' }],
        containerStatuses: [
          { name: 'model', state: { running: { startedAt: '2030-01-01T00:00:00Z' } } },
        ],
      },
    } as Pod);
    await until('it is ready', () => setup.runtime.instances()[0]?.state === 'ready');
    runtimeClock.advance(600_000);
    expect(failed()).toHaveLength(3);
  });

  test('no room is waited for, and is no failure', async () => {
    setup = await createKnativeSetup();
    const message = '0/1 nodes are available: 1 Insufficient cpu.';
    const conditions = [
      { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message },
    ];
    setup.knative.onPod((pod) => ({ ...pod, status: { phase: 'Pending', conditions } }) as Pod);
    await setup.runtime.want(workload('v1'), wanted(1));
    await until('it waits', () => setup.runtime.instances()[0]?.waitingFor !== undefined);
    expect(setup.runtime.instances()[0]).toMatchObject({
      state: 'starting',
      waitingFor: `waits for room: ${message}`,
    });
    expect(failed()).toEqual([]);
  });

  function withContainer(pod: Pod, status: object): Pod {
    return { ...pod, status: { containerStatuses: [{ name: 'model', ...status }] } };
  }
});

test("what the cluster allows is what its config says; who may not read that takes Knative's own limits", async () => {
  setup = await createKnativeSetup({
    defaults: { 'max-revision-timeout-seconds': '3600', 'container-concurrency-max-limit': '2000' },
  });
  const { server } = setup;
  const large = workload('v1', { concurrency: 1500, timeouts: { run: '30m' } });
  await ready(large);
  expect(service()?.spec?.template?.spec).toMatchObject({
    containerConcurrency: 1500,
    timeoutSeconds: 3600,
  });
  server.refuse(/configmaps/, 403, makeStatus(403, 'Forbidden', 'cannot get configmaps'));
  const next = await setup.another();
  const other = workload('v2', { timeouts: { run: '30m' } });
  await expect(next.prepare(other)).rejects.toThrow(/this cluster allows 10m/);
});

describe('another life of Rouse', () => {
  test('finds what runs, and ends what was deleted meanwhile', async () => {
    setup = await createKnativeSetup();
    const made = workload('v1');
    await ready(made, 2);
    setup.knative.crash(setup.runtime.instances()[0]?.id ?? '');
    await until('the crash is told', () => failed().length === 1);
    await ready(made, 2);
    await setup.runtime.close(0);
    const next = await setup.another();
    const told: RuntimeEvent[] = [];
    next.onEvent((event) => told.push(event));
    expect(
      next
        .instances(made.key)
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual(
      setup.runtime
        .instances()
        .map(({ id }) => id)
        .toSorted(),
    );
    // As control knows of it what the database has lost.
    const lost = {
      key: made.key,
      spec: revisionSpec.parse({ runtime: 'url', source: 'http://x/' }),
    };
    await next.want(lost, { min: 0, max: 0, desired: 0 });
    await until('all drain', () => next.instances().every(({ state }) => state === 'draining'));
    expect(told.filter(({ type }) => type === 'failed')).toEqual([]);
  });

  test('that is another Rouse leaves alone what it does not know, and takes what it is asked for', async () => {
    setup = await createKnativeSetup();
    const made = workload('v1');
    await ready(made);
    const before = service();
    const { options, kube } = setup;
    const servers = { ...options.servers, artifactsUrl: 'http://another/artifacts' };
    const other = await createKnativeRuntime({ ...options, servers, kube, clock: systemClock });
    teardown(() => other.close(0));
    expect(other.routes.models()).toEqual([]);
    expect(setup.runtime.routes.models()).toEqual(['shop/digits']);
    const unknown = {
      key: made.key,
      spec: revisionSpec.parse({ runtime: 'url', source: 'http://x/' }),
    };
    await other.want(unknown, { min: 0, max: 0, desired: 0 });
    // What it does comes before what it is asked for next.
    const own = { ...workload('v1'), key: 'shop/letters/v1' };
    await other.want(own, wanted(1));
    await until('its own is ready', () => other.instances(own.key)[0]?.state === 'ready');
    expect(service()).toEqual(before);
    expect(setup.runtime.instances(made.key)[0]?.state).toBe('ready');

    await other.want(workload('v2'), wanted(1));
    await until('it is there', () => other.instances('shop/digits/v2')[0]?.state === 'ready');
    expect(other.routes.models().toSorted()).toEqual(['shop/digits', 'shop/letters']);
  });

  test('of a newer image leaves what runs as it is; what is new runs on the newer one', async () => {
    setup = await createKnativeSetup();
    const program: Partial<RevisionSpecInput> = { runtime: 'command', args: ['serve'] };
    const [old, later] = [workload('v1', program), workload('v2', program)];
    await ready(old);
    const [before] = setup.runtime.instances(old.key);
    await setup.runtime.close(0);
    const { options, kube, server } = setup;
    const servers = { ...options.servers, image: 'registry.example/rouse:2' };
    const newer = await createKnativeRuntime({ ...options, servers, kube, clock: systemClock });
    teardown(() => newer.close(0));
    await newer.prepare(old);
    await newer.want(old, wanted(1));
    newer.routes.route('shop/digits', [{ revision: 'v1', percent: 100 }]);
    await newer.want(later, wanted(1));
    await until('the later one is ready', () => newer.instances(later.key)[0]?.state === 'ready');
    expect(newer.instances(old.key)).toEqual([before]);
    const imageOf = (made: Workload): unknown =>
      server.store.get(REVISIONS, 'shop', revisionName(made))?.spec;
    expect(imageOf(old)).toMatchObject({ containers: [{ image: 'registry.example/rouse:1' }] });
    expect(imageOf(later)).toMatchObject({ containers: [{ image: 'registry.example/rouse:2' }] });
  });

  test('goes on after the API server was away', async () => {
    setup = await createKnativeSetup();
    await ready(workload('v1'));
    await setup.server.away(true);
    await setup.runtime.want(workload('v1'), wanted(2));
    const waiting = (): Instance[] =>
      setup.runtime.instances().filter(({ waitingFor }) => waitingFor !== undefined);
    await until('it waits', () => waiting().length === 1);
    expect(setup.runtime.instances()).toHaveLength(2);
    await setup.server.away(false);
    await ready(workload('v1'), 2);
  });

  test.each([
    ['that has no Knative', 404, '404 page not found', /^the cluster has no /],
    [
      'that does not let Rouse look',
      403,
      makeStatus(403, 'Forbidden', 'cannot list'),
      /cannot list$/,
    ],
  ])('in a cluster %s does not begin', async (_name, status, body, message) => {
    setup = await createKnativeSetup();
    const { server, kube } = setup;
    server.refuse(/(services|revisions|pods|podautoscalers)\?/, status, body, 1000);
    const clock = createFakeClock();
    let warnings = 0;
    const log = { ...silentLog, warn: () => warnings++ } as unknown as Log;
    const starting = createKnativeRuntime({ ...setup.options, kube, clock, log });
    const refused = expect(starting).rejects.toMatchObject({
      message: expect.stringMatching(message),
    });
    // The four lists wait to be asked for again, and the start for all of them.
    await until('all have been refused', () => warnings === 4 && clock.pending === 5);
    clock.advance(60_000);
    await refused;
    expect(clock.pending).toBe(0);
  });
});

test('what runs elsewhere is made nowhere, and has to answer before it is ready', async () => {
  const elsewhere = await createLocalSetup();
  teardown(() => elsewhere.close());
  let status = 503;
  let asked = 0;
  const server = createServer((_, response) => {
    asked += 1;
    response.writeHead(status).end();
  });
  const source = `http://127.0.0.1:${await listening(server)}/`;
  teardown(() => server.close());
  setup = await createKnativeSetup({ local: elsewhere.runtime });
  const { runtime, events } = setup;
  const made: Workload = { ...workload('v1', { runtime: 'url', source }), unproven: true };
  const states = (): string[] => runtime.instances(made.key).map(({ state }) => state);
  await runtime.prepare(made);
  await until('it is asked', () => asked > 0);
  expect(states()).toEqual(['starting']);
  status = 204;
  await until('it is ready', () => states().join() === 'ready');
  await runtime.want(made, wanted(0, 0));
  runtime.release(runtime.instances(made.key)[0]?.id ?? '');
  await until('it is gone', () => states().length === 0);
  expect(events.map(({ type, instance }) => `${type} ${instance.state}`).at(-1)).toBe(
    'stopped draining',
  );
  expect(setup.server.store.all(SERVICES)).toEqual([]);
});

test('logs of all pods, in the order of their times', async () => {
  setup = await createKnativeSetup();
  setup.knative.onPod((pod) => {
    const n = pod.metadata.name.at(-1);
    const log = `2030-01-01T00:00:0${n}.123456789Z line ${n}\n2030-01-01T00:00:05.5Z late ${n}\nnoise\n`;
    return { ...pod, log } as Pod;
  });
  const made = workload('v1');
  await ready(made, 2);
  const lines = await setup.runtime.logs(made.key, 3);
  expect(lines.map(({ text }) => text)).toEqual(['line 2', 'late 1', 'late 2']);
  expect(lines[0]).toMatchObject({ at: Date.parse('2030-01-01T00:00:02.123Z'), stream: 'stdout' });
  expect(await setup.runtime.logs('shop/other/v1', 3)).toEqual([]);
});
