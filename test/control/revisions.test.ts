import { createServer } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Fault } from '#lib/fault.ts';
import { until } from '#test/until.ts';
import {
  ADMIN,
  type Harness,
  MIB,
  createHarness,
  deployed,
  program,
  reaches,
  rest,
} from './harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(async () => {
  await harness.close();
});

const KEY = 'default/m/00001';

function revisionOf(key: string) {
  return harness.control.useCases.getRevision(ADMIN, key).then((stored) => stored.value);
}

function live(key: string) {
  return harness.runtime.instances(key).filter((instance) => instance.state !== 'draining');
}

describe('proof', () => {
  test('a revision is prepared, started once, measured, and put to sleep at once', async () => {
    const key = await deployed(harness);
    expect(harness.runtime.prepared).toEqual([key]);
    expect(await revisionOf(key)).toMatchObject({
      state: 'Ready',
      proven: true,
      coldStartSeconds: expect.closeTo(0.1, 2),
    });
    expect(live(key)).toEqual([]);
    expect(harness.runtime.orders.map((order) => order.wanted.desired)).toEqual([1, 0]);
    const view = await harness.control.useCases.getModel(ADMIN, 'default', 'm');
    expect(view).toMatchObject({ state: 'Asleep', targets: [{ revision: '00001', percent: 100 }] });
    const types = (await harness.events()).map((event) => event.type);
    expect(types).toEqual([
      'ModelCreated',
      'RevisionCreated',
      'RevisionProving',
      'ScaleDecided',
      'RevisionReady',
      'ScaleDecided',
    ]);
    const decisions = await harness.events('ScaleDecided');
    expect(decisions[0]?.why).toContain('it has to become ready once');
    expect(decisions[1]?.why).toContain('no request has come');
  });

  test('nothing leads to a revision before it is Ready', async () => {
    harness.runtime.holdStarts();
    await harness.apply({ revision: program() });
    await until('it is proven', () => harness.runtime.instances(KEY).length === 1);
    expect(harness.outlet.models.get('default/m')?.targets).toEqual([]);
    harness.runtime.letGo();
    await reaches(harness, KEY, 'Ready');
    expect(harness.outlet.models.get('default/m')?.targets).toEqual([
      { revision: '00001', percent: 100 },
    ]);
  });

  test('`min` keeps the instance that proved it', async () => {
    const key = await deployed(harness, { scaling: { min: 1 } });
    await harness.pass(90);
    expect(live(key)).toHaveLength(1);
    expect(harness.runtime.orders.map((order) => order.wanted.desired)).toEqual([1]);
  });

  test('`initial: 0` skips the proof and says so', async () => {
    const key = await deployed(harness, { scaling: { initial: 0 } });
    expect(await revisionOf(key)).toMatchObject({ state: 'Ready', proven: false });
    expect((await revisionOf(key)).reason).toContain('scaling.initial is 0');
    expect(harness.runtime.orders).toEqual([]);
  });

  test('`initial` above 1: so many have to become ready, each once', async () => {
    harness.runtime.holdStarts();
    await harness.apply({ revision: program(), scaling: { initial: 3 } });
    await until('three are started', () => live(KEY).length === 3);
    harness.runtime.crash(live(KEY)[0]?.id ?? '', 'exited with status 3');
    harness.runtime.letGo();
    await rest();
    expect(live(KEY).map((instance) => instance.state)).toEqual(['ready', 'ready']);
    expect((await revisionOf(KEY)).state).toBe('Proving');
    await reaches(harness, KEY, 'Ready');
    expect(live(KEY)).toEqual([]);
    const [event] = await harness.events('ScaleDecided');
    expect(event?.why).toContain('3 instances have to become ready once');
  });

  test('a document that asks for fewer is heard while the proof runs', async () => {
    const memory = program({ resources: { memory: '600Mi' } });
    await harness.apply({ revision: memory, scaling: { initial: 2 } });
    await until('one is started', () => live(KEY).length === 1);
    await harness.pass(2);
    expect(live(KEY).map((instance) => instance.state)).toEqual(['ready']);
    expect((await revisionOf(KEY)).state).toBe('Proving');
    await harness.apply({ revision: memory, scaling: { initial: 1 } });
    await reaches(harness, KEY, 'Ready');
  });

  test('three failed starts make it Failed, with the last lines', async () => {
    harness.runtime.failStarts(KEY, 'exited with status 3');
    harness.runtime.onEvent((event) => {
      if (event.type === 'instance' && event.instance.startedAt === 0) {
        harness.runtime.writeLog(event.instance.id, 'no such weights');
      }
    });
    await harness.apply({ revision: program() });
    await reaches(harness, KEY, 'Failed');
    const { reason } = await revisionOf(KEY);
    expect(reason).toContain('exited with status 3 (3 failed starts in a row)');
    expect(reason).toContain('no such weights');
    const told = harness.outlet.models.get('default/m')?.revisions[0]?.reason;
    expect(told).toBe('exited with status 3 (3 failed starts in a row)');
    const orders = harness.runtime.orders.length;
    await harness.pass(300);
    expect(harness.runtime.orders).toHaveLength(orders);
    expect(harness.runtime.instances()).toEqual([]);
    const view = await harness.control.useCases.getModel(ADMIN, 'default', 'm');
    expect(view.state).toBe('Failed');
  });

  test('what can be prepared at no time fails at once; applying it again tries again', async () => {
    harness.runtime.failPrepare(KEY, new Fault('invalid', 'requirements.txt: no such package'));
    await harness.apply({ revision: program() });
    await reaches(harness, KEY, 'Failed');
    expect((await revisionOf(KEY)).reason).toBe('requirements.txt: no such package');
    harness.runtime.failPrepare(KEY, undefined);
    const again = await harness.apply({ revision: program() });
    expect(again).toMatchObject({ outcome: 'changed', newRevisions: [] });
    await reaches(harness, KEY, 'Ready');
  });

  test('what may heal is tried again, with pauses', async () => {
    harness.runtime.failPrepare(KEY, new Fault('storage_full', 'the disk is full'));
    await harness.apply({ revision: program() });
    await until('it says when it is tried again', async () =>
      (await revisionOf(KEY)).reason.endsWith('the next follows after 1 s)'),
    );
    harness.clock.advance(1000);
    await until('the next pause is longer', async () =>
      (await revisionOf(KEY)).reason.endsWith('the next follows after 2 s)'),
    );
    expect((await revisionOf(KEY)).state).toBe('Preparing');
    harness.runtime.failPrepare(KEY, undefined);
    await reaches(harness, KEY, 'Ready');
  });

  test('more than the whole memory is refused with both numbers', async () => {
    const spec = program({ resources: { memory: '2000Mi' } });
    await harness.apply({ revision: spec });
    await reaches(harness, KEY, 'Failed');
    expect((await revisionOf(KEY)).reason).toContain(
      'it can never fit: 1 instance of 2Gi asked for, 0 of 1000Mi in use',
    );
    expect(harness.runtime.instances()).toEqual([]);
  });

  test('a proof for which no memory gets free fails and says so', async () => {
    const memory = { resources: { memory: '600Mi' } };
    await deployed(harness, { revision: program(memory), scaling: { min: 1 } }, 'resident');
    await harness.apply({ revision: program(memory) });
    await harness.pass(590);
    expect((await revisionOf(KEY)).state).toBe('Proving');
    await harness.pass(20);
    expect(await revisionOf(KEY)).toMatchObject({
      state: 'Failed',
      reason: 'no memory became free for its proof within 10m',
    });
  });

  test('one that waits again, after an instance of it was started, is not waited for without end', async () => {
    const memory = program({ resources: { memory: '600Mi' } });
    await harness.apply({ revision: memory, scaling: { initial: 2 } });
    await until('one is started', () => live(KEY).length === 1);
    await harness.pass(590);
    expect((await revisionOf(KEY)).state).toBe('Proving');
    await harness.pass(20);
    expect(await revisionOf(KEY)).toMatchObject({
      state: 'Failed',
      reason: 'no memory became free for its proof within 10m',
    });
  });

  test('proofs that wait for memory hold up no others', async () => {
    const memory = { resources: { memory: '900Mi' } };
    await deployed(harness, { revision: program(memory), scaling: { min: 1 } }, 'resident');
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      await harness.apply({ revision: program(memory) }, name);
    }
    await until('all wait', async () => (await harness.events('WaitingForMemory')).length === 5);
    await deployed(harness, { revision: program({ resources: { memory: '50Mi' } }) }, 'small');
  });

  test('proofs that wait for the cluster hold up no others, and say what they wait for', async () => {
    harness.runtime.holdStarts();
    const revisions = ['a', 'b', 'c', 'd'].map((name) => program({ name }));
    await harness.apply({ revisions });
    await until('four are proven', () => harness.runtime.instances().length === 4);
    await harness.apply({ revision: program() }, 'small');
    await rest();
    expect(live('default/small/00001'), 'it has to wait for its turn').toEqual([]);
    const why = 'waits for room: 0/1 nodes are available';
    harness.runtime.tellWaiting(live('default/m/a')[0]?.id ?? '', why);
    await until('its turn has come', () => live('default/small/00001').length === 1);
    const view = await harness.control.useCases.getModel(ADMIN, 'default', 'm');
    expect(view.revisions.map(({ value }) => value.reason)).toEqual([
      why,
      ...Array.from({ length: 3 }, () => 'prepared; it has to become ready once'),
    ]);
    harness.runtime.letGo();
    await reaches(harness, 'default/small/00001', 'Ready');
    const { reason } = await revisionOf('default/m/a');
    expect(reason).toMatch(/^ready /);
  });

  test('at most so many at once', async () => {
    harness.runtime.holdStarts();
    const revisions = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => program({ name }));
    await harness.apply({ revisions });
    await until('four are proven', () => harness.runtime.instances().length === 4);
    await harness.pass(5);
    expect(harness.runtime.instances()).toHaveLength(4);
    harness.runtime.letGo();
    for (const { name } of revisions) await reaches(harness, `default/m/${name}`, 'Ready');
  });
});

