import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MODELS } from '#knative/models/object.ts';
import { Fault } from '#lib/fault.ts';
import { ADMIN, program, rest } from '#test/control/harness.ts';
import { until } from '#test/until.ts';
import { makeStatus } from '../api-server.ts';
import { createModelSetup, type ModelSetup } from './model-setup.ts';

let setup: ModelSetup;
beforeEach(async () => {
  setup = await createModelSetup();
});
afterEach(async () => {
  await setup.close();
});

const v1 = program({ name: 'v1' });
const v2 = program({ name: 'v2', concurrency: 2 });
const by = (manager: string) => ({ managedFields: [{ manager, time: '2030-01-01T00:00:00Z' }] });

async function isThere(name = 'digits'): Promise<boolean> {
  const { useCases } = setup.harness.control;
  return await useCases.getModel(ADMIN, 'default', name).then(
    () => true,
    () => false,
  );
}

async function untilGone(name = 'digits'): Promise<void> {
  await until('its model is gone', async () => !(await isThere(name)));
}

test('an object becomes a model, is told what became of it, and goes with it', async () => {
  setup.start();
  setup.put(
    'digits',
    { revision: v1 },
    { labels: { team: 'a' }, ...by('kubectl-client-side-apply') },
  );
  const object = await setup.untilCondition('digits', 'Ready', /^True Ready/);
  expect(object.metadata.finalizers).toEqual(['rouse.dev/model']);
  expect(object.status).toMatchObject({
    observedGeneration: 1,
    url: 'http://digits.default.models.test:8080/',
    split: 'v1 100 %',
    traffic: [{ revision: 'v1', percent: 100 }],
    revisions: [{ name: 'v1', runtime: 'command', state: 'Ready' }],
  });
  const [created] = await setup.harness.events('ModelCreated');
  expect(created?.why).toBe('created by kubernetes:kubectl-client-side-apply');
  const { useCases } = setup.harness.control;
  const { value } = await useCases.getModel(ADMIN, 'default', 'digits');
  expect(value.document.metadata.labels).toEqual({ team: 'a' });
  await setup.remove('digits');
  await until('it is gone', () => setup.get('digits') === undefined);
  expect(await isThere()).toBe(false);
});

test('an edit of the split takes effect and is told; nothing is written that was written already', async () => {
  setup.start();
  setup.put('digits', { revisions: [v1, v2], traffic: [{ revision: 'v1', percent: 100 }] });
  await setup.untilCondition('digits', 'Ready', /^True/);
  const traffic = [
    { revision: 'v1', percent: 90 },
    { revision: 'v2', percent: 10, tag: 'canary' },
  ];
  setup.put('digits', { revisions: [v1, v2], traffic });
  await until('it is told', () => setup.get('digits')?.status?.observedGeneration === 2);
  expect(setup.get('digits')?.status?.split).toBe('v1 90 % · v2 10 % (canary)');
  expect(setup.harness.outlet.models.get('default/digits')?.targets).toEqual(traffic);
  // Each life tells first what the one before had not told yet.
  await liveAgain('second');
  const version = setup.get('digits')?.metadata.resourceVersion;
  await liveAgain('third');
  expect(setup.get('digits')?.metadata.resourceVersion).toBe(version);
});

describe('an unused model', () => {
  const unusedFor = (time: string): object => ({ models: { unusedFor: time } });
  /** Somebody looks, and events are written a little later. */
  const untilUnused = (what: string, isSo: () => boolean): Promise<void> =>
    until(what, () => {
      setup.harness.clock.advance(1000);
      return isSo();
    });

  beforeEach(async () => {
    setup.start();
    setup.put('kept', { revision: v1 });
    setup.put('spare', { revision: v1, retention: unusedFor('1h') });
    for (const name of ['kept', 'spare']) await setup.untilCondition(name, 'Ready', /^True/);
  });

  test("goes with its object, if that says so itself, and can be restored as the API's", async () => {
    const { harness } = setup;
    harness.clock.advance(3_500_000);
    await rest();
    expect(setup.get('spare')).toBeDefined();
    await untilUnused('its object is gone', () => setup.get('spare') === undefined);
    expect(setup.get('kept')?.metadata.deletionTimestamp).toBeUndefined();
    const [told] = await harness.events('ModelUnused');
    expect(told).toMatchObject({
      model: 'spare',
      why: expect.stringMatching(/asks to be deleted/),
    });
    const { useCases } = harness.control;
    await useCases.restoreModel(ADMIN, 'default', 'spare');
    const { value } = await useCases.getModel(ADMIN, 'default', 'spare');
    expect(value.owner).toBeUndefined();
  });

  test('stays when its object cannot be deleted, and when it says something else by then', async () => {
    setup.server.refuse(/^DELETE .*\/models\/spare/, 403, makeStatus(403, 'Forbidden', 'no'));
    setup.harness.clock.advance(3_500_000);
    const tries = (): number =>
      setup.server.requests.filter(({ method }) => method === 'DELETE').length;
    await untilUnused('it was tried', () => tries() === 1);
    setup.put('spare', { revision: v1, retention: unusedFor('never') });
    await until('it is taken', () => setup.get('spare')?.status?.observedGeneration === 2);
    setup.harness.clock.advance(7_200_000);
    await rest();
    expect(setup.get('spare')?.metadata.deletionTimestamp).toBeUndefined();
    expect(tries()).toBe(1);
  });
});

