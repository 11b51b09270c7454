import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ModelInput, TrafficTarget } from '#domain/model.ts';
import type { Actor, EventRecord } from '#domain/records.ts';
import { Fault, type FaultCode } from '#lib/fault.ts';
import { until } from '#test/until.ts';
import { ADMIN, type Harness, createHarness, deployed, program, reaches, rest } from './harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(async () => {
  await harness.close();
});

async function refused(
  work: Promise<unknown>,
  code: FaultCode,
  ...texts: string[]
): Promise<Fault> {
  const fault = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(fault instanceof Fault)) throw new Error(`not refused: ${String(fault)}`);
  expect(fault.code).toBe(code);
  for (const text of texts) expect(fault.message).toContain(text);
  return fault;
}

function cases() {
  return harness.control.useCases;
}

function targets(name = 'm') {
  return harness.outlet.models.get(`default/${name}`)?.targets;
}

function split(...rows: [string, number, string?][]): TrafficTarget[] {
  return rows.map(([revision, percent, tag]) =>
    tag === undefined ? { revision, percent } : { revision, percent, tag },
  );
}

test('what is durable is no error, whatever fails that hears of it', async () => {
  harness.outlet.watch(() => {
    throw new Error('no data plane can be told');
  });
  expect(await harness.apply({ revision: program() })).toMatchObject({ outcome: 'created' });
  await reaches(harness, 'default/m/00001', 'Ready');
  await cases().deleteModel(ADMIN, 'default', 'm');
});

