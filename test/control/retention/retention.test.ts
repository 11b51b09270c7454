import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ModelInput } from '#domain/model.ts';
import type { Actor } from '#domain/records.ts';
import { RETENTION_DEFAULTS } from '#domain/retention.ts';
import { until } from '#test/until.ts';
import {
  ADMIN,
  createHarness,
  deployed,
  type Harness,
  program,
  reaches,
  rest,
} from '../harness.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const UNUSED = { models: { unusedFor: '2h' }, undo: '1h' } as const;
const OLD = { revisions: { unusedFor: '1h', keep: 0 } } as const;

let harness: Harness;

beforeEach(async () => {
  harness = await createHarness({ memory: true });
});

afterEach(() => harness.close());

const cases = (): Harness['control']['useCases'] => harness.control.useCases;

/** In steps that are no gaps, for the loop looks each time. */
async function wait(ms: number, each?: () => void): Promise<void> {
  for (let left = ms; left > 0; left -= 5 * MINUTE) {
    await rest();
    each?.();
    harness.clock.advance(Math.min(left, 5 * MINUTE));
  }
  await rest();
  harness.clock.advance(1000);
  await rest();
}

async function names(): Promise<string[]> {
  const views = await cases().listModels(ADMIN, undefined);
  return views.map(({ name }) => name);
}

async function revisions(name = 'm'): Promise<string[]> {
  const { revisions: found } = await cases().getModel(ADMIN, 'default', name);
  return found.map(({ value }) => value.name);
}

async function why(type: string): Promise<string[]> {
  return (await harness.events(type)).map((event) => event.why);
}

test('where instances are reached by other ways, too, what ran is unused from its end', async () => {
  await harness.close();
  const routes = { models: () => [], revisions: () => [], route: () => {}, forget: async () => {} };
  harness = await createHarness({ memory: true, routes });
  // Nothing else leads to a look while it runs and right after that.
  const keepAlive = { policy: 'fixed', idle: '70m' } as const;
  const retention = { models: { unusedFor: '30m' } };
  const key = await deployed(harness, { retention, keepAlive });
  harness.load({ revision: key, arrivals: 1, queued: 1, concurrency: 1 });
  await harness.pass(3);
  harness.load({ revision: key });
  await wait(HOUR + 5 * MINUTE);
  expect(harness.runtime.instances(key)).toHaveLength(1);
  await wait(10 * MINUTE);
  expect(harness.runtime.instances(key)).toEqual([]);
  await wait(20 * MINUTE);
  expect(await names()).toEqual(['m']);
  await wait(10 * MINUTE);
  expect(await names()).toEqual([]);
});