/** Another life of what follows the objects, until it has made one that is new. */
async function liveAgain(name: string): Promise<void> {
  await setup.stop();
  setup.start();
  setup.put(name, { revision: v1 });
  await setup.untilCondition(name, 'Ready', /^True/);
}

describe('what Rouse refuses is a condition in the words of the command line', () => {
  test('a source that is a path, and what is served meanwhile', async () => {
    setup.start();
    setup.put('digits', {
      revision: { ...v1, source: './digits.onnx', runtime: 'onnx', args: [] },
    });
    const refused = await setup.untilCondition('digits', 'Accepted', /^False Invalid/);
    const [accepted, , ready] = refused.status?.conditions ?? [];
    expect(accepted?.message).toBe(
      'model digits: its source cannot be used:\n  spec.revision.source: found "./digits.onnx", ' +
        'expected a sha256: digest or an http(s):// address here; the command line uploads a path for you',
    );
    expect(ready).toMatchObject({ status: 'False', reason: 'Invalid' });
    setup.put('digits', { revision: v1 });
    await setup.untilCondition('digits', 'Ready', /^True/);
    setup.put('digits', { revision: v1, traffic: [{ revision: 'v9', percent: 100 }] });
    const again = await setup.untilCondition(
      'digits',
      'Ready',
      /^False Invalid: .*"v9".*; what was accepted before is served$/s,
    );
    expect(again.status).toMatchObject({ observedGeneration: 3, split: 'v1 100 %' });
  });

  test('values that the API server did not look at', async () => {
    setup.start();
    setup.put('digits', { revision: { ...v1, timeouts: { run: '600h' } } });
    await setup.untilCondition(
      'digits',
      'Accepted',
      /^False Invalid: model default\/digits: spec.revision.timeouts.run: found "600h", expected a duration of at most 24d$/,
    );
  });

  test('content that is uploaded later is found without another word', async () => {
    setup.start();
    const digest = createHash('sha256').update('a program').digest('hex');
    setup.put('digits', { revision: { ...v1, source: `sha256:${digest}` } });
    await setup.untilCondition('digits', 'Accepted', /^False Invalid: .*uploaded before/s);
    await setup.harness.upload('a program');
    await setup.untilCondition('digits', 'Ready', /^True/);
  });

  test('a revision that fails: why, in the words of the platform', async () => {
    setup.start();
    const why = new Fault('invalid', 'its image cannot be pulled: no such tag');
    setup.harness.runtime.failPrepare('default/digits/v1', why);
    setup.put('digits', { revision: v1 });
    const failed = await setup.untilCondition(
      'digits',
      'Ready',
      /^False RevisionFailed: v1: its image cannot be pulled: no such tag$/,
    );
    expect(failed.status).toMatchObject({
      state: 'Failed',
      conditions: [{ status: 'True' }, {}, {}],
    });
  });
});