describe('apply', () => {
  test('the same content changes nothing; other content makes the next revision', async () => {
    const first = await harness.apply({ revision: program() });
    expect(first).toMatchObject({ outcome: 'created', newRevisions: ['00001'] });
    const same = { ...program(), timeouts: { hold: '1m' }, concurrency: 8 };
    expect(await harness.apply({ revision: program() })).toMatchObject({ outcome: 'unchanged' });
    const spelled = await harness.apply({ revision: same });
    expect(spelled).toMatchObject({ outcome: 'changed', newRevisions: [] });
    const second = await harness.apply({ revision: program({ concurrency: 1 }) });
    expect(second).toMatchObject({ outcome: 'changed', newRevisions: ['00002'] });
    expect(second.view.value.generation).toBe(3);
    const back = await harness.apply({ revision: program() });
    expect(back.newRevisions).toEqual(['00003']);
  });

  test('a change outside of `revision` makes none', async () => {
    await deployed(harness);
    const applied = await harness.apply({ revision: program(), queue: { requests: 9 } });
    expect(applied).toMatchObject({ outcome: 'changed', newRevisions: [] });
    expect(harness.outlet.models.get('default/m')?.queue.requests).toBe(9);
    const [event] = await harness.events('ModelChanged');
    expect(event?.why).toBe('spec.queue changed by local');
  });

  test('a name that exists takes the same content only', async () => {
    await harness.apply({ revision: program({ name: 'v1' }) });
    const again = await harness.apply({ revision: program({ name: 'v1' }) });
    expect(again.outcome).toBe('unchanged');
    const other = harness.apply({ revision: program({ name: 'v1', concurrency: 2 }) });
    await refused(other, 'conflict', 'v1', 'default/m');
    expect(await harness.store.list('revision')).toHaveLength(1);
  });

  test('several revisions at once, before traffic', async () => {
    const revisions = [program({ name: 'v1' }), program({ name: 'v2', concurrency: 1 })];
    const applied = await harness.apply({
      revisions,
      traffic: split(['v1', 90], ['v2', 10, 'canary']),
    });
    expect(applied.newRevisions).toEqual(['v1', 'v2']);
    await reaches(harness, 'default/m/v1', 'Ready');
    await reaches(harness, 'default/m/v2', 'Ready');
    expect(targets()).toEqual(split(['v1', 90], ['v2', 10, 'canary']));
  });

  test('a free number is taken when a name looks like one', async () => {
    await harness.apply({ revision: program({ name: '00002' }) });
    const applied = await harness.apply({ revision: program({ concurrency: 1 }) });
    expect(applied.newRevisions).toEqual(['00003']);
  });

  test('stored content is part of what a revision is', async () => {
    const [a, b] = [await harness.upload('a'), await harness.upload('b')];
    const onnx = (source: string) => ({ revision: { runtime: 'onnx' as const, source } });
    expect((await harness.apply(onnx(a))).newRevisions).toEqual(['00001']);
    expect((await harness.apply(onnx(a))).newRevisions).toEqual([]);
    const { view } = await harness.apply(onnx(b));
    expect(view.revisions.map((one) => `sha256:${one.value.artifact?.digest}`)).toEqual([a, b]);
  });

  test.each([
    ['./model.onnx', 'the command line uploads a path'],
    ['/tmp/model.onnx', 'the command line uploads a path'],
    ['s3://bucket/model.onnx', 'http(s):// address'],
    ['https://user:secret@host/model.onnx', 'without a password'],
    [`sha256:${'0'.repeat(64)}`, 'content that was uploaded before'],
  ])('source %s is refused', async (source, text) => {
    const work = harness.apply({ revision: { runtime: 'onnx', source } });
    const fault = await refused(work, 'invalid', text);
    expect(fault.problems).toMatchObject([{ key: 'spec.revision.source' }]);
  });

  test('all that is wrong is said at once, and nothing is changed', async () => {
    const wrong: ModelInput['spec'] = { revision: { runtime: 'onnx' }, scaling: { min: 5 } };
    Object.assign(wrong, { extra: true, queue: { requests: -1 } });
    const fault = await refused(harness.apply(wrong), 'invalid');
    expect(fault.problems.length).toBeGreaterThanOrEqual(4);
    await refused(harness.apply({}), 'invalid', 'a new model needs spec.revision');
    expect(await harness.store.list('model')).toEqual([]);
  });

  test('addresses that would collide, or be too long, are refused by name', async () => {
    await harness.apply({ revision: program() }, 'canary-digits');
    const tagged = { revision: program({ name: 'v1' }), traffic: split(['v1', 100, 'canary']) };
    await refused(
      harness.apply(tagged, 'digits'),
      'conflict',
      'tag canary of model digits',
      'model canary-digits',
    );
    await harness.apply({ ...tagged, traffic: split(['v1', 100, 'beta']) }, 'digits');
    await refused(
      harness.apply({ revision: program() }, 'beta-digits'),
      'conflict',
      'tag beta of model digits',
    );
    const traffic = cases().setTraffic(ADMIN, 'default', 'digits', split(['v1', 100, 'canary']));
    await refused(traffic, 'conflict', 'canary-digits');
    const long = 'a'.repeat(60);
    await refused(harness.apply(tagged, long), 'conflict', '67 characters, at most 63');
    await cases().deleteModel(ADMIN, 'default', 'canary-digits');
    await cases().setTraffic(ADMIN, 'default', 'digits', split(['v1', 100, 'canary']));
    await harness.apply({ revision: program() }, 'beta-digits');
  });

  test('of two writers who read the same, one wins', async () => {
    const { view } = await harness.apply({ revision: program() });
    const write = (max: number) =>
      cases().applyModel(
        ADMIN,
        { ...view.value.document, spec: { revision: program(), scaling: { max } } },
        view.version,
      );
    const results = await Promise.allSettled([write(5), write(6)]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected']);
    await refused(write(7), 'precondition_failed', 'read it again');
    const create = cases().applyModel(ADMIN, view.value.document, 0);
    await refused(create, 'precondition_failed', 'must not exist');
    const now = await cases().getModel(ADMIN, 'default', 'm');
    expect(now.value.document.spec.scaling?.max).toBe(5);
    expect(now.value.generation).toBe(2);
  });

  test('many writers without a version lose none of each other’s revisions', async () => {
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        harness.apply({ revision: program({ name: `r${index}`, concurrency: index + 1 }) }),
      ),
    );
    const view = await cases().getModel(ADMIN, 'default', 'm');
    expect(view.revisions).toHaveLength(20);
    expect(view.value.generation).toBe(20);
  });
});