describe('a preparation that hangs', () => {
  /** From now on these are never done. */
  function hang(...keys: string[]): { begun: Promise<void>; fail: () => void } {
    const prepare = harness.runtime.prepare.bind(harness.runtime);
    const begun = Promise.withResolvers<void>();
    const hung = Promise.withResolvers<void>();
    harness.runtime.prepare = (workload) => {
      if (!keys.includes(workload.key)) return prepare(workload);
      begun.resolve();
      return hung.promise;
    };
    const fail = (): void => hung.reject(new Fault('unavailable', 'the build was ended'));
    return { begun: begun.promise, fail };
  }

  test('stops no other model, however many proofs run at once', async () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    hang(...names.map((name) => `default/${name}/00001`));
    for (const name of names) await harness.apply({ revision: program() }, name);
    await deployed(harness, {}, 'healthy');
  });

  test('is left when its revision is deleted: the next of that name is not kept waiting', async () => {
    const { begun, fail } = hang(KEY);
    await harness.apply({ revision: program() });
    await begun;
    await harness.control.useCases.deleteModel(ADMIN, 'default', 'm');
    harness.runtime.prepare = async () => undefined;
    await deployed(harness, { revision: program({ args: ['./other'] }) });
    fail();
    await rest();
    expect((await revisionOf(KEY)).state).toBe('Ready');
  });

  test('and an inspection, too, hold up no closing', async () => {
    hang(KEY);
    harness.runtime.inspect = () => new Promise(() => undefined);
    const digest = await harness.upload('weights');
    await harness.apply({ revision: { runtime: 'onnx', source: digest } }, 'inspected');
    await harness.apply({ revision: program() });
    await rest();
    await harness.control.close();
  });
});

