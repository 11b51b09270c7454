import pino from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createHarness, deployed, type Harness, program } from './harness.ts';

/** Control as a whole, with two data-plane processes. */

let harness: Harness;
let tell: (alive: readonly string[]) => void;
let warned: unknown[] = [];
beforeEach(async () => {
  warned = [];
  const write = (line: string): void => void warned.push(JSON.parse(line));
  harness = await createHarness({
    log: pino({ level: 'warn' }, { write }),
    onProcesses(listener) {
      tell = listener;
      listener(['plane-1', 'plane-2']);
    },
  });
});
afterEach(async () => {
  await harness.close();
});

async function rouse(key: string, dataPlane: string): Promise<string> {
  harness.outlet.say({ type: 'wake', revision: key, queued: 1, inFlight: 0 }, dataPlane);
  await harness.pass(2, () => harness.load({ queued: 1, concurrency: 1 }, dataPlane));
  const [instance] = harness.runtime.instances(key);
  expect(instance?.state).toBe('ready');
  return instance?.id ?? '';
}

test('the slot of a new instance is leased to who waits for it, right after it is told', async () => {
  const key = await deployed(harness, { revision: program({ concurrency: 1 }) });
  const { outlet } = harness;
  for (const plane of ['plane-1', 'plane-2']) outlet.say({ type: 'demand', revisions: [] }, plane);
  const told: { ids: string[]; leases: number }[] = [];
  outlet.watch(() => {
    told.push({ ids: [...outlet.instances.keys()], leases: outlet.leases.length });
  });
  const before = outlet.leases.length;
  const id = await rouse(key, 'plane-2');
  expect(outlet.instances.get(id)).toMatchObject({ leased: true });
  expect(outlet.leases.slice(before)).toMatchObject([
    { dataPlane: 'plane-2', instance: id, slots: 1 },
  ]);
  expect(told.find(({ ids }) => ids.includes(id))?.leases).toBe(before);
});

test('without a limit there is nothing to lease', async () => {
  const key = await deployed(harness, { revision: program({ concurrency: 0 }) });
  const { outlet } = harness;
  outlet.say({ type: 'demand', revisions: [] }, 'plane-1');
  const id = await rouse(key, 'plane-1');
  expect(outlet.instances.get(id)).not.toHaveProperty('leased');
  expect(outlet.leases.filter(({ instance }) => instance === id)).toEqual([]);
});

test('a process that died leaves no load behind; a link that broke does, for a while', async () => {
  const keepAlive = { policy: 'fixed', idle: '1s' } as const;
  const key = await deployed(harness, { revision: program({ concurrency: 1 }), keepAlive });
  const id = await rouse(key, 'plane-1');
  const { outlet } = harness;
  const state = (): string | undefined => outlet.instances.get(id)?.state;
  harness.load({ inFlight: 1, concurrency: 1 }, 'plane-1');
  outlet.leave('plane-1');
  await harness.pass(3);
  expect(state()).toBe('ready');
  harness.load({ inFlight: 1, concurrency: 1 }, 'plane-1');
  tell(['plane-2']);
  await harness.pass(3);
  expect(state()).toBe('draining');
});

test('a data plane with a link that nobody has listed gets no slots, and that is said', async () => {
  const key = await deployed(harness, { revision: program({ concurrency: 2 }) });
  const { outlet } = harness;
  for (const plane of ['plane-1', 'late', 'gone', 'stranger']) {
    outlet.say({ type: 'demand', revisions: [{ revision: key, queued: 1, inFlight: 0 }] }, plane);
  }
  outlet.leave('gone');
  tell(['plane-1', 'plane-2', 'late']);
  await rouse(key, 'plane-1');
  expect(outlet.leases.map(({ dataPlane }) => dataPlane)).not.toContain('stranger');
  expect(warned).toMatchObject([
    { dataPlane: 'stranger', msg: 'a data plane that Rouse did not start: it gets no slots' },
  ]);
});

test('after its end control warns of nobody', async () => {
  harness.outlet.say({ type: 'demand', revisions: [] }, 'stranger');
  await harness.control.close();
  await harness.pass(2);
  expect(warned).toEqual([]);
});