describe('traffic', () => {
  const two = [program({ name: 'v1' }), program({ name: 'v2', concurrency: 1 })];

  async function ready(): Promise<void> {
    await harness.apply({ revisions: two, traffic: split(['v1', 90], ['v2', 10]) });
    await reaches(harness, 'default/m/v1', 'Ready');
    await reaches(harness, 'default/m/v2', 'Ready');
  }

  test('is changed alone, and only that model is told', async () => {
    await ready();
    await deployed(harness, {}, 'other');
    const before = harness.outlet.models.get('default/other');
    const generation = harness.outlet.models.get('default/m')?.generation ?? 0;
    const view = await cases().setTraffic(ADMIN, 'default', 'm', split(['v1', 50], ['v2', 50]));
    expect(view.value.document.spec.traffic).toEqual(split(['v1', 50], ['v2', 50]));
    expect(targets()).toEqual(split(['v1', 50], ['v2', 50]));
    expect(harness.outlet.models.get('default/m')?.generation).toBeGreaterThan(generation);
    expect(harness.outlet.models.get('default/other')).toBe(before);
    const [event] = await harness.events('TrafficChanged');
    expect(event?.why).toBe('v1=50 v2=50, set by local');
    const updates = harness.outlet.updates.length;
    await cases().setTraffic(ADMIN, 'default', 'm', split(['v1', 50], ['v2', 50]));
    expect(harness.outlet.updates).toHaveLength(updates);
  });

  test('to what does not exist is refused with what does', async () => {
    await ready();
    const work = cases().setTraffic(ADMIN, 'default', 'm', split(['v1', 90], ['v3', 10]));
    const fault = await refused(work, 'invalid', 'v3');
    expect(fault.problems).toEqual([
      { key: 'spec.traffic[1].revision', value: '"v3"', expected: 'one of v1, v2' },
    ]);
    const sum = cases().setTraffic(ADMIN, 'default', 'm', split(['v1', 90]));
    await refused(sum, 'invalid', 'sum to 100');
    await refused(cases().setTraffic(ADMIN, 'default', 'no', split(['v1', 100])), 'not_found');
  });

  test('without rows all goes to the latest that is ready', async () => {
    await deployed(harness);
    expect(targets()).toEqual(split(['00001', 100]));
    harness.runtime.holdStarts();
    await harness.apply({ revision: program({ concurrency: 1 }) });
    await rest();
    expect(targets()).toEqual(split(['00001', 100]));
    harness.runtime.letGo();
    await reaches(harness, 'default/m/00002', 'Ready');
    expect(targets()).toEqual(split(['00002', 100]));
  });

  test('to a revision that is not ready waits, and the one before serves, also after a restart', async () => {
    await ready();
    harness.runtime.holdStarts();
    const three = { ...program({ name: 'v3', concurrency: 2 }) };
    await harness.apply({ revision: three, traffic: split(['v3', 100], ['v2', 0, 'old']) });
    const held = [...split(['v1', 90], ['v2', 10]), ...split(['v2', 0, 'old'])];
    await until('v3 is proven', () => harness.runtime.instances('default/m/v3').length === 1);
    expect(targets()).toEqual(held);
    expect((await harness.events('TrafficWaits'))[0]?.why).toContain('v3 is Ready');
    await harness.restart();
    expect(targets()).toEqual(held);
    await refused(cases().deleteRevision(ADMIN, 'default/m/v1'), 'conflict', 'traffic or a tag');
    await reaches(harness, 'default/m/v3', 'Ready');
    expect(targets()).toEqual(split(['v3', 100], ['v2', 0, 'old']));
    expect(await harness.store.list('memory', { prefix: 'held/' })).toEqual([]);
    await cases().deleteRevision(ADMIN, 'default/m/v1');
  });

  test('a split whose new revision fails leaves the old one serving', async () => {
    await ready();
    harness.runtime.failStarts('default/m/v3', 'exited with status 1');
    const three = program({ name: 'v3', concurrency: 2 });
    await harness.apply({ revision: three, traffic: split(['v1', 50], ['v3', 50]) });
    await reaches(harness, 'default/m/v3', 'Failed');
    expect(targets()).toEqual(split(['v1', 90], ['v2', 10]));
    await cases().setTraffic(ADMIN, 'default', 'm', split(['v1', 100]));
    expect(targets()).toEqual(split(['v1', 100]));
  });

  test('a new model serves by those that are ready until all are', async () => {
    harness.runtime.holdStarts('default/m/v2');
    await harness.apply({ revisions: two, traffic: split(['v1', 30], ['v2', 70]) });
    await reaches(harness, 'default/m/v1', 'Ready');
    expect(targets()).toEqual(split(['v1', 100]));
    harness.runtime.letGo();
    await reaches(harness, 'default/m/v2', 'Ready');
    expect(targets()).toEqual(split(['v1', 30], ['v2', 70]));
  });
});

