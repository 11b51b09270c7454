import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ModelInput } from '#domain/model.ts';
import type { Instance } from '#runtime/runtime.ts';
import { until } from '#test/until.ts';
import { ADMIN, type Harness, MIB, createHarness, deployed, program, rest } from './harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(async () => {
  await harness.close();
});

const FIXED: ModelInput['spec'] = { keepAlive: { policy: 'fixed', idle: '60s' } };
const ONE_AT_A_TIME = { ...FIXED, revision: program({ concurrency: 1 }) };

function live(key: string): Instance[] {
  return harness.runtime.instances(key).filter((instance) => instance.state !== 'draining');
}

function wake(key: string, queued = 1): void {
  harness.outlet.say({ type: 'wake', revision: key, queued });
}

/** Whatever drains is let go by the data plane at once. */
function letGo(): void {
  for (const instance of harness.outlet.instances.values()) {
    if (instance.state === 'draining') {
      harness.outlet.say({ type: 'drained', instance: instance.id });
    }
  }
}

describe('waking', () => {
  test('a waiting request starts an instance in the same turn', async () => {
    const key = await deployed(harness);
    const orders = harness.runtime.orders.length;
    wake(key);
    expect(harness.runtime.orders.slice(orders)).toEqual([
      { revision: key, wanted: { min: 0, max: 4, desired: 1 } },
    ]);
    await harness.pass(1);
    const [instance] = live(key);
    expect(instance?.state).toBe('ready');
    expect(harness.outlet.instances.get(instance?.id ?? '')).toMatchObject({
      revision: key,
      state: 'ready',
      readyAt: instance?.readyAt,
    });
    const event = (await harness.events('ScaleDecided')).at(-1);
    expect(event?.why).toContain('1 waiting, 0 running on 0 ready');
    expect(event?.data).toMatchObject({ seen: { queued: 1 }, decision: { desired: 1 } });
  });

  test('many that wait start as many as they fill, up to max', async () => {
    const key = await deployed(harness, { revision: program({ concurrency: 10 }) });
    wake(key, 21);
    expect(live(key)).toHaveLength(3);
    wake(key, 500);
    expect(live(key)).toHaveLength(4);
  });

  test('waking what is unknown or not ready does nothing', async () => {
    const key = await deployed(harness);
    const orders = harness.runtime.orders.length;
    wake('default/nobody/00001');
    wake('default/m/00009');
    wake('nonsense');
    harness.load({ revision: 'default/nobody/00001', queued: 5 });
    await harness.pass(3);
    expect(harness.runtime.orders).toHaveLength(orders);
    expect(live(key)).toEqual([]);
  });

  test('nobody pays for the time that an unused model sleeps', async () => {
    await deployed(harness);
    await harness.pass(2);
    const events = (await harness.events()).length;
    await harness.pass(300);
    expect(await harness.events()).toHaveLength(events);
  });
});

