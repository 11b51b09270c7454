import { afterEach, expect, onTestFinished, test } from 'vitest';
import { revisionSpec, type RevisionSpecInput } from '#domain/model.ts';
import type { Workload } from '#runtime/runtime.ts';
import { until, wanted } from '#test/runtime/conformance.ts';
import { program } from '#test/control/harness.ts';
import { startInstance } from '#test/activator/harness.ts';
import { createWorld, makeRule } from '../ingress/world.ts';
import { createModelSetup } from '../models/model-setup.ts';
import { createKnativeSetup, type KnativeSetup } from '../runtime-setup.ts';
import { manifestsOf } from './files.ts';
import { deedsOf, grantsOf, isAllowed, nameOf, rulesOf } from './rights.ts';

const CONTROL = ['ClusterRole', 'Role'].flatMap((kind) =>
  rulesOf(manifestsOf('base'), kind, 'rouse'),
);
const MODELS = rulesOf(manifestsOf('models'), 'ClusterRole', 'rouse-models');
const GATEWAY = manifestsOf('ingress');
const CREATED = ['create models.rouse.dev', 'create models/status.rouse.dev'];
const setups: KnativeSetup[] = [];

afterEach(async () => {
  for (const setup of setups.splice(0)) await setup.close();
});

function workload(revision: string, spec: Partial<RevisionSpecInput> = {}): Workload {
  const source = 'registry.example/digits:1';
  return {
    key: `shop/digits/${revision}`,
    spec: revisionSpec.parse({ runtime: 'image', source, ...spec }),
  };
}

/** A life in which all is asked for that the runtime can be asked for. Gives what it did in the cluster. */
async function live(options: Parameters<typeof createKnativeSetup>[0]): Promise<Set<string>> {
  const setup = await createKnativeSetup(options);
  setups.push(setup);
  const { runtime, server } = setup;
  const [first, second] = [workload('v1'), workload('v2')];
  const ready = (): boolean =>
    runtime.instances().filter(({ state }) => state === 'ready').length === 2;
  await runtime.prepare(first);
  await runtime.want(first, wanted(1));
  await runtime.want(second, wanted(1));
  await until('both are ready', ready);
  runtime.routes.route('shop/digits', [{ revision: 'v2', percent: 100 }]);
  await runtime.logs(second.key, 10);
  const [instance] = runtime.instances(second.key);
  await runtime.want(second, { ...wanted(2), replace: [instance?.id ?? ''] });
  await runtime.want(first, { min: 0, max: 0, desired: 0 });
  const did = (): Set<string> =>
    new Set(server.requests.flatMap((request) => deedsOf(request).map(nameOf)));
  await until('the first is removed', () => did().has('delete revisions.serving.knative.dev'));
  await runtime.routes.forget('shop/digits');
  return did();
}

test("control's role allows what it does, on Knative of today and of yesterday, and nothing else", async () => {
  const today = await live({});
  const yesterday = await live({ version: '1.20.0', carrier: 'podautoscalers' });
  expect(grantsOf(CONTROL).toSorted()).toEqual([...new Set([...today, ...yesterday])].toSorted());
});

test('for Models it may do what it does with them, too', async () => {
  const setup = await createModelSetup();
  onTestFinished(() => setup.close());
  setup.start();
  const retention = { models: { unusedFor: '1h' } };
  setup.put('digits', { revision: program({ name: 'v1' }), retention });
  await setup.untilCondition('digits', 'Ready', /^True/);
  setup.harness.clock.advance(3_500_000);
  await until('it is gone, since nobody uses it', () => {
    setup.harness.clock.advance(1000);
    return setup.get('digits') === undefined;
  });
  const done = new Set(setup.server.requests.flatMap((request) => deedsOf(request).map(nameOf)));
  // What is applied names the object, so that none is made anew.
  for (const other of CREATED) done.delete(other);
  expect(grantsOf(MODELS).toSorted()).toEqual([...done].toSorted());
});

test('a gateway may do what it does: follow what there is, lead, and say what is served', async () => {
  const ends: (() => unknown)[] = [];
  onTestFinished(async () => {
    for (const end of ends.toReversed()) await end();
  });
  const world = await createWorld((end) => ends.push(end));
  const gateway = await world.startGateway('one');
  const backend = await startInstance((_, response) => response.end());
  ends.push(() => backend.close());
  world.putService('a', [backend.port]);
  world.putIngress('digits', makeRule('digits.example.com', 'a'));
  await world.untilReady('digits');
  // It gives back that it leads.
  await world.stopGateway(gateway);
  const done = new Set(world.api.requests.flatMap((request) => deedsOf(request).map(nameOf)));
  const rules = [
    ...rulesOf(GATEWAY, 'ClusterRole', 'rouse-ingress'),
    ...rulesOf(GATEWAY, 'Role', 'rouse-ingress'),
  ];
  expect([...new Set(grantsOf(rules))].toSorted()).toEqual([...done].toSorted());
});

test('of definitions and of settings, it may read the one that it reads', async () => {
  await live({});
  const deeds = setups[0]?.server.requests.flatMap(deedsOf) ?? [];
  expect(deeds.filter((deed) => !isAllowed(CONTROL, deed))).toEqual([]);
  const other = { verb: 'get', name: 'others' };
  const definition = { group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions' };
  expect(isAllowed(CONTROL, { ...other, ...definition })).toBe(false);
  expect(isAllowed(CONTROL, { ...other, group: '', resource: 'configmaps' })).toBe(false);
});
