import { setTimeout } from 'node:timers/promises';
import { createConnection } from '#knative/client.ts';
import { createKube } from '#knative/kube.ts';
import { revisionName } from '#knative/names.ts';
import { REVISIONS, SERVICES } from '#knative/resources.ts';
import { DEFAULT_LIMITS } from '#knative/revision.ts';
import { createKnativeRuntime, type KnativeRuntime } from '#knative/runtime.ts';
import { revisionSpec, type RevisionSpecInput } from '#domain/model.ts';
import { systemClock } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import { silentLog } from '#lib/log.ts';
import type { RuntimeEvent, Workload } from '#runtime/runtime.ts';
import { until } from '#test/runtime/conformance.ts';

/** Run in the box: does with the runtime what a control plane would, and prints as JSON what it saw. */

const connection = await createConnection();
const kube = createKube(connection, systemClock);
const failures: Extract<RuntimeEvent, { type: 'failed' }>[] = [];

async function begin(): Promise<KnativeRuntime> {
  const runtime = await createKnativeRuntime({
    kube,
    servers: {
      image: 'dev.local/none:v1',
      artifactsUrl: 'http://127.0.0.1/',
      artifactKey: () => 'ra_none',
    },
    limits: DEFAULT_LIMITS,
    ownerOf: () => undefined,
    inspect: () => Promise.reject(new Error('not asked for')),
    clock: systemClock,
    roll: Math.random,
    log: silentLog,
  });
  runtime.onEvent((event) => {
    if (event.type === 'failed') failures.push(event);
  });
  return runtime;
}

function workload(key: string, spec: Partial<RevisionSpecInput> = {}): Workload {
  const source = 'dev.local/helloworld:v1';
  return { key, spec: revisionSpec.parse({ runtime: 'image', source, ...spec }) };
}

const order = (desired: number) => ({ min: 0, max: 4, desired });

async function ready(runtime: KnativeRuntime, made: Workload, count: number): Promise<void> {
  await runtime.want(made, order(count));
  await until(`${count} of ${made.key} ready`, () => {
    const instances = runtime.instances(made.key);
    return instances.filter(({ state }) => state === 'ready').length === count;
  });
}

async function ask(runtime: KnativeRuntime, made: Workload): Promise<string> {
  const address = runtime.instances(made.key).find(({ state }) => state === 'ready')?.address;
  if (!address || !('port' in address)) throw new Error('no address');
  return await (await fetch(`http://${address.host}:${address.port}/`)).text();
}

/** Knative's stable window is a minute, and its pods drain for half of one. */
const SLEEP_MS = 150_000;

async function within(ms: number, condition: () => boolean): Promise<void> {
  const last = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > last) throw new Error(`not within ${ms} ms`);
    await setTimeout(100);
  }
}

const seen: Record<string, unknown> = {};
const one = workload('default/digits/v1');
const first = workload('default/digits/v0');
const two = workload('default/digits/v2', { env: { WHO: 'two' } });
const runtime = await begin();

seen['rehearsed'] = await runtime.prepare(one).then(() => 'taken', messageOf);
seen['refused'] = await runtime
  .prepare(workload('default/digits/v0', { env: { K_SERVICE: 'x' } }))
  .then(() => 'taken', messageOf);
seen['homeless'] = await runtime
  .prepare(workload('nowhere/digits/v0'))
  .then(() => 'taken', messageOf);
seen['stranger'] = await runtime
  .prepare(workload('default/stranger/v1'))
  .then(() => 'taken', messageOf);
await ready(runtime, first, 1);
await ready(runtime, one, 2);
await ready(runtime, two, 1);
seen['answers'] = [await ask(runtime, one), await ask(runtime, two)];
runtime.routes.route('default/digits', [
  { revision: 'v1', percent: 90 },
  { revision: 'v2', percent: 10, tag: 'canary' },
]);
await runtime.want(first, { min: 0, max: 0, desired: 0 });
const digits = { namespace: 'default', name: 'digits' };
await until('the split is there', async () => {
  const rows = (await kube.get(SERVICES, digits))?.spec?.traffic ?? [];
  seen['split'] = rows.map(({ percent, tag = '' }) => `${percent} ${tag}`.trim());
  const names = rows.map(({ revisionName: name }) => name);
  return names.join() === [revisionName(one), revisionName(two)].join() && rows[0]?.percent === 90;
});
const unwanted = { namespace: 'default', name: revisionName(first) };
await until('the first is removed', async () => !(await kube.get(REVISIONS, unwanted)));

await runtime.want(workload('default/gone/v1', { source: 'dev.local/none:v1' }), order(1));
await runtime.want(workload('default/large/v1', { resources: { memory: '1Ti' } }), order(1));
await until('the image is missed', () => failures.length > 0);
seen['failure'] = failures[0]?.reason;
await until(
  'no room is told',
  () => runtime.instances('default/large/v1')[0]?.waitingFor !== undefined,
);
seen['waiting'] = runtime.instances('default/large/v1')[0]?.waitingFor;
await Promise.all(['gone', 'large'].map((name) => runtime.routes.forget(`default/${name}`)));

const [old] = runtime.instances(one.key);
await runtime.want(one, { ...order(2), replace: [old?.id ?? ''] });
await until('another one is ready', () => {
  const states = runtime.instances(one.key).filter(({ state }) => state === 'ready');
  return states.length === 2 && states.every(({ id }) => id !== old?.id);
});

await runtime.want(two, order(0));
await within(SLEEP_MS, () => runtime.instances(two.key).length === 0);
await ready(runtime, two, 1);
await runtime.close(0);

const next = await begin();
seen['adopted'] = next.instances().filter(({ state }) => state === 'ready').length;
await next.routes.forget('default/digits');
await until('all pods go', () => next.instances().every(({ state }) => state !== 'ready'));
await next.close(0);
connection.close();
process.stdout.write(`${JSON.stringify(seen)}\n`);
