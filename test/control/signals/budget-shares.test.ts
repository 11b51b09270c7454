import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Harness, MIB, createHarness } from '../harness.ts';
import { awake, live } from './busy-model.ts';

let harness: Harness;
beforeEach(async () => {
  // Room for twelve.
  harness = await createHarness({ memoryBudget: 120 * MIB });
});
afterEach(async () => {
  await harness.close();
});

/** Each of these has so many requests; whatever drains is let go at once. */
async function load(requests: Readonly<Record<string, number>>, seconds: number): Promise<void> {
  const none = { queued: 0, arrivals: 1, coldArrivals: 0, busySeconds: 0, coldSeconds: 0 };
  await harness.pass(seconds, () => {
    const revisions = Object.entries(requests).map(([revision, inFlight]) =>
      Object.assign({ revision, inFlight, concurrency: inFlight }, none),
    );
    harness.outlet.say({ type: 'load', at: harness.clock.now(), revisions });
    for (const { id, state } of harness.outlet.instances.values()) {
      if (state === 'draining') harness.outlet.say({ type: 'drained', instance: id });
    }
  });
}

test('short memory is divided by weight, from whoever had it before', async () => {
  const first = await awake(harness, { weight: 1, target: 1 }, 'first');
  await load({ [first]: 200 }, 10);
  expect(live(harness, first)).toBe(12);
  const second = await awake(harness, { weight: 3, target: 1 }, 'second');
  await load({ [first]: 200, [second]: 200 }, 20);
  expect([first, second].map((key) => live(harness, key))).toEqual([3, 9]);
  const events = await harness.events('ScaleDecided');
  expect(events.findLast(({ model }) => model === 'first')?.why).toContain(
    'memory is short: its share is 3 instances of 20 (weight 1, floor 1)',
  );
  // It does not go to and fro.
  const count = events.length;
  await load({ [first]: 200, [second]: 200 }, 30);
  expect(await harness.events('ScaleDecided')).toHaveLength(count);
});

test('a higher priority has what it needs, others one at least, and all of it again when it is over', async () => {
  const low = await awake(harness, { target: 1 }, 'low');
  const high = await awake(harness, { priority: 1, target: 1 }, 'high');
  await load({ [low]: 200, [high]: 200 }, 20);
  expect([low, high].map((key) => live(harness, key))).toEqual([1, 11]);
  await load({ [low]: 200 }, 75);
  expect(live(harness, low)).toBeGreaterThan(6);
});

test.each([
  ['instances', { unit: 'instances', most: 6 }],
  ['memory', { unit: 'memory', most: 65 * MIB }],
] as const)("a namespace's budget in %s is shared by its models alone", async (_, part) => {
  await harness.close();
  const budgets = [{ namespace: 'default', ...part }];
  harness = await createHarness({ budgets });
  const a = await awake(harness, { target: 1 }, 'a');
  const b = await awake(harness, { target: 1, weight: 2 }, 'b');
  await load({ [a]: 200, [b]: 200 }, 20);
  expect([a, b].map((key) => live(harness, key))).toEqual([2, 4]);
  const events = await harness.events('ScaleDecided');
  expect(events.findLast(({ model }) => model === 'b')?.why).toMatch(
    /the budget of default is short: its share is 4 instances of \d+ \(weight 2, floor 1\)/,
  );
});

test("another namespace's budget is none of theirs", async () => {
  await harness.close();
  const budgets = [{ namespace: 'other', unit: 'instances', most: 1 } as const];
  harness = await createHarness({ budgets });
  const a = await awake(harness, { target: 1 }, 'a');
  await load({ [a]: 200 }, 20);
  expect(live(harness, a)).toBe(20);
});