describe('delete', () => {
  test('a model goes with all that belongs to it; its content can be used again', async () => {
    const source = await harness.upload('weights');
    const revision = { runtime: 'onnx' as const, source };
    const key = await deployed(harness, { revision });
    harness.outlet.say({ type: 'wake', revision: key, queued: 1 });
    await harness.pass(1);
    await cases().deleteModel(ADMIN, 'default', 'm');
    expect(harness.outlet.models.size).toBe(0);
    await refused(cases().getModel(ADMIN, 'default', 'm'), 'not_found', 'default/m');
    await refused(cases().deleteModel(ADMIN, 'default', 'm'), 'not_found');
    expect([...harness.outlet.instances.values()].map((one) => one.state)).toEqual(['draining']);
    for (const { id } of harness.outlet.instances.values()) {
      harness.outlet.say({ type: 'drained', instance: id });
    }
    await until('nothing is left', () => harness.runtime.instances().length === 0);
    expect(harness.outlet.instances.size).toBe(0);
    await deployed(harness, { revision });
  });

  test('with the version that was read, or not at all', async () => {
    const { view } = await harness.apply({ revision: program() });
    await refused(
      cases().deleteModel(ADMIN, 'default', 'm', { ifMatch: view.version + 1 }),
      'precondition_failed',
    );
    await cases().deleteModel(ADMIN, 'default', 'm', { ifMatch: view.version });
  });

  test('a revision goes when nothing leads to it', async () => {
    await deployed(harness);
    await harness.apply({ revision: program({ concurrency: 1 }) });
    await reaches(harness, 'default/m/00002', 'Ready');
    await refused(cases().deleteRevision(ADMIN, 'default/m/00002'), 'conflict');
    await cases().deleteRevision(ADMIN, 'default/m/00001');
    await refused(cases().getRevision(ADMIN, 'default/m/00001'), 'not_found');
    await refused(cases().deleteRevision(ADMIN, 'default/m/00001'), 'not_found');
    const next = await harness.apply({ revision: program({ concurrency: 2 }) });
    expect(next.newRevisions).toEqual(['00003']);
  });
});