describe('one keeper', () => {
  test('what was applied by way of the API stays so, and the object is told; with a word it takes over', async () => {
    await setup.harness.apply({ revision: v1 }, 'digits');
    setup.start();
    setup.put('digits', { revision: v2 });
    const lost = await setup.untilCondition(
      'digits',
      'Accepted',
      /^False KeptByApi: model default\/digits was applied/,
    );
    expect(lost.status?.state).toBeUndefined();
    expect(setup.mirror.ownerOf('default/digits')).toBeUndefined();
    await setup.remove('digits');
    await until('it is gone', () => setup.get('digits') === undefined);
    expect(await isThere()).toBe(true);

    setup.put('digits', { revision: v2 }, { annotations: { 'rouse.dev/take-over': 'true' } });
    await setup.untilCondition('digits', 'Ready', /^True/);
    expect(setup.get('digits')?.status?.split).toBe('v2 100 %');
    expect(setup.mirror.ownerOf('default/digits')).toEqual({
      apiVersion: 'rouse.dev/v1alpha1',
      kind: 'Model',
      name: 'digits',
      uid: setup.get('digits')?.metadata.uid,
    });
    await expect(setup.harness.apply({ revision: v1 }, 'digits')).rejects.toThrow(
      'kubectl edit models.rouse.dev digits',
    );
  });

  test('when the model of the API is deleted, the object that waits has it', async () => {
    await setup.harness.apply({ revision: v1 }, 'digits');
    setup.start();
    setup.put('digits', { revision: v2 });
    await setup.untilCondition('digits', 'Accepted', /^False KeptByApi/);
    await setup.harness.control.useCases.deleteModel(ADMIN, 'default', 'digits');
    await setup.untilCondition('digits', 'Ready', /^True/);
  });

  test('an object that is gone without a word leaves its model to the API', async () => {
    setup.start();
    setup.put('digits', { revision: v1 });
    await setup.untilCondition('digits', 'Ready', /^True/);
    setup.server.store.delete(MODELS, 'default', 'digits');
    await until(
      'it is released',
      async () => (await setup.harness.events('OwnerChanged')).length > 0,
    );
    await setup.harness.control.useCases.deleteModel(ADMIN, 'default', 'digits');
  });
});

describe('what happened while Rouse was away', () => {
  test('a new split, a deletion, and an object that is gone', async () => {
    setup.start();
    for (const name of ['digits', 'ended', 'lost']) setup.put(name, { revision: v1 });
    for (const name of ['digits', 'ended', 'lost']) {
      await setup.untilCondition(name, 'Ready', /^True/);
    }
    await setup.stop();
    setup.put('digits', { revision: v2 });
    await setup.remove('ended');
    setup.server.store.delete(MODELS, 'default', 'lost');
    await setup.harness.restart();
    setup.start();
    await until('it is another', () => setup.get('digits')?.status?.split === 'v2 100 %');
    await untilGone('ended');
    await until('it is gone', () => setup.get('ended') === undefined);
    await until(
      'it is released',
      async () => (await setup.harness.events('OwnerChanged')).length > 0,
    );
    expect(await isThere('lost')).toBe(true);
  });

  test('the API server: what was changed there meanwhile is taken over when it is back', async () => {
    setup.start();
    setup.put('digits', { revision: v1 });
    await setup.untilCondition('digits', 'Ready', /^True/);
    await setup.server.away(true);
    setup.put('digits', { revision: v2 });
    await setup.server.away(false);
    await until('it is another', () => setup.get('digits')?.status?.split === 'v2 100 %');
  });

  test('the definition itself: the cluster is asked again until it has one', async () => {
    await setup.close();
    const missing = { kind: 'Status', code: 404, message: '404 page not found' };
    setup = await createModelSetup((server) => server.refuse(/models/, 404, missing, 3));
    await setup.mirror.looked;
    expect(setup.mirror.isSynced).toBe(false);
    setup.start();
    setup.put('digits', { revision: v1 });
    await setup.untilCondition('digits', 'Ready', /^True/);
  });
});

test('an object that had our finalizer when it came, as a restored one, goes all the same; that of another stays', async () => {
  setup.start();
  const finalizers = ['rouse.dev/model', 'example.com/other'];
  setup.put('digits', { revision: v1 }, { finalizers: ['rouse.dev/model'] });
  setup.put('shared', { revision: v1 }, { finalizers });
  for (const name of ['digits', 'shared']) await setup.untilCondition(name, 'Ready', /^True/);
  for (const name of ['digits', 'shared']) await setup.remove(name);
  await until('it is gone', () => setup.get('digits') === undefined);
  await untilGone('shared');
  await until('ours is taken away', () => setup.get('shared')?.metadata.finalizers?.length === 1);
  expect(setup.get('shared')?.metadata.finalizers).toEqual(['example.com/other']);
});

test('a deletion that Rouse cannot carry out yet holds the object', async () => {
  setup.start();
  setup.put('digits', { revision: v1 });
  await setup.untilCondition('digits', 'Ready', /^True/);
  const { useCases } = setup.harness.control;
  const remove = useCases.deleteModel.bind(useCases);
  let failures = 0;
  useCases.deleteModel = async (...args) => {
    failures += 1;
    if (failures === 1) throw new Fault('storage_full', 'no space left on the disk');
    await remove(...args);
  };
  await setup.remove('digits');
  await until('it was tried', () => failures > 0);
  expect(setup.get('digits')).toBeDefined();
  await until('it is gone', () => setup.get('digits') === undefined);
  expect(await isThere()).toBe(false);
});