describe('restart', () => {
  test('in the middle of Preparing and of Proving: the work is done again', async () => {
    harness.runtime.failPrepare('default/m/a', new Fault('unavailable', 'not now'));
    harness.runtime.holdStarts();
    await harness.apply({ revisions: [program({ name: 'a' }), program({ name: 'b' })] });
    await until('b is Proving', async () => (await revisionOf('default/m/b')).state === 'Proving');
    expect((await revisionOf('default/m/a')).state).toBe('Preparing');
    await harness.restart();
    await reaches(harness, 'default/m/a', 'Ready');
    await reaches(harness, 'default/m/b', 'Ready');
  });

  test('what is Ready is not proven again, and its routing is there at once', async () => {
    const key = await deployed(harness);
    const before = harness.outlet.models.get('default/m');
    await harness.restart();
    await harness.pass(5);
    expect(harness.runtime.orders).toEqual([]);
    const after = harness.outlet.models.get('default/m');
    expect(after).toEqual({ ...before, generation: after?.generation });
    expect(after?.generation).toBeGreaterThan(before?.generation ?? 0);
    harness.outlet.say({ type: 'wake', revision: key, queued: 1 });
    expect(live(key)).toHaveLength(1);
  });
});

describe('deletion', () => {
  test('while it is proven: the work ends and nothing is left', async () => {
    harness.runtime.holdStarts();
    await harness.apply({ revision: program() });
    await until('it is proven', () => harness.runtime.instances(KEY).length === 1);
    await harness.control.useCases.deleteModel(ADMIN, 'default', 'm');
    await until('nothing runs', () => harness.runtime.instances().length === 0);
    expect(await harness.store.list('revision')).toEqual([]);
    expect(harness.outlet.models.size).toBe(0);
    await harness.pass(10);
    expect(await harness.store.list('revision')).toEqual([]);
  });

  test('a new revision of the same name waits until the old instances are gone', async () => {
    const key = await deployed(harness);
    harness.outlet.say({ type: 'wake', revision: key, queued: 1 });
    await harness.pass(1);
    harness.load({ revision: key, inFlight: 1, concurrency: 1 });
    const [old] = live(key);
    await harness.control.useCases.deleteModel(ADMIN, 'default', 'm');
    expect(harness.outlet.instances.get(old?.id ?? '')?.state).toBe('draining');
    await harness.apply({ revision: program({ args: ['./other'] }) });
    await harness.pass(3);
    expect((await revisionOf(key)).state).toBe('Preparing');
    harness.outlet.say({ type: 'drained', instance: old?.id ?? '' });
    await reaches(harness, key, 'Ready');
    expect((await revisionOf(key)).spec.args).toEqual(['./other']);
  });
});

