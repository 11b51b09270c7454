import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ModelInput } from '#domain/model.ts';
import type { Instance } from '#runtime/runtime.ts';
import { until } from '#test/until.ts';
import { ADMIN, type Harness, MIB, createHarness, deployed, program } from './harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(async () => {
  await harness.close();
});

const PARKS = {
  revision: program({ resources: { memory: '400Mi' } }),
  keepAlive: { policy: 'fixed', idle: '60s', park: '10m' },
} as const satisfies ModelInput['spec'];

function wake(key: string): void {
  harness.outlet.say({ type: 'wake', revision: key, queued: 1 });
}

function instances(key: string, state: Instance['state']): readonly Instance[] {
  return harness.runtime.instances(key).filter((instance) => instance.state === state);
}

/** A data plane has sent a request to what dozes. */
function rouse({ key, id }: { key: string; id: string }): void {
  harness.outlet.say({ type: 'wake', revision: key, queued: 0, inFlight: 1, instance: id });
}

/** The data plane lets go at once of what it may not send to any more. */
function letGo(): void {
  for (const { id, state } of harness.outlet.instances.values()) {
    if (state === 'draining') harness.outlet.say({ type: 'drained', instance: id });
    if (state === 'parked') harness.outlet.say({ type: 'closed', instance: id });
  }
}

const toldOf = (id: string): string | undefined => harness.outlet.instances.get(id)?.state;

async function parked(name: string): Promise<{ key: string; id: string }> {
  const key = await deployed(harness, PARKS, name);
  wake(key);
  await harness.pass(1);
  const id = instances(key, 'ready')[0]?.id ?? '';
  harness.load({ revision: key, arrivals: 1 });
  harness.load({});
  await harness.pass(62, letGo);
  expect(instances(key, 'parked').map((one) => one.id)).toEqual([id]);
  return { key, id };
}

