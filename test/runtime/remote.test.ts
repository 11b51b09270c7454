import { MessageChannel } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import { silentLog } from '#lib/log.ts';
import { createRemoteRuntime } from '#runtime/remote.ts';
import { createRuntimeHost, type RuntimeHost } from '#runtime/remote-host.ts';
import type { Runtime, RuntimeEvent, RuntimeTasks } from '#runtime/runtime.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { until } from '#test/until.ts';
import { testRuntime, wanted } from './conformance.ts';
import { createFakeHarness } from './fake-harness.ts';
import { createPortChannel } from './port-channel.ts';

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** Longer than a message takes, so that several orders reach an instance that starts. */
const START_MS = 50;

async function borrowFrom(host: RuntimeHost): Promise<{ runtime: Runtime; die: () => void }> {
  const { port1, port2 } = new MessageChannel();
  ends.push(() => port2.close());
  host.serve(createPortChannel(port1));
  const channel = createPortChannel(port2);
  return {
    runtime: await createRemoteRuntime({ channel, log: silentLog }),
    die: () => port2.close(),
  };
}

/** A runtime, and how others get at it: each borrower by a channel of its own. */
function createLender() {
  const harness = createFakeHarness({ soon: (run) => void setTimeout(run, START_MS) });
  const host = createRuntimeHost({ runtime: harness.runtime, clock: systemClock });
  return { harness, borrow: () => borrowFrom(host) };
}

testRuntime('remote', async () => {
  const { harness, borrow } = createLender();
  const { runtime } = await borrow();
  return {
    ...harness,
    runtime,
    async advance(ms) {
      // A question and its answer: what was said before has arrived.
      await runtime.logs('default/nobody/v1', 1);
      await harness.advance(ms);
      await runtime.logs('default/nobody/v1', 1);
    },
  };
});

test('a borrower that dies leaves the orders standing, and the next one is told what runs', async () => {
  const { harness, borrow } = createLender();
  const first = await borrow();
  const workload = await harness.workload('sound');
  await first.runtime.prepare(workload);
  await first.runtime.want(workload, wanted(2));
  await until('two are ready', () =>
    first.runtime.instances().every(({ state }) => state === 'ready'),
  );
  const before = first.runtime.instances();
  first.die();
  harness.runtime.crash(before[0]?.id ?? '');
  await harness.advance(100);
  expect(harness.runtime.instances()).toHaveLength(2);

  const second = await borrow();
  expect(second.runtime.instances()).toEqual(harness.runtime.instances());
  expect(second.runtime.instances().map(({ id }) => id)).toContain(before[1]?.id);
  const events: RuntimeEvent[] = [];
  second.runtime.onEvent((event) => events.push(event));
  harness.runtime.crash(before[1]?.id ?? '');
  await until('it is told', () => events.some(({ type }) => type === 'failed'));
  expect(first.runtime.instances()).toEqual(before);
});

test('what goes wrong over there is the same Fault here', async () => {
  const { harness, borrow } = createLender();
  const { runtime } = await borrow();
  const workload = await harness.workload('sound');
  const problems = [{ key: 'spec', value: '1', expected: '2' }];
  harness.runtime.failPrepare(workload.key, new Fault('invalid', 'unfit', { problems }));
  harness.runtime.setInspection(workload.key, new Fault('unavailable', 'later', { retryAfter: 3 }));
  await expect(runtime.prepare(workload)).rejects.toMatchObject({
    name: 'Fault',
    code: 'invalid',
    message: 'unfit',
    problems,
  });
  await expect(runtime.inspect(workload)).rejects.toMatchObject({
    code: 'unavailable',
    retryAfter: 3,
  });
});

test('what stands by is mirrored, and what shall stand by is passed on', async () => {
  const { harness } = createLender();
  const kept: unknown[] = [];
  const view = { runtime: 'function', starting: 0, memoryBytes: 0, hits: 0, misses: {} } as const;
  let idle = 1;
  const pool = { keep: (all: unknown) => kept.push(all), views: () => [{ ...view, idle }] };
  const clock = createFakeClock();
  const host = createRuntimeHost({ runtime: { ...harness.runtime, pool }, clock });
  const { runtime, die } = await borrowFrom(host);
  expect(runtime.pool?.views()).toEqual([{ ...view, idle: 1 }]);
  runtime.pool?.keep(['function']);
  await until('it is passed on', () => kept.length === 1);
  expect(kept).toEqual([['function']]);
  idle = 2;
  clock.advance(500);
  await until('the change is told', () => runtime.pool?.views()[0]?.idle === 2);
  expect(clock.pending).toBe(1);
  die();
  await until('nobody looks any more', () => clock.pending === 0);
});

test('a task is run for who asks, and ended with it', async () => {
  const { harness } = createLender();
  const ended: string[] = [];
  const figures = { lastLines: [], seconds: 1, cpuSeconds: 1, memoryBytes: 1 };
  const tasks: RuntimeTasks = {
    async run({ workload: { key } }) {
      if (key === 'default/quick/program')
        return { ok: true, how: 'is done', isLost: false, ...figures };
      await until(`${key} is ended`, () => ended.includes(key));
      return { ok: false, how: 'was ended', isLost: true, ...figures };
    },
    end: (key) => void ended.push(key),
  };
  const host = createRuntimeHost({ runtime: { ...harness.runtime, tasks }, clock: systemClock });
  const first = await borrowFrom(host);
  const workload = await harness.workload('sound');
  const run = (name: string) =>
    first.runtime.tasks?.run({
      workload: { ...workload, key: `default/${name}/program` },
      folder: '/',
      variables: {},
    });
  expect(await run('quick')).toMatchObject({ ok: true, how: 'is done' });
  const stopped = run('stopped');
  first.runtime.tasks?.end('default/stopped/program');
  expect(await stopped).toMatchObject({ isLost: true });
  const left = run('left');
  await first.runtime.logs('default/m/v1', 1);
  first.die();
  await expect(left).rejects.toMatchObject({ code: 'unavailable' });
  await until('it is ended', () => ended.includes('default/left/program'));
  expect(ended).toEqual(['default/stopped/program', 'default/left/program']);
});

test('a lender that closes tells nobody anything any more', async () => {
  const { harness } = createLender();
  const pool = { keep: () => {}, views: () => [] };
  const clock = createFakeClock();
  const host = createRuntimeHost({ runtime: { ...harness.runtime, pool }, clock });
  const { runtime } = await borrowFrom(host);
  expect(clock.pending).toBe(1);
  host.close();
  expect(clock.pending).toBe(0);
  const workload = await harness.workload('sound');
  await runtime.prepare(workload);
  await runtime.want(workload, wanted(1));
  await until('it is there', () => harness.runtime.instances().length === 1);
  expect(runtime.instances()).toEqual([]);
});

test('when the lender has gone, calls end, those under way and later ones', async () => {
  const { port1, port2 } = new MessageChannel();
  port1.on('message', () =>
    port1.postMessage({
      type: 'runtime-instances',
      capabilities: { exactCount: true },
      instances: [],
    }),
  );
  const channel = createPortChannel(port2);
  const runtime = await createRemoteRuntime({ channel, log: silentLog });
  const open = runtime.logs('default/m/v1', 1);
  port1.close();
  await expect(open).rejects.toMatchObject({ code: 'unavailable' });
  await expect(runtime.logs('default/m/v1', 1)).rejects.toMatchObject({ code: 'unavailable' });
});
