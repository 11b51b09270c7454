import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideProbeWait } from '#knative/activator/probe-pace.ts';
import { createPods } from '#knative/activator/pods.ts';
import type { ProbeResult } from '#knative/activator/probe.ts';
import { createFakeClock } from '#test/fake-clock.ts';

/** Probes that are answered when a test says so. */
function start() {
  const clock = createFakeClock();
  const asked: { to: string; signal: AbortSignal; answer: (result: ProbeResult) => void }[] = [];
  const told: string[] = [];
  const pods = createPods({
    probe: (to, signal) =>
      new Promise((answer) => {
        asked.push({ to, signal, answer });
      }),
    clock,
    events: {
      onReady: (revision, to) => told.push(`+${revision} ${to}`),
      onGone: (revision, to) => told.push(`-${revision} ${to}`),
    },
  });
  const set = (addresses: Record<string, boolean>, trusts = true): void =>
    pods.set('r', new Map(Object.entries(addresses)), trusts);
  /** Lets what follows happen. */
  async function settle(): Promise<void> {
    for (let i = 0; i < 8; i += 1) await Promise.resolve();
  }
  /** Answers the newest question. */
  async function answer(result: ProbeResult): Promise<void> {
    asked.at(-1)?.answer(result);
    await settle();
  }
  async function advance(ms: number): Promise<void> {
    clock.advance(ms);
    await settle();
  }
  return { clock, asked, told, pods, set, answer, advance };
}

describe('a pod', () => {
  test('is asked at once, again and again, and takes requests when it says so', async () => {
    const { clock, asked, told, set, answer, advance } = start();
    set({ a: false });
    expect(asked.length).toBe(1);
    await answer('away');
    await advance(9);
    expect(asked.length).toBe(1);
    await advance(1);
    await answer('unready');
    expect(told).toEqual([]);
    await advance(10);
    await answer('ready');
    expect(told).toEqual(['+r a']);
    await advance(60_000);
    expect(asked.length).toBe(3);
    expect(clock.pending).toBe(0);
  });

  test('that only kubelet can ask takes requests when Kubernetes says so, too', async () => {
    const { told, set, answer } = start();
    set({ a: false }, false);
    await answer('ready');
    expect(told).toEqual([]);
    set({ a: true }, false);
    expect(told).toEqual(['+r a']);
  });

  test('that Kubernetes has for ready is asked all the same', async () => {
    const { told, set, answer } = start();
    set({ a: true }, false);
    expect(told).toEqual([]);
    await answer('ready');
    expect(told).toEqual(['+r a']);
  });

  test('that is not ready any more gets nothing until it has said so again', async () => {
    const { asked, told, set, answer } = start();
    set({ a: true });
    await answer('ready');
    set({ a: false });
    expect(told).toEqual(['+r a', '-r a']);
    expect(asked.length).toBe(2);
    await answer('ready');
    expect(told).toEqual(['+r a', '-r a', '+r a']);
  });

  test('that goes is not asked any more, whatever its last answer was', async () => {
    const { asked, told, set, answer, advance } = start();
    set({ a: false });
    set({});
    expect(asked[0]?.signal.aborted).toBe(true);
    await answer('ready');
    await advance(1000);
    expect(asked.length).toBe(1);
    expect(told).toEqual([]);
  });

  test('that is told of again and again has one prober', () => {
    const { asked, set } = start();
    for (let i = 0; i < 10; i += 1) set({ a: false });
    expect(asked.length).toBe(1);
  });

  test('with its revision gone, is gone; closed, nothing is asked or told', async () => {
    const { asked, told, pods, set, answer, advance } = start();
    set({ a: true });
    await answer('ready');
    pods.drop('r');
    expect(told).toEqual(['+r a', '-r a']);
    set({ b: false });
    pods.close();
    await answer('ready');
    await advance(1000);
    expect(asked.length).toBe(2);
    expect(told.length).toBe(2);
  });
});

test('whatever comes, pods come and go in turn', async () => {
  const step = fc.record({
    addresses: fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.boolean()),
    trusts: fc.boolean(),
    answer: fc.constantFrom<ProbeResult>('ready', 'unready', 'away'),
    ms: fc.integer({ min: 0, max: 300 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const { told, pods, set, answer, advance } = start();
      for (const { addresses, trusts, answer: result, ms } of steps) {
        set(addresses, trusts);
        await answer(result);
        await advance(ms);
      }
      pods.drop('r');
      for (const to of ['a', 'b', 'c']) {
        const own = told.filter((each) => each.endsWith(` ${to}`)).map((each) => each[0]);
        expect(own.join('')).toMatch(/^(\+-)*$/);
      }
    }),
  );
});

test('a pod is asked often at first, all together not too often', () => {
  expect(decideProbeWait(0, 1)).toBe(10);
  expect(decideProbeWait(5_000, 1)).toBe(50);
  expect(decideProbeWait(60_000, 1)).toBe(200);
  expect(decideProbeWait(0, 50)).toBe(100);
  expect(decideProbeWait(0, 10_000)).toBe(200);
});