describe('load', () => {
  test('more than the target for a while brings another instance; quiet takes it away', async () => {
    const key = await deployed(harness, { ...ONE_AT_A_TIME, scaling: { max: 3 } });
    wake(key);
    await harness.pass(1);
    expect(live(key)).toHaveLength(1);
    await harness.pass(10, () =>
      harness.load({ inFlight: 1, queued: 1, concurrency: 2, arrivals: 2 }),
    );
    expect(live(key)).toHaveLength(3);
    await harness.pass(200, () => {
      harness.load({ inFlight: 1, concurrency: 0.2, arrivals: 1 });
      letGo();
    });
    expect(live(key)).toHaveLength(1);
    const counts = harness.runtime.orders.map((order) => order.wanted.desired);
    expect(Math.max(...counts)).toBe(3);
  });

  test('what a decision was made of is told in numbers that can be read', async () => {
    const key = await deployed(harness, { ...ONE_AT_A_TIME, scaling: { max: 3 } });
    wake(key);
    await harness.pass(20, () => harness.load({ inFlight: 2, concurrency: 5 / 3, arrivals: 2 }));
    const events = await harness.events('ScaleDecided');
    const numbers = events.flatMap(({ data }) => Object.values(data?.['seen'] ?? {}));
    expect(numbers.some((value) => !Number.isInteger(value))).toBe(true);
    for (const value of numbers) expect(value).toBe(Math.round(value * 1000) / 1000);
  });

  test('a single caller, one request after the other, keeps one instance', async () => {
    const key = await deployed(harness, ONE_AT_A_TIME);
    wake(key);
    await harness.pass(1, () => harness.load({ queued: 1, concurrency: 1, arrivals: 1 }));
    await harness.pass(120, () => harness.load({ inFlight: 1, concurrency: 0.6, arrivals: 3 }));
    expect(Math.max(...harness.runtime.orders.map((order) => order.wanted.desired))).toBe(1);
    expect(live(key)).toHaveLength(1);
    // In use is one state: no event for every second with or without a request.
    expect((await harness.events('ScaleDecided')).length).toBeLessThanOrEqual(3);
  });

  test('the loads of several data planes add up; one that leaves counts no more', async () => {
    const key = await deployed(harness, { ...FIXED, revision: program({ concurrency: 10 }) });
    wake(key);
    await harness.pass(1);
    harness.load({ inFlight: 6, concurrency: 6, arrivals: 6 }, 'plane-1');
    harness.load({ inFlight: 6, concurrency: 6, arrivals: 6 }, 'plane-2');
    await harness.pass(7, () => {
      harness.load({ inFlight: 6, concurrency: 6 }, 'plane-1');
      harness.load({ inFlight: 6, concurrency: 6 }, 'plane-2');
    });
    expect(live(key)).toHaveLength(2);
    harness.outlet.leave('plane-2');
    harness.outlet.leave('plane-1');
    await harness.pass(70, letGo);
    expect(live(key)).toHaveLength(0);
  });
});

describe('idle', () => {
  test('the last goes when its idle time is over, not before', async () => {
    const key = await deployed(harness, FIXED);
    wake(key);
    await harness.pass(1);
    harness.load({ revision: key, arrivals: 1, busySeconds: 0.1 });
    await harness.pass(59);
    expect(live(key)).toHaveLength(1);
    await harness.pass(2);
    expect(live(key)).toHaveLength(0);
    letGo();
    await until('nothing is left', () => harness.runtime.instances().length === 0);
    const event = (await harness.events('ScaleDecided')).at(-1);
    expect(event?.why).toMatch(/^no instance: idle for 60(\.\d)?s, keep-alive is fixed 60s$/);
  });

  test('what proved a revision stays for its first request, for a minute, if its model is in use', async () => {
    const old = await deployed(harness, FIXED);
    expect(live(old)).toHaveLength(0);
    wake(old);
    await harness.pass(1);
    harness.load({ revision: old, arrivals: 1, busySeconds: 0.1 });
    const key = await deployed(harness, { ...FIXED, revision: program({ args: ['./next'] }) });
    expect(live(key)).toHaveLength(1);
    const event = (await harness.events('ScaleDecided')).at(-1);
    expect(event?.why).toContain('its model is in use: its first request is about to come');
    await harness.pass(57);
    expect(live(key)).toHaveLength(1);
    await harness.pass(10);
    expect(live(key)).toHaveLength(0);
  });

  test('control that comes back keeps what runs as if it was just used', async () => {
    const key = await deployed(harness, FIXED);
    wake(key);
    await harness.pass(1);
    const id = live(key)[0]?.id ?? '';
    await harness.pass(50);
    await harness.restartControl();
    await harness.pass(50, () => harness.runtime.setMemory(id, MIB));
    expect(live(key)).toHaveLength(1);
    await harness.pass(15);
    expect(live(key)).toHaveLength(0);
  });

  test('a short idle time holds even after a burst', async () => {
    const spec = {
      revision: program({ concurrency: 1 }),
      keepAlive: { policy: 'fixed', idle: '5s' },
    } as const;
    const key = await deployed(harness, spec);
    wake(key, 4);
    await harness.pass(2, () => harness.load({ inFlight: 4, concurrency: 4, arrivals: 4 }));
    expect(live(key)).toHaveLength(4);
    harness.load({});
    await harness.pass(7);
    expect(live(key)).toHaveLength(0);
  });

  test('a request in flight is not idle, however long it takes', async () => {
    const key = await deployed(harness, FIXED);
    wake(key);
    await harness.pass(1);
    await harness.pass(300, () => harness.load({ inFlight: 1, concurrency: 1 }));
    expect(live(key)).toHaveLength(1);
  });

  test('the last request is in the usage within a minute', async () => {
    const key = await deployed(harness, FIXED);
    wake(key);
    await harness.pass(1);
    harness.runtime.setMemory(live(key)[0]?.id ?? '', 100 * MIB);
    const counts = { arrivals: 3, coldArrivals: 1, busySeconds: 0.5, coldSeconds: 0.2 };
    harness.load({ revision: key, ...counts });
    await harness.pass(20);
    const range = { from: 0, to: Number.MAX_SAFE_INTEGER };
    const query = { namespace: 'default', model: 'm', ...range };
    const rows = await harness.control.useCases.usage(ADMIN, query);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject(counts);
    expect(rows[0]?.memoryByteSeconds).toBeGreaterThan(10 * 100 * MIB);
    harness.load({ revision: key, arrivals: 4 });
    await harness.control.close();
    const after = await harness.store.usage(query);
    expect(after.reduce((sum, row) => sum + row.arrivals, 0)).toBe(7);
  });
});