test('made anew under the same name while the former one is proven', async () => {
  harness.runtime.holdStarts();
  await harness.apply({ revision: program() });
  await until('it is proven', () => harness.runtime.instances(KEY).length === 1);
  const { useCases } = harness.control;
  const again = [
    useCases.deleteModel(ADMIN, 'default', 'm'),
    harness.apply({ revision: program({ args: ['./other'] }) }),
  ];
  await Promise.all(again);
  harness.runtime.letGo();
  await reaches(harness, KEY, 'Ready');
  expect((await revisionOf(KEY)).spec.args).toEqual(['./other']);
  expect(harness.runtime.prepared).toEqual([KEY, KEY]);
});

test('made anew while the former one is being prepared, which cannot be cut short', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const prepare = harness.runtime.prepare.bind(harness.runtime);
  Object.assign(harness.runtime, { prepare: () => promise });
  await harness.apply({ revision: program() });
  await rest();
  await harness.control.useCases.deleteModel(ADMIN, 'default', 'm');
  await harness.apply({ revision: program({ args: ['./other'] }) });
  await rest();
  Object.assign(harness.runtime, { prepare });
  resolve();
  await reaches(harness, KEY, 'Ready');
  expect((await revisionOf(KEY)).spec.args).toEqual(['./other']);
});

describe('url', () => {
  test('is there at once, is never started, and goes with its model', async () => {
    const revision = { runtime: 'url' as const, source: 'http://127.0.0.1:9/' };
    const key = await deployed(harness, { revision });
    expect(live(key)).toHaveLength(1);
    await harness.pass(100);
    expect(live(key)).toHaveLength(1);
    await harness.control.useCases.deleteModel(ADMIN, 'default', 'm');
    await until('it is let go', () => harness.runtime.instances().length === 0);
  });

  test('nothing answers there: the model has failed until it was reached, however long that is', async () => {
    const revision = { runtime: 'url' as const, source: 'http://127.0.0.1:9/' };
    const key = await deployed(harness, { revision });
    const instance = live(key)[0]?.id ?? '';
    const seen = async () => {
      const { state } = await harness.control.useCases.getModel(ADMIN, 'default', 'm');
      const text = await harness.control.metrics();
      return [state, /^rouse_instances\{state="(?:ready|unreachable)"\} 1$/m.exec(text)?.[0]];
    };
    const well = ['Awake', 'rouse_instances{state="ready"} 1'];
    expect(await seen()).toEqual(well);
    harness.outlet.say({ type: 'suspect', instance, reason: 'connect ECONNREFUSED' });
    const away = ['Failed', 'rouse_instances{state="unreachable"} 1'];
    expect(await seen()).toEqual(away);
    await harness.pass(20);
    expect(await seen()).toEqual(away);
    harness.outlet.say({ type: 'reached', instance });
    expect(await seen()).toEqual(well);
    await rest();
    const routed = harness.outlet.models.get('default/m')?.revisions[0];
    expect(routed?.startFailure).toBeUndefined();
  });
});