describe('a model that nobody asks', () => {
  test('goes when its time is over, says why, and comes back whole', async () => {
    const key = await deployed(harness, { retention: UNUSED });
    harness.load({ revision: key, arrivals: 1 });
    await wait(2 * HOUR - 10 * MINUTE);
    expect(await names()).toEqual(['m']);
    const view = await cases().getModel(ADMIN, 'default', 'm');
    expect(view.retention.why).toMatch(/^unused for .* of 2h: the last request came 2030-01-01T/);
    expect(view.retention.goesAt).toBeGreaterThan(harness.clock.now());
    await wait(15 * MINUTE);
    expect(await names()).toEqual([]);
    expect(harness.outlet.models.size).toBe(0);
    expect(await why('ModelDeleted')).toEqual([
      expect.stringMatching(
        /^unused for 2(.1)?h of 2h: .*"rouse restore m" brings it back for 60m$/,
      ),
    ]);
    const [deleted] = await cases().listDeleted(ADMIN, 'default');
    expect(deleted).toMatchObject({ name: 'm', whole: true, revisions: ['00001'] });
    const back = await cases().restoreModel(ADMIN, 'default', 'm');
    expect(back.targets).toEqual([{ revision: '00001', percent: 100 }]);
    expect(harness.outlet.models.get('default/m')?.targets).toEqual(back.targets);
    expect(await cases().listDeleted(ADMIN, undefined)).toEqual([]);
    expect(await why('ModelRestored')).toEqual(['restored by local, with revisions 00001']);
    expect(await harness.control.metrics()).toMatch(/policy="retention",decision="model"} 1/);
    // From now on its time begins anew, also after a restart.
    await harness.restart();
    await wait(HOUR);
    expect(await names()).toEqual(['m']);
  });

  test('that was restored has its whole time, whatever is changed of it', async () => {
    await deployed(harness, { retention: UNUSED });
    await cases().deleteModel(ADMIN, 'default', 'm');
    await wait(30 * MINUTE);
    await cases().restoreModel(ADMIN, 'default', 'm');
    const row = { revision: '00001', percent: 100, tag: 'one' };
    await cases().setTraffic(ADMIN, 'default', 'm', [row]);
    await wait(2 * HOUR - 10 * MINUTE);
    expect(await names()).toEqual(['m']);
    await wait(15 * MINUTE);
    expect(await names()).toEqual([]);
  });

  test('stays while requests come, wait or run', async () => {
    const key = await deployed(harness, { retention: UNUSED });
    let step = 0;
    await wait(6 * HOUR, () => {
      step++;
      if (step % 12 === 0) harness.load({ revision: key, arrivals: 1 });
    });
    await wait(6 * HOUR, () => harness.load({ revision: key, inFlight: 1 }));
    await wait(6 * HOUR, () => {
      harness.outlet.say({ type: 'wake', revision: key, queued: 1 });
    });
    expect(await names()).toEqual(['m']);
    await wait(3 * HOUR);
    expect(await names()).toEqual([]);
  });

  test.each<[string, Partial<ModelInput['spec']>]>([
    ['is pinned', { retention: { ...UNUSED, pinned: true } }],
    ['has a floor', { retention: UNUSED, scaling: { min: 1 } }],
    ['says nothing of it', {}],
  ])('stays when it %s', async (_, spec) => {
    await deployed(harness, spec);
    await wait(5 * HOUR);
    expect(await names()).toEqual(['m']);
    const view = await cases().getModel(ADMIN, 'default', 'm');
    expect(view.retention.goesAt).toBeUndefined();
  });

  test('time that control was away counts neither, nor for what can be restored', async () => {
    await deployed(harness, { retention: UNUSED });
    await cases().deleteModel(ADMIN, 'default', 'm');
    await deployed(harness, { retention: UNUSED }, 'other');
    const { clock } = harness;
    await harness.restart(() => clock.advance(30 * 24 * HOUR));
    await wait(30 * MINUTE);
    expect(await names()).toEqual(['other']);
    expect(await cases().listDeleted(ADMIN, undefined)).toHaveLength(1);
    await wait(2 * HOUR);
    expect(await names()).toEqual([]);
    await until('the deletion cannot be undone', async () => {
      await wait(10 * MINUTE);
      return (await harness.store.list('tombstone')).length === 0;
    });
  });

  test('a last request survives a restart', async () => {
    const key = await deployed(harness, { retention: UNUSED });
    await wait(90 * MINUTE);
    harness.load({ revision: key, arrivals: 1 });
    await wait(2 * MINUTE);
    await harness.restart();
    await wait(HOUR);
    expect(await names()).toEqual(['m']);
    const { retention } = await cases().getModel(ADMIN, 'default', 'm');
    expect(retention.lastRequestAt).toBeGreaterThan(0);
    await wait(90 * MINUTE);
    expect(await names()).toEqual([]);
  });
});

describe('a model that a Model object of the cluster keeps', () => {
  const OBJECT: Actor = { id: 'kubernetes:argocd-controller', role: 'deploy' };

  async function applyObject(name: string, retention?: object): Promise<void> {
    const metadata = { name, namespace: 'default' };
    const spec = { revision: program(), ...(retention && { retention }) };
    const document = { apiVersion: 'rouse.dev/v1alpha1', kind: 'Model', metadata, spec } as const;
    await cases().applyModel(OBJECT, document);
    await reaches(harness, `default/${name}/00001`, 'Ready');
  }

  test('is not deleted here; by its own word, and no other, who keeps it is told that it is unused', async () => {
    await harness.close();
    const defaults = { ...RETENTION_DEFAULTS, models: { unusedFor: 2 * HOUR } };
    harness = await createHarness({ memory: true, retention: defaults });
    await applyObject('default');
    await applyObject('asking', UNUSED);
    await applyObject('used', UNUSED);
    await wait(2 * HOUR + 10 * MINUTE, () =>
      harness.load({ revision: 'default/used/00001', arrivals: 1 }),
    );
    expect(await names()).toEqual(['asking', 'default', 'used']);
    const told = await harness.events('ModelUnused');
    expect(told.map(({ model, actor }) => [model, actor.id])).toEqual([
      ['asking', 'system:retention'],
    ]);
    // Whoever it was could not delete it.
    await wait(HOUR);
    const again = await harness.events('ModelUnused');
    expect(again.map(({ model }) => model)).toEqual(['asking', 'asking']);
  });
});

