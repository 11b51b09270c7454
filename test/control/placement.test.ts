import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ModelInput } from '#domain/model.ts';
import type { Instance } from '#runtime/runtime.ts';
import { PATIENCE_MS } from '#policies/placement/turns.ts';
import { until } from '#test/until.ts';
import { createHarness, deployed, type Harness, MIB, program, rest } from './harness.ts';

/** Who waits for memory, who gives way, and when: two models of which one fits at a time. */

const PATIENCE = PATIENCE_MS / 1000;
const LARGE: Partial<ModelInput['spec']> = {
  revision: program({ resources: { memory: '600Mi' }, timeouts: { drain: '5s' } }),
  keepAlive: { policy: 'fixed', idle: '60s' },
};

let harness: Harness;
let a: string;
let b: string;

beforeEach(async () => {
  harness = await createHarness();
  [a, b] = [await deployed(harness, LARGE, 'a'), await deployed(harness, LARGE, 'b')];
});
afterEach(async () => {
  await harness.close();
});

function wake(revision: string): void {
  harness.outlet.say({ type: 'wake', revision, queued: 1 });
}

function served(revision: string): void {
  harness.outlet.say({ type: 'demand', revisions: [{ revision, queued: 0, inFlight: 0 }] });
}

/** What runs and what waits, as the data plane tells it each second. */
function tell(loads: Readonly<Record<string, { queued?: number; inFlight?: number }>>): void {
  const revisions = Object.entries(loads).map(([revision, { queued = 0, inFlight = 0 }]) => ({
    revision,
    queued,
    inFlight,
    concurrency: 1,
    arrivals: 0,
    coldArrivals: 0,
    busySeconds: 0,
    coldSeconds: 0,
  }));
  harness.outlet.say({ type: 'load', at: harness.clock.now(), revisions });
}

function states(key: string): Instance['state'][] {
  return harness.runtime.instances(key).map(({ state }) => state);
}

/** What the data plane has nothing in flight at is let go. */
function letGo(key: string): void {
  for (const { id, state } of harness.runtime.instances(key)) {
    if (state === 'draining') harness.outlet.say({ type: 'drained', instance: id });
  }
}

async function gone(key: string): Promise<void> {
  await until(`nothing is left of ${key}`, () => states(key).length === 0);
}

async function lastWhy(model: string, type: string): Promise<string | undefined> {
  const events = await harness.events(type);
  return events.findLast((event) => event.model === model)?.why;
}

async function start(key: string): Promise<void> {
  wake(key);
  await harness.pass(1, () => tell({ [key]: { inFlight: 1 } }));
  expect(states(key)).toEqual(['ready']);
}

test('callers are told that memory is waited for, for as long as it is', async () => {
  const told = (): unknown => harness.outlet.models.get('default/b')?.revisions[0]?.waitingFor;
  await start(a);
  wake(b);
  expect(told()).toBe('waits for memory that others use');
  served(a);
  letGo(a);
  await gone(a);
  expect(told()).toBeUndefined();
});

test('what has been served makes room at once, not with the next report', async () => {
  await start(a);
  wake(b);
  await rest();
  expect([states(a), states(b)]).toEqual([['ready'], []]);
  served(a);
  expect(states(a)).toEqual(['draining']);
  letGo(a);
  await gone(a);
  expect(states(b)).toEqual(['starting']);
});

test('what was just started stays for as long as that took, to the millisecond', async () => {
  wake(a);
  await rest();
  harness.clock.advance(100);
  await rest();
  wake(b);
  served(a);
  harness.clock.advance(99);
  expect(states(a)).toEqual(['ready']);
  harness.clock.advance(1);
  expect(states(a)).toEqual(['draining']);
});

describe('what is always in use', () => {
  const both = (): void => tell({ [a]: { inFlight: 1 }, [b]: { queued: 1 } });

  test('gives way when its turn is over, and stands at the end of the line', async () => {
    await start(a);
    wake(b);
    await harness.pass(PATIENCE - 1, both);
    expect(states(a)).toEqual(['ready']);
    await harness.pass(2, both);
    expect(states(a)).toEqual(['draining']);
    expect(await lastWhy('a', 'ScaleDecided')).toBe(
      `no instance: ${b} has waited 5s for memory, and its turn of 5s is over`,
    );
    expect(await lastWhy('a', 'WaitingForMemory')).toContain(`behind ${b}`);
    letGo(a);
    await gone(a);
    // What a left is b's, though a asks for it, too.
    expect([states(a), states(b)]).toEqual([[], ['starting']]);
    await harness.pass(1, () => tell({ [a]: { queued: 1 }, [b]: { inFlight: 1 } }));
    served(b);
    await harness.pass(1, () => tell({ [a]: { queued: 1 } }));
    letGo(b);
    await gone(b);
    expect(states(a)).toEqual(['starting']);
  });

  test('finishes what it has in hand, longer than its drain time', async () => {
    await start(a);
    wake(b);
    await harness.pass(PATIENCE + 1, both);
    await harness.pass(60, both);
    expect(states(a)).toEqual(['draining']);
    expect(states(b)).toEqual([]);
    letGo(a);
    await gone(a);
    expect(states(b)).toEqual(['starting']);
  });

  test('is not waited for when it is deleted meanwhile', async () => {
    await start(a);
    wake(b);
    await harness.pass(PATIENCE + 1, both);
    await harness.control.useCases.deleteModel({ id: 'local', role: 'admin' }, 'default', 'a');
    await harness.pass(6, both);
    await gone(a);
  });

  test('does not give way when a floor holds it', async () => {
    await harness.apply({ ...LARGE, scaling: { min: 1 } }, 'a');
    await start(a);
    wake(b);
    await harness.pass(PATIENCE + 30, both);
    expect([states(a), states(b)]).toEqual([['ready'], []]);
  });
});

test('what was measured to have grown has idle ones go, then what is in use for longest', async () => {
  const grows = { ...LARGE, revision: program() };
  const small = { ...LARGE, revision: program({ resources: { memory: '300Mi' } }) };
  const [c, d] = [await deployed(harness, grows, 'c'), await deployed(harness, small, 'd')];
  await start(d);
  await start(c);
  const id = harness.runtime.instances(c)[0]?.id ?? '';
  harness.runtime.setMemory(id, 650 * MIB);
  expect(states(d)).toEqual(['ready']);
  tell({ [c]: { inFlight: 1 }, [d]: { inFlight: 0 } });
  harness.runtime.setMemory(id, 750 * MIB);
  expect([states(c), states(d)]).toEqual([['ready'], ['draining']]);
  expect(await lastWhy('d', 'ScaleDecided')).toContain('has grown 50Mi beyond 1000Mi');
});