describe('reading', () => {
  test('models in order, by page and namespace', async () => {
    for (const name of ['c', 'a', 'b']) await harness.apply({ revision: program() }, name);
    await cases().applyModel(ADMIN, {
      apiVersion: 'rouse.dev/v1alpha1',
      kind: 'Model',
      metadata: { name: 'z', namespace: 'other' },
      spec: { revision: program() },
    });
    const names = async (
      ...rest: Parameters<ReturnType<typeof cases>['listModels']> extends [unknown, ...infer R]
        ? R
        : never
    ) => (await cases().listModels(ADMIN, ...rest)).map((view) => view.name);
    expect(await names(undefined)).toEqual(['a', 'b', 'c', 'z']);
    expect(await names('default')).toEqual(['a', 'b', 'c']);
    expect(await names('default', { limit: 2 })).toEqual(['a', 'b']);
    expect(await names('default', { after: 'default/b' })).toEqual(['c']);
    expect(await names('nobody')).toEqual([]);
  });

  test('the state of a model through its life', async () => {
    const state = async () => (await cases().getModel(ADMIN, 'default', 'm')).state;
    harness.runtime.holdStarts();
    await harness.apply({ revision: program() });
    expect(await state()).toBe('Preparing');
    harness.runtime.letGo();
    await reaches(harness, 'default/m/00001', 'Ready');
    expect(await state()).toBe('Asleep');
    harness.outlet.say({ type: 'wake', revision: 'default/m/00001', queued: 1 });
    expect(await state()).toBe('Waking');
    await harness.pass(1);
    expect(await state()).toBe('Awake');
  });

  test('logs of all revisions in the order of time', async () => {
    const key = await deployed(harness, { scaling: { min: 1 } });
    const id = harness.runtime.instances(key)[0]?.id ?? '';
    for (const text of ['one', 'two', 'three']) harness.runtime.writeLog(id, text);
    const lines = await cases().logs(ADMIN, 'default', 'm', 2);
    expect(lines.map((line) => line.text)).toEqual(['two', 'three']);
    await refused(cases().logs(ADMIN, 'default', 'no', 2), 'not_found');
  });

  test('watchers see each event that fits, once and in order, until they stop', async () => {
    const seen: EventRecord[] = [];
    const all: EventRecord[] = [];
    const stop = new AbortController();
    const watch = (query: object, into: EventRecord[], signal: AbortSignal) =>
      cases().watchEvents(ADMIN, query, (event) => into.push(event), signal);
    watch({ namespace: 'default', model: 'm' }, seen, stop.signal);
    watch({ after: 0 }, all, new AbortController().signal);
    await deployed(harness);
    await deployed(harness, {}, 'other');
    const stored = await harness.events();
    await until('all are seen', () => all.length === stored.length);
    expect(all).toEqual(stored);
    expect(seen).toEqual(stored.filter((event) => event.model === 'm'));
    stop.abort();
    await harness.apply({ revision: program({ concurrency: 1 }) });
    await until('the other sees it', () => all.at(-1)?.id !== stored.at(-1)?.id);
    expect(seen).toEqual(stored.filter((event) => event.model === 'm'));
  });
});