describe('draining', () => {
  async function drainOne(): Promise<{ key: string; id: string }> {
    const key = await deployed(harness, FIXED);
    wake(key);
    await harness.pass(1);
    harness.outlet.say({ type: 'load', at: 0, revisions: [] }, 'plane-2');
    const id = live(key)[0]?.id ?? '';
    harness.load({}, 'plane-1');
    await harness.pass(62);
    expect(harness.outlet.instances.get(id)?.state).toBe('draining');
    return { key, id };
  }

  const exists = (id: string): boolean => harness.runtime.instances().some((one) => one.id === id);

  test('goes only after every data plane has let go', async () => {
    const { id } = await drainOne();
    harness.outlet.say({ type: 'drained', instance: id }, 'plane-1');
    harness.outlet.say({ type: 'drained', instance: id }, 'plane-1');
    await rest();
    expect(exists(id)).toBe(true);
    harness.outlet.say({ type: 'drained', instance: id }, 'plane-2');
    await until('it is gone', () => !exists(id));
    expect(harness.outlet.instances.has(id)).toBe(false);
  });

  test('a data plane that leaves has let go', async () => {
    const { id } = await drainOne();
    harness.outlet.say({ type: 'drained', instance: id }, 'plane-1');
    harness.outlet.leave('plane-2');
    await until('it is gone', () => !exists(id));
  });

  test('one that comes back with requests in flight is waited for', async () => {
    const { id } = await drainOne();
    harness.outlet.leave('plane-2');
    harness.outlet.say({ type: 'load', at: 0, revisions: [] }, 'plane-2');
    harness.outlet.say({ type: 'drained', instance: id }, 'plane-1');
    await rest();
    expect(exists(id)).toBe(true);
    harness.outlet.say({ type: 'drained', instance: id }, 'plane-2');
    await until('it is gone', () => !exists(id));
  });

  test('a request that comes meanwhile gets a new instance', async () => {
    const { key, id } = await drainOne();
    wake(key);
    expect(live(key)).toHaveLength(1);
    expect(live(key)[0]?.id).not.toBe(id);
  });
});