describe('parking', () => {
  test('is done after the idle time, when the data planes have let go, and said', async () => {
    const { key, id } = await parked('m');
    expect(toldOf(id)).toBe('dozing');
    const told = (await harness.events('ScaleDecided')).at(-1);
    expect(told?.why).toMatch(/^no instance and 1 parked: idle for .*then parked for 10m$/);
    expect(told?.data).toMatchObject({ decision: { desired: 0, parked: 1, reason: 'parked' } });
    expect(await harness.events('InstanceParked')).toMatchObject([{ data: { instance: id } }]);
    const view = await harness.control.useCases.getModel(ADMIN, 'default', 'm');
    expect(view.state).toBe('Parked');
    expect(await harness.control.metrics()).toContain('rouse_instances{state="parked"} 1');
    expect(key).toBe('default/m/00001');
  });

  test('a request wakes it in the same turn, and the data planes hear of it as of a new one', async () => {
    const { key, id } = await parked('m');
    const starts = (await harness.control.metrics()).match(/rouse_cold_starts_total\{.*/)?.[0];
    wake(key);
    expect(instances(key, 'ready').map((one) => one.id)).toEqual([id]);
    expect(harness.outlet.instances.get(id)).toMatchObject({
      state: 'ready',
      readyAt: harness.clock.now(),
    });
    const text = await harness.control.metrics();
    expect(text).toContain(starts);
    expect(text).toContain('rouse_cold_start_seconds_count{phase="start"} 3');
    const [before] = harness.outlet.models.values();
    expect(before?.revisions[0]?.coldStartSeconds).toBeGreaterThan(0);
  });

  test('sent a request while it dozes it goes on, and is in use like any other', async () => {
    const one = await parked('m');
    harness.clock.advance(1);
    rouse(one);
    expect(instances(one.key, 'ready')).toMatchObject([
      { id: one.id, origin: 'parked', readyAt: harness.clock.now() },
    ]);
    expect(toldOf(one.id)).toBe('ready');
    const told = (await harness.events('ScaleDecided')).at(-1);
    expect(told?.data).toMatchObject({ decision: { desired: 1, parked: 0 } });
    expect(await harness.control.metrics()).toContain(
      'rouse_cold_start_seconds_count{phase="start"} 3',
    );
    harness.load({ revision: one.key, arrivals: 1 });
    harness.load({});
    await harness.pass(62, letGo);
    expect(toldOf(one.id)).toBe('dozing');
    expect(harness.runtime.instances(one.key)).toHaveLength(1);
  });

  test('sent a request while it dozes it has its memory already, however little is left', async () => {
    const revision = program({ resources: { memory: '500Mi' } });
    const b = await deployed(harness, { revision, scaling: { min: 1 } }, 'b');
    const one = await parked('m');
    expect(instances(b, 'ready')).toHaveLength(1);
    rouse(one);
    await harness.pass(2);
    expect(instances(one.key, 'ready').map(({ id }) => id)).toEqual([one.id]);
    // 400 + 500 of 1000 have room together.
    expect(instances(b, 'ready')).toHaveLength(1);
    expect(await harness.events('WaitingForMemory')).toEqual([]);
  });

  test('its memory goes after ten seconds, when the data plane has let go of it', async () => {
    const { id } = await parked('m');
    await harness.pass(8);
    expect(toldOf(id)).toBe('dozing');
    harness.outlet.say({ type: 'closed', instance: id });
    await harness.pass(3);
    expect(toldOf(id)).toBe('parked');
    expect(harness.runtime.pagedOut).toEqual([]);
    letGo();
    letGo();
    expect(harness.runtime.pagedOut).toEqual([id]);
  });

  test('a request that was sent before the data plane heard of that keeps its memory', async () => {
    const one = await parked('m');
    await harness.pass(11);
    expect(toldOf(one.id)).toBe('parked');
    rouse(one);
    expect(toldOf(one.id)).toBe('ready');
    harness.outlet.say({ type: 'closed', instance: one.id });
    expect(harness.runtime.pagedOut).toEqual([]);
    expect(instances(one.key, 'ready')).toHaveLength(1);
  });

  test.each([
    ['while it dozes', 5],
    ['while the data plane may not know yet that it is to be asked for', 11],
  ])('deleted %s, it ends when the data plane has let go of it', async (_, seconds) => {
    const one = await parked('m');
    await harness.pass(seconds);
    await harness.control.useCases.deleteModel(ADMIN, 'default', 'm');
    await until('it is to end', () => toldOf(one.id) === 'draining');
    rouse(one);
    await harness.pass(1);
    expect(instances(one.key, 'draining')).toHaveLength(1);
    letGo();
    await until('it has gone', () => harness.runtime.instances(one.key).length === 0);
  });

  test('ends when its time is over', async () => {
    const { key } = await parked('m');
    await harness.pass(590, letGo);
    expect(instances(key, 'parked')).toHaveLength(1);
    await harness.pass(15, letGo);
    expect(harness.runtime.instances(key)).toEqual([]);
    const told = (await harness.events('ScaleDecided')).at(-1);
    expect(told?.data).toMatchObject({ decision: { desired: 0, parked: 0, reason: 'idle' } });
  });

  test('one that dies is noticed, and not replaced', async () => {
    const { key, id } = await parked('m');
    harness.runtime.crash(id);
    await harness.pass(5);
    expect(harness.runtime.instances(key)).toEqual([]);
    expect(await harness.events('InstanceFailed')).toMatchObject([{ data: { instance: id } }]);
    wake(key);
    await harness.pass(1);
    expect(instances(key, 'ready')).toHaveLength(1);
  });

  test('holds the memory that is left, and goes first when another one needs it', async () => {
    const [b, c] = [await deployed(harness, PARKS, 'b'), await deployed(harness, PARKS, 'c')];
    await harness.pass(1, letGo);
    const a = await parked('a');
    await harness.pass(11, letGo);
    harness.runtime.setMemory(a.id, 50 * MIB);
    const busy = (): void => {
      const quiet = { queued: 0, arrivals: 0, coldArrivals: 0, busySeconds: 0, coldSeconds: 0 };
      const load = { ...quiet, inFlight: 1, concurrency: 1 };
      const revisions = [
        { revision: b, ...load },
        { revision: c, ...load },
      ];
      harness.outlet.say({ type: 'load', at: harness.clock.now(), revisions });
    };
    wake(b);
    wake(c);
    await harness.pass(1, busy);
    // 50 + 400 + 400 of 1000: all have room.
    expect(instances(a.key, 'parked')).toHaveLength(1);
    expect([b, c].map((key) => instances(key, 'ready').length)).toEqual([1, 1]);
    // An instance of its own grows by what it does not hold yet: 350 more are too many.
    wake(a.key);
    expect(instances(a.key, 'parked')).toHaveLength(1);
    expect((await harness.events('WaitingForMemory')).at(-1)?.model).toBe('a');
    harness.outlet.leave();
    harness.load({ revision: b, inFlight: 1, concurrency: 1 });
    const d = await deployed(
      harness,
      { ...PARKS, revision: program({ resources: { memory: '180Mi' } }) },
      'd',
    );
    expect(harness.runtime.instances(a.key)).toEqual([]);
    expect(d).toBe('default/d/00001');
  });

  test.each([
    ['what is left was measured', () => {}],
    ['it may be sent to no more', (id: string) => harness.runtime.setMemory(id, 50 * MIB)],
  ])('holds all of its memory until %s', async (_, measure) => {
    const b = await deployed(
      harness,
      { revision: program({ resources: { memory: '700Mi' } }) },
      'b',
    );
    await harness.pass(1, letGo);
    const a = await parked('a');
    measure(a.id);
    wake(b);
    await harness.pass(2, letGo);
    // 400 + 700 of 1000 have no room together.
    expect(instances(a.key, 'parked')).toEqual([]);
    expect(instances(b, 'ready')).toHaveLength(1);
  });

  test('what is deleted is not parked', async () => {
    const { key } = await parked('m');
    await harness.control.useCases.deleteModel(ADMIN, 'default', 'm');
    await until('it has gone', () => {
      letGo();
      return harness.runtime.instances(key).length === 0;
    });
  });
});

describe('several data planes', () => {
  test('ask for what is parked, whose memory goes after ten seconds', async () => {
    await harness.close();
    harness = await createHarness({ onProcesses: (listener) => listener(['plane-1']) });
    const { key, id } = await parked('m');
    expect(toldOf(id)).toBe('parked');
    await harness.pass(8, letGo);
    expect(harness.runtime.pagedOut).toEqual([]);
    await harness.pass(3);
    expect(harness.runtime.pagedOut).toEqual([id]);
    wake(key);
    expect(instances(key, 'ready')).toHaveLength(1);
  });
});

describe('processes that stand by', () => {
  const kinds = (): string[] => harness.runtime.pool.views().map(({ runtime }) => runtime);

  async function deployFunction(name: string): Promise<void> {
    const source = await harness.upload(name);
    await harness.apply(
      { revision: { runtime: 'function', source }, keepAlive: PARKS.keepAlive },
      name,
    );
    await harness.pass(2, letGo);
  }

  test('are of the kinds that models use', async () => {
    await deployed(harness, {}, 'a');
    expect(kinds()).toEqual([]);
    await deployFunction('b');
    await until('functions stand by', () => kinds().join() === 'function');
    await deployFunction('c');
    await harness.control.useCases.deleteModel(ADMIN, 'default', 'b');
    expect(kinds()).toEqual(['function']);
    await harness.control.useCases.deleteModel(ADMIN, 'default', 'c');
    expect(kinds()).toEqual([]);
  });

  test('are counted, and end when an instance needs their memory', async () => {
    harness.runtime.pool.bytesEach = 300 * MIB;
    await deployFunction('f');
    await until('functions stand by', () => kinds().join() === 'function');
    const text = await harness.control.metrics();
    expect(text).toContain('rouse_pool_processes{runtime="function",state="idle"} 1');
    expect(text).toContain(`rouse_pool_memory_bytes{runtime="function"} ${300 * MIB}`);
    expect(text).toContain('rouse_pool_hits_total{runtime="function"} 3');
    expect(text).toContain('rouse_pool_misses_total{runtime="function",reason="empty"} 2');
    const [a, b] = [await deployed(harness, PARKS, 'a'), await deployed(harness, PARKS, 'b')];
    wake(a);
    await harness.pass(1);
    expect(kinds()).toEqual(['function']);
    wake(b);
    expect(kinds()).toEqual([]);
    expect(harness.runtime.instances(b)).toHaveLength(1);
    await harness.pass(40, letGo);
    expect(kinds()).toEqual([]);
    await harness.pass(700, letGo);
    expect(kinds()).toEqual(['function']);
  });
});
