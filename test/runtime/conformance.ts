import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createControlMetrics } from '#control/metrics.ts';
import type { RevisionSpecInput, RuntimeName } from '#domain/model.ts';
import type {
  Instance,
  PoolView,
  Runtime,
  RuntimeEvent,
  Wanted,
  Workload,
} from '#runtime/runtime.ts';
import { until } from '#test/until.ts';

/** Of `test/until.ts`, where it is imported from. */
export { until } from '#test/until.ts';

/** What a test workload does. `broken` ends at its start until `repair`; `mute` never gets ready. */
export type Behaviour = 'sound' | 'broken' | 'mute' | 'stubborn' | 'hungry';

/** A runtime to be tried, on a clock that only `advance` moves, and the means to disturb it. */
export interface RuntimeHarness {
  readonly runtime: Runtime;
  /** A revision of this behaviour; prepared by the test. */
  workload(behaviour: Behaviour, spec?: Partial<RevisionSpecInput>): Promise<Workload>;
  /** A revision of runtime `url`. */
  urlWorkload(): Workload;
  /** Of the kind of its workloads so many stand by at most, and do when a test begins; absent: none do. */
  readonly standby?: { readonly runtime: RuntimeName; readonly limit: number };
  /** From now on starts of a `broken` one succeed. */
  repair(workload: Workload): Promise<void>;
  /** Deletes what the workload's artifact was made from. */
  loseOriginal(workload: Workload): Promise<void>;
  /** Ends an instance from outside, as a crash would. */
  crash(instanceId: string): Promise<void>;
  now(): number;
  /** When it resolves, what this brought about at once has been told. */
  advance(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** Processes are looked at every few seconds of it: an hour of such looks takes a busy machine a minute. */
const TWICE_THE_LONGEST_WAIT_MS = 120_000;

export function wanted(desired: number, max = 10): Wanted {
  return { min: 0, max, desired };
}

/**
 * The suite that makes an implementation a `Runtime`. `skips` are tests that cannot be asked of it, with the reason.
 */
export function testRuntime(
  name: string,
  create: () => Promise<RuntimeHarness>,
  skips: Readonly<Record<string, string>> = {},
): void {
  describe(`runtime ${name}`, () => {
    let harness: RuntimeHarness;
    let runtime: Runtime;
    let events: RuntimeEvent[];
    const skipped = new Set<string>();

    beforeEach((context) => {
      const why = skips[context.task.name];
      if (why !== undefined) skipped.add(context.task.name);
      context.skip(why !== undefined, why);
    });
    beforeEach(async () => {
      harness = await create();
      runtime = harness.runtime;
      events = [];
      runtime.onEvent((event) => events.push(event));
    });
    afterEach(async () => {
      await runtime.close(0);
      await harness.close();
    });
    afterAll(() => {
      expect(Array.from(skipped).toSorted()).toEqual(Object.keys(skips).toSorted());
    });

    async function prepared(
      behaviour: Behaviour,
      spec: Partial<RevisionSpecInput> = {},
    ): Promise<Workload> {
      const workload = await harness.workload(behaviour, spec);
      await runtime.prepare(workload);
      return workload;
    }

    function inState(state: Instance['state'], revision?: string): readonly Instance[] {
      return runtime.instances(revision).filter((instance) => instance.state === state);
    }

    async function ready(count: number, workload: Workload): Promise<readonly Instance[]> {
      await until(`${count} ready`, () => inState('ready', workload.key).length === count);
      return inState('ready', workload.key);
    }

    async function started(workload: Workload, count = 1): Promise<readonly Instance[]> {
      await runtime.want(workload, wanted(count));
      return ready(count, workload);
    }

    const gone = (): Promise<void> =>
      until('nothing is left', () => runtime.instances().length === 0);

    /** So many are left in all, when what drains is released. */
    const left = (count: number): Promise<void> =>
      until(`${count} in all`, () => {
        for (const instance of inState('draining')) runtime.release(instance.id);
        return runtime.instances().length === count;
      });

    const metrics = (): Promise<string> => createControlMetrics(runtime, () => false).text();

    function ended(type: 'stopped' | 'failed'): RuntimeEvent[] {
      return events.filter((event) => event.type === type);
    }

    function failures(): Extract<RuntimeEvent, { type: 'failed' }>[] {
      return events.filter((event) => event.type === 'failed');
    }

    test('starts nothing when nothing is wanted', async () => {
      const workload = await prepared('sound');
      await runtime.want(workload, wanted(0));
      await harness.advance(120_000);
      expect(runtime.instances()).toEqual([]);
      expect(events).toEqual([]);
    });

    test('gives exactly the number that is desired', async () => {
      const workload = await prepared('sound');
      for (const count of [2, 3, 1]) {
        await runtime.want(workload, wanted(count));
        await left(count);
        await ready(count, workload);
      }
    });

    test('tells the life of an instance: starting without an address, then ready with one', async () => {
      const workload = await prepared('sound');
      const [instance] = await started(workload);
      const states = events.flatMap((event) =>
        event.type === 'instance' ? [event.instance.state] : [],
      );
      expect(states[0]).toBe('starting');
      expect(states.at(-1)).toBe('ready');
      for (const event of events) {
        const hasAddress = event.instance.address !== undefined;
        expect(hasAddress).toBe(event.instance.state === 'ready');
      }
      expect(instance?.revision).toBe(workload.key);
      expect(instance?.askedAt).toBeGreaterThan(0);
      expect(instance?.startedAt).toBeGreaterThanOrEqual(instance?.askedAt ?? Infinity);
      expect(instance?.readyAt).toBeGreaterThanOrEqual(instance?.startedAt ?? Infinity);
    });

    test('lists the instances of one revision, or of all', async () => {
      const one = await prepared('sound');
      const two = await prepared('sound');
      await started(one);
      await started(two, 2);
      expect(runtime.instances(one.key)).toHaveLength(1);
      expect(runtime.instances(two.key)).toHaveLength(2);
      expect(runtime.instances()).toHaveLength(3);
      expect(runtime.instances('default/unknown/v1')).toEqual([]);
      const ids = runtime.instances().map((instance) => instance.id);
      expect(new Set(ids).size).toBe(3);
    });

    test('converges on the last of several orders', async () => {
      const workload = await prepared('sound');
      for (const count of [1, 0, 3, 0, 2]) await runtime.want(workload, wanted(count));
      await ready(2, workload);
      await left(2);
    });

    test('the same order again changes nothing', async () => {
      const workload = await prepared('sound');
      const [first] = await started(workload);
      await runtime.want(workload, wanted(1));
      await runtime.prepare(workload);
      expect(runtime.instances().map((instance) => instance.id)).toEqual([first?.id]);
    });

    test('a draining instance stays until it is released', async () => {
      const workload = await prepared('sound', { timeouts: { drain: '30s' } });
      const [instance] = await started(workload);
      await runtime.want(workload, wanted(0));
      await harness.advance(29_000);
      expect(inState('draining').map(({ id }) => id)).toEqual([instance?.id]);
      expect(ended('stopped')).toEqual([]);
      runtime.release(instance?.id ?? '');
      await gone();
      expect(ended('stopped').map((event) => event.instance.id)).toEqual([instance?.id]);
      expect(ended('failed')).toEqual([]);
    });

    test('a draining instance is stopped when its drain time is over', async () => {
      const workload = await prepared('sound', { timeouts: { drain: '5s' } });
      await started(workload);
      await runtime.want(workload, wanted(0));
      await harness.advance(5000);
      await gone();
      expect(ended('stopped')).toHaveLength(1);
    });

    test('one that is dismissed with patience drains for as long as it takes, unless nothing shall run', async () => {
      const workload = await prepared('sound', { timeouts: { drain: '5s' } });
      const [instance] = await started(workload);
      await runtime.want(workload, { ...wanted(0), patient: true });
      await harness.advance(20_000);
      await runtime.want(workload, wanted(0));
      await harness.advance(20_000);
      expect(inState('draining').map(({ id }) => id)).toEqual([instance?.id]);
      await runtime.want(workload, { ...wanted(0), max: 0 });
      await harness.advance(5000);
      await gone();
      expect(ended('stopped')).toHaveLength(1);
    });

    test('what ignores SIGTERM is ended by force after the drain time', async () => {
      const workload = await prepared('stubborn', { timeouts: { drain: '5s' } });
      const [instance] = await started(workload);
      await runtime.want(workload, wanted(0));
      runtime.release(instance?.id ?? '');
      await harness.advance(4000);
      expect(inState('draining')).toHaveLength(1);
      await harness.advance(1000);
      await gone();
      expect(ended('stopped')).toHaveLength(1);
    });

    test('a draining instance never comes back', async () => {
      const workload = await prepared('sound');
      const [old] = await started(workload);
      await runtime.want(workload, wanted(0));
      await until('it drains', () => inState('draining').length === 1);
      const [fresh] = await started(workload);
      expect(fresh?.id).not.toBe(old?.id);
      expect(inState('draining').map(({ id }) => id)).toEqual([old?.id]);
    });

    test('an instance that is to be replaced drains, and another one takes its place', async () => {
      const workload = await prepared('sound');
      const [old] = await started(workload);
      await runtime.want(workload, { ...wanted(1), replace: [old?.id ?? '', 'nobody'] });
      await until('another one is ready', () => inState('ready').some(({ id }) => id !== old?.id));
      expect(inState('ready')).toHaveLength(1);
      expect(inState('draining').map(({ id }) => id)).toEqual([old?.id]);
    });

    test('release of what does not drain, or does not exist, does nothing', async () => {
      const workload = await prepared('sound');
      const [instance] = await started(workload);
      runtime.release(instance?.id ?? '');
      runtime.release('nobody');
      await harness.advance(60_000);
      expect(inState('ready').map(({ id }) => id)).toEqual([instance?.id]);
    });

    test('those that start go before those that are ready', async () => {
      const workload = await prepared('sound');
      const [first] = await started(workload);
      const orders = [3, 1].map((count) => runtime.want(workload, wanted(count)));
      await Promise.all(orders);
      await until('one in all', () => runtime.instances().length === 1);
      expect(runtime.instances()[0]?.id).toBe(first?.id);
      expect(ended('failed')).toEqual([]);
    });

    test('a crash is told with its reason, and the instance is replaced', async () => {
      const workload = await prepared('sound');
      const [instance] = await started(workload);
      await harness.advance(60_000);
      await harness.crash(instance?.id ?? '');
      await until('the crash is told', () => failures().length === 1);
      const [failure] = failures();
      expect(failure?.instance.id).toBe(instance?.id);
      expect(failure?.reason).toContain('SIGKILL');
      expect(failure?.failures).toBe(0);
      const [next] = await ready(1, workload);
      expect(next?.id).not.toBe(instance?.id);
    });

    test('failed starts are counted, wait longer each time, and never before retryAt', async () => {
      const workload = await prepared('broken');
      await runtime.want(workload, wanted(1));
      const waits: number[] = [];
      for (let n = 1; n <= 12; n++) {
        await until(`failure ${n}`, () => failures().length === n);
        const failure = failures()[n - 1];
        expect(failure?.failures).toBe(n);
        const wait = (failure?.retryAt ?? 0) - harness.now();
        waits.push(wait);
        await harness.advance(wait - 1);
        expect(runtime.instances()).toEqual([]);
        await harness.advance(1);
      }
      expect(waits.slice(0, 4)).toEqual([100, 200, 400, 800]);
      expect(waits.slice(-2)).toEqual([60_000, 60_000]);
    });

    test('a failed revision is tried one instance at a time, and recovers whole', async () => {
      const workload = await prepared('broken');
      await runtime.want(workload, wanted(3));
      await until('three failures', () => failures().length === 3);
      expect(failures().map((failure) => failure.failures)).toEqual([1, 2, 3]);
      await harness.advance(100);
      await until('one more failure', () => failures().length === 4);
      expect(new Set(events.map(({ instance }) => instance.id)).size).toBe(4);
      await harness.repair(workload);
      await harness.advance(200);
      await ready(3, workload);
      expect(failures()).toHaveLength(4);
    });

    test('a start that fails is not tried again when nothing is wanted', async () => {
      const workload = await prepared('broken');
      await runtime.want(workload, wanted(1));
      await until('a failure', () => failures().length === 1);
      await runtime.want(workload, wanted(0));
      await harness.advance(TWICE_THE_LONGEST_WAIT_MS);
      expect(runtime.instances()).toEqual([]);
      expect(failures()).toHaveLength(1);
    });

    test('what crashes again and again soon after it was ready waits, too', async () => {
      const workload = await prepared('sound');
      await runtime.want(workload, wanted(1));
      const waits: number[] = [];
      for (let n = 0; n < 4; n++) {
        const [instance] = await ready(1, workload);
        await harness.crash(instance?.id ?? '');
        await until('the crash is told', () => failures().length === n + 1);
        waits.push((failures()[n]?.retryAt ?? 0) - harness.now());
        expect(failures()[n]?.failures).toBe(0);
        await harness.advance(waits[n] ?? 0);
      }
      expect(waits).toEqual([100, 200, 400, 800]);
    });

    test('an instance that ran soundly is replaced at once, whatever was before', async () => {
      const workload = await prepared('broken');
      await runtime.want(workload, wanted(1));
      await until('a failure', () => failures().length === 1);
      await harness.repair(workload);
      await harness.advance(100);
      const [instance] = await ready(1, workload);
      await harness.advance(60_000);
      await harness.crash(instance?.id ?? '');
      await until('the crash is told', () => failures().length === 2);
      expect(failures()[1]?.retryAt).toBe(harness.now());
      await ready(1, workload);
    });

    test('what never gets ready is ended when its time is over', async () => {
      const workload = await prepared('mute', { readiness: { timeout: '60s' } });
      await runtime.want(workload, wanted(1));
      await until('it runs', () => (runtime.instances()[0]?.startedAt ?? 0) > 0);
      await harness.advance(59_999);
      expect(inState('starting')).toHaveLength(1);
      await harness.advance(1);
      await until('a failure', () => failures().length === 1);
      expect(failures()[0]?.reason).toMatch(/^not ready within 60s/);
      expect(failures()[0]?.failures).toBe(1);
    });

    test('what passes its memory limit is ended, with both numbers', async () => {
      const workload = await prepared('hungry', { resources: { limits: { memory: '96Mi' } } });
      // Ready first: of the time that passes below, much more than its readiness may take.
      await started(workload);
      await until('a failure', async () => {
        await harness.advance(2000);
        return failures().length > 0;
      });
      expect(failures()[0]?.reason).toMatch(/^used [0-9.]+[MG]i of memory, its limit is 96Mi$/);
    });

    test('one revision that fails does not disturb another', async () => {
      const sound = await prepared('sound');
      const broken = await prepared('broken');
      await started(sound);
      await runtime.want(broken, wanted(2));
      await until('failures', () => failures().length >= 2);
      expect(inState('ready', sound.key)).toHaveLength(1);
    });

    test('a prepared revision starts when the original is gone', async () => {
      const workload = await prepared('sound');
      await harness.loseOriginal(workload);
      await started(workload);
      await runtime.want(workload, wanted(0));
      await left(0);
      await started(workload);
    });

    test('an address that already runs is one ready instance, until there shall be none at most', async () => {
      const workload = harness.urlWorkload();
      await runtime.prepare(workload);
      const [instance] = await ready(1, workload);
      expect(instance?.address).toBeDefined();
      await runtime.want(workload, wanted(3));
      await runtime.want(workload, wanted(0));
      expect(inState('ready').map(({ id }) => id)).toEqual([instance?.id]);
      await runtime.want(workload, wanted(0, 0));
      runtime.release(instance?.id ?? '');
      await gone();
    });

    test('a listener that throws, or gives orders, disturbs nobody', async () => {
      const workload = await prepared('sound');
      runtime.onEvent(() => {
        throw new Error('a listener of a test');
      });
      runtime.onEvent((event) => {
        if (event.type === 'instance' && event.instance.state === 'starting') {
          void runtime.want(workload, wanted(1));
        }
      });
      await runtime.want(workload, wanted(3));
      // Some may have become ready before the order of the listener came: they drain.
      await left(1);
      await ready(1, workload);
    });

    describe('parking', () => {
      beforeEach((context) => {
        context.skip(!runtime.capabilities.parks, `${name} cannot park`);
      });

      const parking = (parked: number, desired = 0): Wanted => ({ ...wanted(desired), parked });

      async function parked(workload: Workload, count = 1): Promise<readonly Instance[]> {
        await started(workload, count);
        await runtime.want(workload, parking(count));
        for (const { id } of inState('parking')) runtime.release(id);
        await harness.advance(0);
        expect(inState('parked', workload.key)).toHaveLength(count);
        return inState('parked', workload.key);
      }

      test('what is too many is parked when it is released, and is ready again when it is wanted', async () => {
        const workload = await prepared('sound');
        const [instance] = await started(workload);
        await runtime.want(workload, parking(1));
        expect(inState('parking').map(({ id }) => id)).toEqual([instance?.id]);
        await harness.advance(1000);
        runtime.release(instance?.id ?? '');
        await harness.advance(0);
        expect(inState('parked')).toMatchObject([{ id: instance?.id, parkedAt: harness.now() }]);
        await harness.advance(TWICE_THE_LONGEST_WAIT_MS);
        await runtime.want(workload, parking(1, 1));
        const [again] = inState('ready');
        expect(again).toEqual({
          ...instance,
          origin: 'parked',
          askedAt: harness.now(),
          startedAt: harness.now(),
          readyAt: harness.now(),
          memoryBytes: again?.memoryBytes,
          cpuSeconds: again?.cpuSeconds,
          measuredAt: again?.measuredAt,
        });
        expect(runtime.instances()).toHaveLength(1);
        expect(ended('stopped')).toEqual([]);
        expect(failures()).toEqual([]);
      });

      test('no more are parked than allowed, and those that are go when they are not', async () => {
        const workload = await prepared('sound');
        await started(workload, 3);
        await runtime.want(workload, parking(2));
        expect(inState('parking')).toHaveLength(2);
        for (const { id } of runtime.instances()) runtime.release(id);
        await until('two are left', () => runtime.instances().length === 2);
        expect(inState('parked')).toHaveLength(2);
        expect(await metrics()).toContain('rouse_instances{state="parked"} 2');
        await runtime.want(workload, wanted(0));
        expect(inState('parked')).toEqual([]);
        expect(inState('draining')).toHaveLength(2);
        for (const { id } of runtime.instances()) runtime.release(id);
        await gone();
        expect(ended('stopped')).toHaveLength(3);
        expect(failures()).toEqual([]);
      });

      test('one that is resumed is ready without an order, and parked again by the next that does not want it', async () => {
        const workload = await prepared('sound');
        const [instance] = await parked(workload);
        runtime.resume(instance?.id ?? '');
        await harness.advance(0);
        expect(inState('ready')).toMatchObject([{ id: instance?.id, origin: 'parked' }]);
        runtime.resume(instance?.id ?? '');
        await runtime.want(workload, parking(1));
        expect(inState('parking')).toMatchObject([{ id: instance?.id }]);
        runtime.resume(instance?.id ?? '');
        runtime.release(instance?.id ?? '');
        await harness.advance(0);
        expect(inState('parked')).toMatchObject([{ id: instance?.id }]);
        expect(runtime.instances()).toHaveLength(1);
      });

      test('more than what is parked is started besides', async () => {
        const workload = await prepared('sound');
        const [instance] = await parked(workload);
        await runtime.want(workload, parking(0, 2));
        expect(inState('ready').map(({ id }) => id)).toContain(instance?.id);
        await ready(2, workload);
        expect(inState('ready').map(({ origin }) => origin)).toContain('parked');
      });

      test('wanted before it is parked, one is ready as soon as it is', async () => {
        const workload = await prepared('sound');
        const [instance] = await started(workload);
        await runtime.want(workload, parking(1));
        await runtime.want(workload, parking(1, 1));
        expect(inState('parking').map(({ id }) => id)).toEqual([instance?.id]);
        runtime.release(instance?.id ?? '');
        await harness.advance(0);
        expect(inState('ready')).toHaveLength(1);
        await until('no start is left', () => inState('starting').length === 0);
        expect(inState('ready')).toHaveLength(1);
        expect(failures()).toEqual([]);
      });

      test('one that is being parked goes when nothing may be parked any more', async () => {
        const workload = await prepared('sound');
        const [instance] = await started(workload);
        await runtime.want(workload, parking(1));
        await runtime.want(workload, wanted(0));
        expect(inState('parking')).toEqual([]);
        runtime.release(instance?.id ?? '');
        await gone();
        expect(ended('stopped')).toHaveLength(1);
      });

      test('one that finishes nothing within its drain time is not parked, but ended', async () => {
        const workload = await prepared('sound', { timeouts: { drain: '5s' } });
        await started(workload);
        await runtime.want(workload, parking(1));
        await harness.advance(4999);
        expect(inState('parking')).toHaveLength(1);
        await harness.advance(1);
        await gone();
        expect(ended('stopped')).toHaveLength(1);
      });

      test('one that dies while it is parked is told, and not replaced', async () => {
        const workload = await prepared('sound');
        const [instance] = await parked(workload);
        await harness.crash(instance?.id ?? '');
        await until('its end is told', () => failures().length === 1);
        expect(failures()[0]?.instance).toMatchObject({ id: instance?.id, state: 'parked' });
        await harness.advance(60_000);
        expect(runtime.instances()).toEqual([]);
        await started(workload);
      });

      test('that some die while they are parked says nothing of their revision: the next starts at once', async () => {
        const workload = await prepared('sound');
        for (const { id } of await parked(workload, 2)) await harness.crash(id);
        await until('their ends are told', () => failures().length === 2);
        for (const { failures: strikes, retryAt } of failures()) {
          expect({ strikes, retryAt }).toEqual({ strikes: 0, retryAt: harness.now() });
        }
        await runtime.want(workload, wanted(1));
        expect(runtime.instances()).toHaveLength(1);
        await ready(1, workload);
      });

      test('close ends what is parked', async () => {
        const workload = await prepared('sound');
        await parked(workload, 2);
        await runtime.close(3000);
        expect(runtime.instances()).toEqual([]);
        expect(ended('stopped')).toHaveLength(2);
      });
    });

    describe('processes that stand by', () => {
      let limit: number;
      beforeEach((context) => {
        context.skip(harness.standby === undefined, `${name} has none`);
        limit = harness.standby?.limit ?? 0;
      });

      function view(): PoolView {
        const found = runtime.pool?.views().find((one) => one.runtime === harness.standby?.runtime);
        if (!found) throw new Error('nothing is told of them');
        return found;
      }

      const standBy = (count: number): Promise<void> =>
        until(`${count} stand by`, () => view().idle === count);

      test('are as many as may be, however much time passes, and are told with their memory', async () => {
        expect(view()).toMatchObject({ starting: 0, idle: limit, hits: 0, misses: {} });
        await harness.advance(TWICE_THE_LONGEST_WAIT_MS);
        expect(view()).toMatchObject({ starting: 0, idle: limit });
        expect(view().memoryBytes).toBeGreaterThan(0);
        const labels = `runtime="${view().runtime}"`;
        const text = await metrics();
        expect(text).toContain(`rouse_pool_processes{${labels},state="idle"} ${limit}\n`);
        expect(text).toMatch(new RegExp(`^rouse_pool_memory_bytes\\{${labels}\\} [1-9]`, 'm'));
        expect(runtime.instances()).toEqual([]);
      });

      test('are used up by as many starts, which are counted, and replaced when all have started', async () => {
        const workload = await prepared('sound');
        const all = await started(workload, limit + 2);
        expect(all.filter(({ origin }) => origin === 'pool')).toHaveLength(limit);
        expect(view()).toMatchObject({ hits: limit, misses: { empty: 2 } });
        const labels = `runtime="${view().runtime}"`;
        const text = await metrics();
        expect(text).toContain(`rouse_pool_hits_total{${labels}} ${limit}\n`);
        expect(text).toContain(`rouse_pool_misses_total{${labels},reason="empty"} 2\n`);
        await harness.advance(1000);
        await standBy(limit);
        expect(runtime.instances()).toHaveLength(limit + 2);
      });

      test('end when their kind is not kept, and come back when it is', async () => {
        runtime.pool?.keep([]);
        expect(view()).toMatchObject({ starting: 0, idle: 0, memoryBytes: 0 });
        const [instance] = await started(await prepared('sound'));
        expect(instance?.origin).toBe('fresh');
        runtime.pool?.keep([view().runtime]);
        await harness.advance(1000);
        await standBy(limit);
      });

      test('end at close', async () => {
        await runtime.close(0);
        expect(view()).toMatchObject({ starting: 0, idle: 0, memoryBytes: 0 });
        await harness.advance(TWICE_THE_LONGEST_WAIT_MS);
        expect(view()).toMatchObject({ starting: 0, idle: 0 });
      });
    });

    test('close ends everything, and nothing starts after it', async () => {
      const sound = await prepared('sound');
      const stubborn = await prepared('stubborn');
      await started(sound, 2);
      await started(stubborn);
      const closing = runtime.close(3000);
      await until('the willing are gone', () => runtime.instances().length === 1);
      await harness.advance(3000);
      await closing;
      expect(runtime.instances()).toEqual([]);
      expect(ended('stopped')).toHaveLength(3);
      await runtime.want(sound, wanted(1));
      await harness.advance(1000);
      expect(runtime.instances()).toEqual([]);
    });
  });
}