describe('failures', () => {
  test('a crash is told and another takes its place while requests wait', async () => {
    const key = await deployed(harness, FIXED);
    wake(key);
    await harness.pass(1);
    const id = live(key)[0]?.id ?? '';
    harness.load({ revision: key, inFlight: 1, concurrency: 1, arrivals: 1 });
    harness.runtime.crash(id, 'ended by signal SIGKILL');
    expect(harness.outlet.instances.has(id)).toBe(false);
    await harness.pass(3, () => harness.load({ revision: key, queued: 1, concurrency: 1 }));
    expect(live(key).map((instance) => instance.state)).toEqual(['ready']);
    const [event] = await harness.events('InstanceFailed');
    expect(event).toMatchObject({ revision: '00001', why: 'ended by signal SIGKILL' });
  });

  test('what a start waits for is told, once for each reason', async () => {
    const key = await deployed(harness, FIXED);
    harness.runtime.holdStarts(key);
    wake(key);
    await harness.pass(1);
    const id = live(key)[0]?.id ?? '';
    const [none, less] = ['waits for room: no memory', 'waits for room: no cpu'];
    const routing = () => harness.outlet.models.get('default/m')?.revisions[0];
    for (const why of [none, none, less]) {
      harness.runtime.tellWaiting(id, why);
      expect(routing()?.waitingFor, 'callers are told').toBe(why);
    }
    const told = await harness.events('InstanceWaiting');
    expect(told.map(({ why }) => why).toSorted()).toEqual([less, none]);
    expect(told[0]).toMatchObject({ revision: '00001', data: { instance: id } });
    harness.runtime.letGo(key);
    await harness.pass(1);
    expect(routing()).not.toHaveProperty('waitingFor');
  });

  test('the first failed start is told, by one story to all who ask', async () => {
    const key = await deployed(harness, FIXED);
    harness.runtime.failStarts(key, 'exited with status 1');
    wake(key);
    await harness.pass(2);
    const told = harness.outlet.updates.flatMap(
      ({ models = [] }) => models[0]?.revisions[0]?.startFailure ?? [],
    );
    expect(told[0], 'callers are held on').toEqual({ message: 'exited with status 1', until: 0 });
    harness.load({});
    await harness.pass(70);
    const message =
      harness.outlet.models.get('default/m')?.revisions[0]?.startFailure?.message ?? 'none';
    const { useCases } = harness.control;
    const view = await useCases.getModel(ADMIN, 'default', 'm');
    const reason = `the last start failed: ${message}`;
    expect([view.state, view.revisions[0]?.value.reason]).toEqual(['Failed', reason]);
    expect((await harness.events('InstanceFailed')).at(-1)?.why).toContain(message);
  });

  test('a crash loop is told to callers, ends when they leave, and heals', async () => {
    const key = await deployed(harness, FIXED);
    harness.runtime.failStarts(key, 'exited with status 1');
    harness.runtime.onEvent((event) => {
      if (event.type !== 'instance' || event.instance.startedAt !== 0) return;
      harness.runtime.writeLog(event.instance.id, 'boom: token=s3cret');
    });
    wake(key);
    await harness.pass(15, () => harness.load({ revision: key, queued: 1, concurrency: 1 }));
    const routing = () => harness.outlet.models.get('default/m')?.revisions[0];
    expect(routing()?.startFailure?.message).toContain('exited with status 1');
    expect(routing()?.startFailure?.message).toMatch(/^exited with status 1.* in a row\)$/);
    expect((await harness.events('InstanceFailed'))[0]?.why).toContain('boom: token=s3cret');
    expect(routing()?.startFailure?.until).toBeGreaterThan(harness.clock.now() - 60_000);
    const failed = (await harness.events('InstanceFailed')).length;
    expect(failed).toBeLessThan(10);
    harness.load({});
    await harness.pass(120);
    const quiet = (await harness.events('InstanceFailed')).length;
    expect(quiet).toBeLessThanOrEqual(failed + 1);
    harness.runtime.failStarts(key, undefined);
    wake(key);
    await harness.pass(70, () => harness.load({ revision: key, queued: 1, concurrency: 1 }));
    expect(live(key).map((instance) => instance.state)).toEqual(['ready']);
    expect(routing()?.startFailure).toBeUndefined();
  });

  test('what is suspected again and again is replaced; once is not enough', async () => {
    const key = await deployed(harness, FIXED);
    wake(key);
    await harness.pass(1);
    const instance = live(key)[0]?.id ?? '';
    const suspect = (): void =>
      harness.outlet.say({ type: 'suspect', instance, reason: 'refused a connection' });
    suspect();
    suspect();
    await rest();
    expect(harness.runtime.orders.some((order) => order.wanted.replace)).toBe(false);
    await harness.pass(40, () => harness.load({ revision: key, inFlight: 1, concurrency: 1 }));
    suspect();
    suspect();
    expect(harness.runtime.orders.some((order) => order.wanted.replace)).toBe(false);
    suspect();
    expect(harness.runtime.orders.at(-1)?.wanted).toMatchObject({
      desired: 1,
      replace: [instance],
    });
    const types = (await harness.events()).map((event) => event.type);
    expect(types.filter((type) => type === 'InstanceGivenUp')).toHaveLength(1);
    suspect();
    harness.outlet.say({ type: 'suspect', instance: 'nobody', reason: 'x' });
  });

  test('what hangs is replaced at once', async () => {
    const key = await deployed(harness, FIXED);
    wake(key);
    await harness.pass(1);
    const instance = live(key)[0]?.id ?? '';
    harness.outlet.say({ type: 'suspect', instance, reason: 'no answer within 300s', hangs: true });
    await rest();
    expect(harness.runtime.orders.at(-1)?.wanted).toMatchObject({ replace: [instance] });
    const given = (await harness.events()).find((event) => event.type === 'InstanceGivenUp');
    expect(given?.why).toMatch(/answers no request.*no answer within 300s/);
  });
});

