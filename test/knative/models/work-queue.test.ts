import { expect, test } from 'vitest';
import { createWorkQueue } from '#knative/models/work-queue.ts';
import { createFakeClock } from '#test/fake-clock.ts';

/** Work that ends when the test says so. */
function createWork() {
  const begun: string[] = [];
  const open = new Map<string, () => void>();
  return {
    begun,
    work: (key: string): Promise<void> => {
      begun.push(key);
      const { promise, resolve } = Promise.withResolvers<void>();
      open.set(key, resolve);
      return promise;
    },
    end: async (key: string): Promise<void> => {
      open.get(key)?.();
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    },
  };
}

test('some at once, never two of one key, and once more for all that was asked meanwhile', async () => {
  const { begun, work, end } = createWork();
  const queue = createWorkQueue({ atOnce: 2, clock: createFakeClock(), work });
  for (const key of ['a', 'a', 'b', 'c', 'a']) queue.ask(key);
  expect(begun).toEqual(['a', 'b']);
  await end('b');
  expect(begun).toEqual(['a', 'b', 'c']);
  await end('a');
  expect(begun).toEqual(['a', 'b', 'c', 'a']);
  await end('a');
  await end('c');
  expect(begun).toHaveLength(4);
});

test('later: the earliest of several times, and not at all once it was asked for', async () => {
  const { begun, work, end } = createWork();
  const clock = createFakeClock();
  const queue = createWorkQueue({ atOnce: 2, clock, work });
  queue.askAfter('a', 500);
  queue.askAfter('a', 100);
  queue.askAfter('a', 300);
  clock.advance(100);
  expect(begun).toEqual(['a']);
  await end('a');
  queue.askAfter('a', 100);
  queue.ask('a');
  expect(clock.pending).toBe(0);
  await end('a');
});

test('closing waits for what runs, and begins nothing', async () => {
  const { begun, work, end } = createWork();
  const clock = createFakeClock();
  const queue = createWorkQueue({ atOnce: 1, clock, work });
  for (const key of ['a', 'b']) queue.ask(key);
  queue.askAfter('c', 10);
  let closed = false;
  const closing = queue.close().then(() => {
    closed = true;
  });
  await end('b');
  expect(closed).toBe(false);
  await end('a');
  await closing;
  queue.ask('d');
  clock.advance(100);
  expect(begun).toEqual(['a']);
});