describe('revisions', () => {
  async function deployTwice(spec: Partial<ModelInput['spec']>): Promise<void> {
    await deployed(harness, { revision: program({ args: ['one'] }), ...spec });
    await deployed(harness, { revision: program({ args: ['two'] }), ...spec });
    await deployed(harness, { revision: program({ args: ['three'] }), ...spec });
  }

  test('go when nothing leads to them; the newest and those with traffic or a tag stay', async () => {
    const traffic = [
      { revision: '00001', percent: 0, tag: 'old' },
      { latest: true as const, percent: 100 },
    ];
    await deployTwice({ retention: OLD });
    await cases().setTraffic(ADMIN, 'default', 'm', traffic);
    await wait(2 * HOUR);
    expect(await revisions()).toEqual(['00001', '00003']);
    expect(await why('RevisionDeleted')).toEqual([
      expect.stringMatching(/no request has ever come/),
    ]);
    const view = await cases().restoreRevision(ADMIN, 'default/m/00002');
    expect(view.revisions.map(({ value }) => value.name)).toEqual(['00001', '00002', '00003']);
    expect(view.targets).toContainEqual({ revision: '00003', percent: 100 });
    await wait(30 * MINUTE);
    expect(await revisions()).toHaveLength(3);
    await wait(HOUR);
    expect(await revisions()).toHaveLength(2);
  });

  test('the last that served stay', async () => {
    await deployed(harness, { revision: program({ args: ['one'] }) });
    harness.load({ revision: 'default/m/00001', arrivals: 1 });
    await deployTwice({ retention: { revisions: { unusedFor: '1h', keep: 1 } } });
    await wait(3 * HOUR);
    expect(await revisions()).toEqual(['00001', '00003']);
  });

  test('a declared one stays, and so does one that waits for its turn', async () => {
    const declared = ['v1', 'v2'].map((name) => program({ name, args: [name] }));
    await harness.apply({ revisions: declared, retention: OLD });
    for (const name of ['v1', 'v2']) await reaches(harness, `default/m/${name}`, 'Ready');
    await cases().setTraffic(ADMIN, 'default', 'm', [{ revision: 'v2', percent: 100 }]);
    await wait(2 * HOUR);
    expect(await revisions()).toEqual(['v1', 'v2']);
  });

  test('what was deleted by hand comes back, unless its name is in use', async () => {
    await deployTwice({});
    await cases().deleteRevision(ADMIN, 'default/m/00001');
    await cases().restoreRevision(ADMIN, 'default/m/00001');
    expect(await revisions()).toEqual(['00001', '00002', '00003']);
    await cases().deleteRevision(ADMIN, 'default/m/00001', { now: true });
    await refuses(cases().restoreRevision(ADMIN, 'default/m/00001'), 'not_found');
    await cases().deleteRevision(ADMIN, 'default/m/00002');
    await cases().deleteModel(ADMIN, 'default', 'm');
    await refuses(cases().restoreRevision(ADMIN, 'default/m/00002'), 'conflict');
    await cases().restoreModel(ADMIN, 'default', 'm');
    await cases().restoreRevision(ADMIN, 'default/m/00002');
    expect(await revisions()).toEqual(['00002', '00003']);
  });
});

async function refuses(work: Promise<unknown>, code: string): Promise<void> {
  await expect(work).rejects.toMatchObject({ code });
}

describe('a deletion', () => {
  test('for good leaves nothing to restore', async () => {
    await deployed(harness);
    await cases().deleteModel(ADMIN, 'default', 'm', { now: true });
    await refuses(cases().restoreModel(ADMIN, 'default', 'm'), 'not_found');
    expect(await harness.store.list('tombstone')).toEqual([]);
  });

  test('lets its name be used again, and then says that it is in use', async () => {
    await deployed(harness, { revision: program({ args: ['first'] }) });
    await cases().deleteModel(ADMIN, 'default', 'm');
    await deployed(harness, { revision: program({ args: ['second'] }) });
    await refuses(cases().restoreModel(ADMIN, 'default', 'm'), 'conflict');
    await cases().deleteModel(ADMIN, 'default', 'm');
    const { revisions: found } = await cases().restoreModel(ADMIN, 'default', 'm');
    expect(found[0]?.value.spec.args).toEqual(['second']);
    await cases().deleteModel(ADMIN, 'default', 'm', { now: true });
    const first = await cases().restoreModel(ADMIN, 'default', 'm');
    expect(first.revisions[0]?.value.spec.args).toEqual(['first']);
  });

  test('is not undone where its address is that of another one now', async () => {
    await deployed(harness, {}, 'canary-m');
    await cases().deleteModel(ADMIN, 'default', 'canary-m');
    const traffic = [{ revision: '00001', percent: 100, tag: 'canary' }];
    await deployed(harness);
    await cases().setTraffic(ADMIN, 'default', 'm', traffic);
    await refuses(cases().restoreModel(ADMIN, 'default', 'canary-m'), 'conflict');
  });

  test('in the middle of a change of its split brings that back, too', async () => {
    await deployed(harness, { revision: program({ args: ['one'] }) });
    harness.runtime.holdStarts();
    const traffic = [{ revision: '00002', percent: 100 }];
    await harness.apply({ revision: program({ args: ['two'] }), traffic });
    const targets = [{ revision: '00001', percent: 100 }];
    expect((await cases().getModel(ADMIN, 'default', 'm')).targets).toEqual(targets);
    await cases().deleteModel(ADMIN, 'default', 'm');
    expect((await cases().restoreModel(ADMIN, 'default', 'm')).targets).toEqual(targets);
    harness.runtime.letGo();
    await reaches(harness, 'default/m/00002', 'Ready');
    const view = await cases().getModel(ADMIN, 'default', 'm');
    expect(view.targets).toEqual([{ revision: '00002', percent: 100 }]);
  });
});

