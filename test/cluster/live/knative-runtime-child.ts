import type { KnativeRuntime } from '#knative/runtime/runtime.ts';
import { revisionName } from '#knative/manifests/names.ts';
import { REVISIONS, SERVICES } from '#knative/api/resources.ts';
import { messageOf } from '#lib/fault.ts';
import type { Workload } from '#runtime/runtime.ts';
import { beginRuntime, makeWorkload } from './inside/runtime.ts';
import { untilCluster } from './inside/within.ts';

/** Run in the box: does with the runtime what a control plane would, and prints as JSON what it saw. */

const order = (desired: number) => ({ min: 0, max: 4, desired });

async function ask(runtime: KnativeRuntime, made: Workload): Promise<string> {
  const address = runtime.instances(made.key).find(({ state }) => state === 'ready')?.address;
  if (!address || !('port' in address)) throw new Error('no address');
  return await (await fetch(`http://${address.host}:${address.port}/`)).text();
}

const seen: Record<string, unknown> = {};
const one = makeWorkload('default/digits/v1');
const first = makeWorkload('default/digits/v0');
const two = makeWorkload('default/digits/v2', { env: { WHO: 'two' } });
const inside = await beginRuntime();
const { runtime, kube, failures } = inside;

seen['rehearsed'] = await runtime.prepare(one).then(() => 'taken', messageOf);
seen['refused'] = await runtime
  .prepare(makeWorkload('default/digits/v0', { env: { K_SERVICE: 'x' } }))
  .then(() => 'taken', messageOf);
seen['homeless'] = await runtime
  .prepare(makeWorkload('nowhere/digits/v0'))
  .then(() => 'taken', messageOf);
seen['stranger'] = await runtime
  .prepare(makeWorkload('default/stranger/v1'))
  .then(() => 'taken', messageOf);
await inside.ready(first, order(1));
await inside.ready(one, order(2));
await inside.ready(two, order(1));
seen['answers'] = [await ask(runtime, one), await ask(runtime, two)];
runtime.routes.route('default/digits', [
  { revision: 'v1', percent: 90 },
  { revision: 'v2', percent: 10, tag: 'canary' },
]);
await runtime.want(first, { min: 0, max: 0, desired: 0 });
const digits = { namespace: 'default', name: 'digits' };
await untilCluster('the split is there', async () => {
  const rows = (await kube.get(SERVICES, digits))?.spec?.traffic ?? [];
  seen['split'] = rows.map(({ percent, tag = '' }) => `${percent} ${tag}`.trim());
  const names = rows.map(({ revisionName: name }) => name);
  return names.join() === [revisionName(one), revisionName(two)].join() && rows[0]?.percent === 90;
});
const unwanted = { namespace: 'default', name: revisionName(first) };
await untilCluster('the first is removed', async () => !(await kube.get(REVISIONS, unwanted)));

await runtime.want(makeWorkload('default/gone/v1', { source: 'dev.local/none:v1' }), order(1));
await runtime.want(makeWorkload('default/large/v1', { resources: { memory: '1Ti' } }), order(1));
await untilCluster('the image is missed', () => failures.length > 0);
seen['failure'] = failures[0]?.reason;
await untilCluster(
  'no room is told',
  () => runtime.instances('default/large/v1')[0]?.waitingFor !== undefined,
);
seen['waiting'] = runtime.instances('default/large/v1')[0]?.waitingFor;
await Promise.all(['gone', 'large'].map((name) => runtime.routes.forget(`default/${name}`)));

const [old] = runtime.instances(one.key);
await runtime.want(one, { ...order(2), replace: [old?.id ?? ''] });
await untilCluster('another one is ready', () => {
  const states = runtime.instances(one.key).filter(({ state }) => state === 'ready');
  return states.length === 2 && states.every(({ id }) => id !== old?.id);
});

await runtime.want(two, order(0));
await untilCluster('the second sleeps', () => runtime.instances(two.key).length === 0);
await inside.ready(two, order(1));
await inside.close();

const again = await beginRuntime();
const next = again.runtime;
seen['adopted'] = next.instances().filter(({ state }) => state === 'ready').length;
await next.routes.forget('default/digits');
await untilCluster('all pods go', () => next.instances().every(({ state }) => state !== 'ready'));
await again.close();
process.stdout.write(`${JSON.stringify(seen)}\n`);