describe('keys and roles', () => {
  test('a secret is shown once, stored hashed, and names its actor', async () => {
    const { key, secret } = await cases().createKey(ADMIN, 'deploy', 'ci');
    expect(secret).toMatch(/^rk_[a-z0-9]+_[A-Za-z0-9_-]{43}$/);
    expect(await cases().authenticate(secret)).toEqual({ id: `key:${key.id}`, role: 'deploy' });
    const stored = JSON.stringify(await harness.store.list('key'));
    expect(stored).not.toContain(secret.split('_').at(-1));
    expect(await cases().listKeys(ADMIN)).toMatchObject([{ id: key.id, note: 'ci' }]);
    const forged = `${secret.slice(0, -1)}${secret.endsWith('A') ? 'B' : 'A'}`;
    for (const wrong of [
      forged,
      `rk_${'0'.repeat(24)}_${'A'.repeat(43)}`,
      '',
      'rk_',
      secret + 'A',
    ]) {
      expect(await cases().authenticate(wrong)).toBeUndefined();
    }
    await cases().deleteKey(ADMIN, key.id);
    expect(await cases().authenticate(secret)).toBeUndefined();
    await refused(cases().deleteKey(ADMIN, key.id), 'not_found');
    const events = await harness.store.events({ limit: 10 });
    expect(events.map((event) => event.type)).toEqual(['KeyCreated', 'KeyDeleted']);
  });

  test('data planes know a key by its hash, from the start and as long as it is there', async () => {
    const told = () => harness.outlet.updates.flatMap(({ keys = [] }) => keys);
    const { key, secret } = await cases().createKey(ADMIN, 'invoke', '', 'high');
    const { id, role, hash } = key;
    expect(told()).toEqual([{ id, role, hash, priority: 'high' }]);
    const [, random = ''] = /^rk_[a-z0-9]+_(.*)$/.exec(secret) ?? [];
    expect(hash).toBe(createHash('sha256').update(random).digest('hex'));
    await harness.restart();
    expect(told()).toEqual([{ id, role, hash, priority: 'high' }]);
    await cases().deleteKey(ADMIN, id);
    expect(harness.outlet.updates.at(-1)).toEqual({ removedKeys: [id] });
    const plain = await cases().createKey(ADMIN, 'invoke', '');
    expect(plain.key.priority).toBe('normal');
  });

  test('each role may do what the table says, and no more', async () => {
    await deployed(harness);
    const digest = (await harness.upload('x')).slice('sha256:'.length);
    const nothing = (async function* () {})();
    const table: [string, Actor['role'], (actor: Actor) => Promise<unknown>][] = [
      ['get', 'read', (actor) => cases().getModel(actor, 'default', 'm')],
      ['list', 'read', (actor) => cases().listModels(actor, undefined)],
      ['revision', 'read', (actor) => cases().getRevision(actor, 'default/m/00001')],
      ['logs', 'read', (actor) => cases().logs(actor, 'default', 'm', 1)],
      ['events', 'read', (actor) => cases().events(actor, { limit: 1 })],
      [
        'usage',
        'read',
        (actor) => cases().usage(actor, { namespace: 'default', model: 'm', from: 0, to: 1 }),
      ],
      ['usage of all', 'read', (actor) => cases().usageLog(actor, { from: 0, to: 1, limit: 1 })],
      [
        'watch',
        'read',
        async (actor) => cases().watchEvents(actor, {}, () => {}, AbortSignal.abort()),
      ],
      ['stat', 'deploy', (actor) => cases().statArtifact(actor, digest)],
      [
        'put',
        'deploy',
        (actor) => cases().putArtifact(actor, digest, nothing, { name: 'x', kind: 'file' }),
      ],
      [
        'apply',
        'deploy',
        (actor) =>
          cases().applyModel(actor, {
            apiVersion: 'rouse.dev/v1alpha1',
            kind: 'Model',
            metadata: { name: 'm' },
            spec: {},
          }),
      ],
      [
        'traffic',
        'deploy',
        (actor) => cases().setTraffic(actor, 'default', 'm', split(['00001', 100])),
      ],
      ['owner', 'deploy', (actor) => cases().setOwner(actor, 'default', 'm', undefined)],
      ['delete revision', 'deploy', (actor) => cases().deleteRevision(actor, 'default/m/nobody')],
      ['delete', 'deploy', (actor) => cases().deleteModel(actor, 'default', 'nobody')],
      ['keys', 'admin', (actor) => cases().listKeys(actor)],
      ['create key', 'admin', (actor) => cases().createKey(actor, 'read', '')],
      ['delete key', 'admin', (actor) => cases().deleteKey(actor, 'nobody')],
    ];
    const roles: Actor['role'][] = ['read', 'invoke', 'deploy', 'admin'];
    for (const [name, needed, run] of table) {
      for (const role of roles) {
        const outcome = await run({ id: `key:${role}`, role }).then(
          () => 'allowed',
          (error: unknown) =>
            error instanceof Fault && error.code === 'forbidden' ? 'forbidden' : 'allowed',
        );
        const allowed = roles.indexOf(role) >= roles.indexOf(needed);
        expect([name, role, outcome]).toEqual([name, role, allowed ? 'allowed' : 'forbidden']);
      }
    }
  });
});