describe('content', () => {
  async function stored(): Promise<string[]> {
    const found: string[] = [];
    for await (const { digest } of harness.artifacts.list()) found.push(`sha256:${digest}`);
    return found.toSorted();
  }

  async function untilStored(expected: readonly string[]): Promise<void> {
    await until('only that content is left', async () => {
      await wait(HOUR);
      return isDeepStrictEqual(await stored(), expected.toSorted());
    });
  }

  test('goes when nothing refers to it, what can be restored included', async () => {
    const spec = { retention: { undo: '3h' } };
    const kept = await harness.upload('kept');
    const gone = await harness.upload('gone');
    const loose = await harness.upload('loose');
    await deployed(harness, { revision: program({ source: kept }), ...spec }, 'kept');
    await deployed(harness, { revision: program({ source: gone }), ...spec }, 'gone');
    await cases().deleteModel(ADMIN, 'default', 'gone');
    await wait(2 * HOUR);
    expect(await stored()).toEqual([kept, gone, loose].toSorted());
    await untilStored([kept]);
    await until('the log says so', async () => {
      const events = await harness.store.events({ type: 'ArtifactsRemoved', limit: 10 });
      harness.clock.advance(1000);
      return events.some((event) => event.why.includes(loose));
    });
    expect((await harness.artifacts.stat(kept.slice(7)))?.name).toBe('model.bin');
  });

  test('that was pushed or asked for lately waits for its apply', async () => {
    const source = await harness.upload('model');
    await wait(20 * HOUR);
    await cases().statArtifact(ADMIN, source.slice(7));
    await wait(20 * HOUR);
    expect(await stored()).toEqual([source]);
    await deployed(harness, { revision: program({ source }) });
    await wait(30 * HOUR);
    expect(await stored()).toEqual([source]);
  });
});

describe('collecting by hand', () => {
  test('says what goes, what stays, and why; and does no more than that', async () => {
    await harness.close();
    const defaults = { ...RETENTION_DEFAULTS, models: { unusedFor: 2 * HOUR } };
    harness = await createHarness({ memory: true, retention: defaults });
    await deployed(harness, {}, 'a');
    await deployed(harness, { retention: { pinned: true } }, 'b');
    await harness.upload('loose');
    const { rows } = await cases().planCollection(ADMIN, undefined);
    expect(rows.map(({ kind, key, keep }) => [kind, key.slice(0, 15), keep])).toEqual([
      ['model', 'default/a', true],
      ['revision', 'default/a/00001', true],
      ['model', 'default/b', true],
      ['revision', 'default/b/00001', true],
      ['artifact', expect.stringMatching(/^sha256:/), true],
    ]);
    expect(rows[0]?.goesAt).toBeGreaterThan(harness.clock.now());
    expect(rows[1]?.why).toBe('it is the newest, traffic leads to it');
    expect(rows[2]).toMatchObject({ why: 'it is pinned' });
    const paged = await cases().planCollection(ADMIN, 'default', { limit: 1 });
    expect(paged).toMatchObject({ next: 'default/a', rows: [{ key: 'default/a' }, {}] });
    expect(await cases().collect(ADMIN, undefined)).toEqual([]);
    harness.clock.advance(0);
    expect(await names()).toEqual(['a', 'b']);
    await refuses(cases().collect({ id: 'key:x', role: 'read' }, undefined), 'forbidden');
    await refuses(
      cases().restoreModel({ id: 'key:x', role: 'invoke' }, 'default', 'a'),
      'forbidden',
    );
  });
});
