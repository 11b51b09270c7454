import { expect, test } from 'vitest';
import { createLoop } from '#lib/loop.ts';
import { createFakeClock } from '#test/fake-clock.ts';

/** A loop whose steps end when the test says so. */
function createStepped(options: { everyMs?: number } = {}) {
  const clock = createFakeClock();
  const errors: unknown[] = [];
  const steps: PromiseWithResolvers<void>[] = [];
  const loop = createLoop({
    clock,
    everyMs: options.everyMs ?? 1000,
    step() {
      const step = Promise.withResolvers<void>();
      steps.push(step);
      return step.promise;
    },
    onError: (error) => errors.push(error),
  });
  return { clock, errors, steps, loop };
}

/** Lets everything that is already resolved run on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
}

test('runs at once when asked, and every so often when not', async () => {
  const { clock, steps, loop } = createStepped();
  expect(steps).toHaveLength(0);
  loop.ask();
  expect(steps).toHaveLength(1);
  steps[0]?.resolve();
  await settle();
  clock.advance(999);
  expect(steps).toHaveLength(1);
  clock.advance(1);
  expect(steps).toHaveLength(2);
  steps[1]?.resolve();
  await loop.close();
});

test('never twice at once: whatever is asked meanwhile is one more step', async () => {
  const { clock, steps, loop } = createStepped();
  loop.ask();
  for (let n = 0; n < 10; n += 1) loop.ask();
  clock.advance(10_000);
  expect(steps).toHaveLength(1);
  steps[0]?.resolve();
  await settle();
  expect(steps).toHaveLength(2);
  steps[1]?.resolve();
  await settle();
  expect(steps).toHaveLength(2);
  await loop.close();
});

test('a step that fails is told, and the loop goes on', async () => {
  const { clock, errors, steps, loop } = createStepped();
  loop.ask();
  steps[0]?.reject(new Error('no'));
  await settle();
  expect(errors).toEqual([new Error('no')]);
  clock.advance(1000);
  expect(steps).toHaveLength(2);
  steps[1]?.resolve();
  await loop.close();
});

test('close waits for the running step, and nothing comes after it', async () => {
  const { clock, steps, loop } = createStepped();
  loop.ask();
  loop.ask();
  let closed = false;
  const closing = loop.close().then(() => (closed = true));
  await settle();
  expect(closed).toBe(false);
  steps[0]?.resolve();
  await closing;
  loop.ask();
  clock.advance(10_000);
  expect(steps).toHaveLength(1);
  expect(clock.pending).toBe(0);
});

test('close before the first step leaves no timer behind', async () => {
  const { clock, steps, loop } = createStepped();
  await loop.close();
  clock.advance(10_000);
  expect(steps).toHaveLength(0);
  expect(clock.pending).toBe(0);
});