describe('memory', () => {
  const big = { revision: program({ resources: { memory: '400Mi' } }), ...FIXED };

  test('idle ones go for one that is needed, the longest idle first', async () => {
    const [a, b, c] = [
      await deployed(harness, big, 'a'),
      await deployed(harness, big, 'b'),
      await deployed(harness, big, 'c'),
    ];
    wake(a);
    await harness.pass(1);
    wake(b);
    await harness.pass(1, () => harness.load({ revision: b, arrivals: 1 }));
    wake(c);
    expect(live(c)).toEqual([]);
    expect(live(a)).toEqual([]);
    expect(live(b)).toHaveLength(1);
    const [waiting] = await harness.events('WaitingForMemory');
    expect(waiting?.why).toBe(
      `1 instance of 400Mi asked for, 800Mi of 1000Mi in use; the idle that are least worth it go first: ${a}`,
    );
    const evicted = (await harness.events('ScaleDecided')).at(-1);
    expect(evicted).toMatchObject({ model: 'a' });
    expect(evicted?.why).toContain(`idle, and ${c} needs the memory`);
    // No more than an order to sleep: `max` 0 would have the runtime forget what it has prepared.
    const order = harness.runtime.orders.findLast(({ revision }) => revision === a);
    expect(order?.wanted).toEqual({ min: 0, max: 4, desired: 0, patient: true });
    letGo();
    await until('c has its place', () => live(c).length === 1);
    await harness.pass(1);
    expect(live(c)[0]?.state).toBe('ready');
  });

  test('busy ones and floors stay; whoever waits is served when memory is free', async () => {
    const a = await deployed(harness, big, 'a');
    const b = await deployed(harness, { ...big, scaling: { min: 1 } }, 'b');
    const c = await deployed(harness, big, 'c');
    wake(a);
    await harness.pass(1);
    wake(c);
    const loads = () => {
      const idle = { queued: 0, arrivals: 0, coldArrivals: 0, busySeconds: 0, coldSeconds: 0 };
      const revisions = [
        { revision: a, ...idle, inFlight: 1, concurrency: 1 },
        { revision: c, ...idle, inFlight: 0, queued: 1, concurrency: 1 },
      ];
      harness.outlet.say({ type: 'load', at: harness.clock.now(), revisions });
    };
    await harness.pass(4, loads);
    expect([live(a), live(b), live(c)].map((list) => list.length)).toEqual([1, 1, 0]);
    expect(await harness.events('WaitingForMemory')).toHaveLength(1);
    harness.load({ revision: c, queued: 1, concurrency: 1 });
    letGo();
    await harness.pass(1, letGo);
    expect([live(a), live(b), live(c)].map((list) => list.length)).toEqual([0, 1, 1]);
  });

  test('what can never fit is told to callers', async () => {
    const huge = program({ resources: { memory: '4Gi' } });
    const key = await deployed(harness, { revision: huge, scaling: { initial: 0 } });
    wake(key);
    await rest();
    const revision = harness.outlet.models.get('default/m')?.revisions[0];
    expect(revision?.startFailure?.message).toContain('it can never fit');
    const updates = harness.outlet.updates.length;
    await harness.pass(5, () => harness.load({ revision: key, queued: 1 }));
    expect(harness.outlet.updates.length).toBeLessThanOrEqual(updates + 1);
    expect(harness.runtime.instances()).toEqual([]);
  });
});

test('the metrics count starts, decisions, instances and phases', async () => {
  const key = await deployed(harness);
  wake(key);
  await harness.pass(1);
  const text = await harness.control.metrics();
  expect(text).toContain(
    'rouse_cold_starts_total{namespace="default",model="m",revision="00001"} 2',
  );
  expect(text).toContain('rouse_instances{state="ready"} 1');
  expect(text).toContain('rouse_cold_start_seconds_count{phase="load"} 2');
  expect(text).toContain('rouse_policy_decisions_total{policy="use",decision="up"} 1');
  await harness.control.useCases.deleteModel(ADMIN, 'default', 'm');
  expect(await harness.control.metrics()).not.toContain('model="m"');
});
