import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadCatalog } from '#control/records/catalog.ts';
import { seeModel } from '#control/retention/seen.ts';
import { createHarness, deployed, type Harness, program } from '../harness.ts';

let harness: Harness;

beforeEach(async () => {
  harness = await createHarness({ memory: true });
});

afterEach(() => harness.close());

const routes = { models: () => [], revisions: () => [], route: () => {}, forget: async () => {} };

test.each([
  ['where ours is the only way, what runs may be idle', false, 'command', false],
  ['where there are other ways, what runs is in use', true, 'command', true],
  ['but not what always runs elsewhere', true, 'url', false],
] as const)('%s', async (_, isReached, runtime, isBusy) => {
  const spec = runtime === 'url' ? { runtime, source: 'http://127.0.0.1:1/' } : program();
  const key = await deployed(harness, { revision: spec, scaling: { min: 1 } });
  const entry = (await loadCatalog(harness.store)).model('default/m');
  if (!entry) throw new Error('the model is not there');
  expect(harness.runtime.instances(key)).toHaveLength(1);
  const { revisions } = seeModel(entry, [], {
    runtime: {
      instances: (revision) => harness.runtime.instances(revision),
      ...(isReached && { routes }),
    },
    loads: { totals: () => ({ queued: 0, inFlight: 0 }) },
    lastUse: { ofModel: () => undefined, ofRevision: () => undefined },
    references: [],
  });
  expect(revisions.map((one) => one.isBusy)).toEqual([isBusy]);
});

test('what other parts need is held, each for its reason', async () => {
  await deployed(harness);
  const entry = (await loadCatalog(harness.store)).model('default/m');
  if (!entry) throw new Error('the model is not there');
  const seen = seeModel(entry, [], {
    runtime: harness.runtime,
    loads: { totals: () => ({ queued: 0, inFlight: 0 }) },
    lastUse: { ofModel: () => 1, ofRevision: () => 2 },
    references: [
      () => [{ why: 'a group has it' }],
      () => [{ revision: '00001', why: 'the rollout to it runs' }],
    ],
  });
  expect(seen).toMatchObject({ heldBy: ['a group has it'], lastRequestAt: 1 });
  expect(seen.revisions[0]?.heldBy).toEqual([
    'it is the newest',
    'traffic leads to it',
    'the rollout to it runs',
  ]);
});