describe('source', () => {
  async function serve(
    answer: (path: string) => { status: number; body?: string; location?: string },
  ): Promise<{ url: string; close: () => Promise<void> }> {
    const server = createServer((request, response) => {
      const { status, body = '', location } = answer(request.url ?? '');
      response.writeHead(status, location === undefined ? {} : { location }).end(body);
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    return {
      url: `http://127.0.0.1:${port}`,
      close: () =>
        new Promise((resolve) => {
          server.closeAllConnections();
          server.close(() => resolve());
        }),
    };
  }

  test('an address is fetched, through redirects, inspected and kept', async () => {
    const site = await serve((path) =>
      path === '/m.onnx' ? { status: 200, body: 'weights' } : { status: 302, location: '/m.onnx' },
    );
    try {
      harness.runtime.setInspection(KEY, {
        platform: 'onnx_onnxv1',
        inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 4] }],
        outputs: [],
        properties: {},
      });
      const revision = { runtime: 'onnx' as const, source: `${site.url}/latest` };
      await deployed(harness, { revision });
      const { artifact, inspection } = await revisionOf(KEY);
      expect(artifact).toMatchObject({ name: 'm.onnx', size: 7, kind: 'file' });
      expect(inspection?.platform).toBe('onnx_onnxv1');
      expect(harness.outlet.models.get('default/m')?.revisions[0]).toMatchObject({
        platform: 'onnx_onnxv1',
        inputs: [{ name: 'x' }],
      });
      expect(await harness.apply({ revision })).toMatchObject({ outcome: 'unchanged' });
    } finally {
      await site.close();
    }
  });

  test.each([
    ['a missing one', { status: 404 }, 'answered 404: expected 200'],
    ['a loop', { status: 301, location: '/again' }, 'redirects more than 5 times'],
    ['another protocol', { status: 301, location: 'file:///etc/passwd' }, 'redirects to file:'],
  ])('%s is refused with its reason', async (_, answer, reason) => {
    const site = await serve(() => answer);
    try {
      await harness.apply({ revision: { runtime: 'onnx', source: `${site.url}/m.onnx` } });
      await reaches(harness, KEY, 'Failed');
      expect((await revisionOf(KEY)).reason).toContain(reason);
    } finally {
      await site.close();
    }
  });

  test('one that answers 503 is asked again', async () => {
    let calls = 0;
    const site = await serve(() => (++calls < 3 ? { status: 503 } : { status: 200, body: 'x' }));
    try {
      await harness.apply({ revision: { runtime: 'onnx', source: `${site.url}/m.onnx` } });
      await reaches(harness, KEY, 'Ready');
      expect(calls).toBe(3);
    } finally {
      await site.close();
    }
  });
});

test('the memory that its instances took is the reservation of the next', async () => {
  const key = await deployed(harness, { scaling: { max: 10 } });
  harness.outlet.say({ type: 'wake', revision: key, queued: 1 });
  await harness.pass(1);
  harness.runtime.setMemory(live(key)[0]?.id ?? '', 400 * MIB);
  harness.load({ revision: key, inFlight: 8, queued: 400, concurrency: 408, arrivals: 1 });
  expect(live(key)).toHaveLength(2);
  const [event] = await harness.events('WaitingForMemory');
  expect(event?.why).toContain('of 400Mi asked for');
});

test('what the last instances of a deleted revision took is not held against the next of its name', async () => {
  const spec = { revision: program(), scaling: { max: 2 } };
  const key = await deployed(harness, spec);
  harness.outlet.say({ type: 'wake', revision: key, queued: 1 });
  await harness.pass(1);
  harness.load({ revision: key, arrivals: 1 });
  const old = live(key)[0]?.id ?? '';
  await harness.control.useCases.deleteModel(ADMIN, 'default', 'm');
  harness.runtime.setMemory(old, 900 * MIB);
  harness.outlet.say({ type: 'drained', instance: old });
  await until('it is gone', () => harness.runtime.instances().length === 0);
  expect(await harness.control.metrics()).not.toContain('model="m"');
  await deployed(harness, spec);
  harness.outlet.say({ type: 'wake', revision: key, queued: 16 });
  expect(live(key)).toHaveLength(2);
});
