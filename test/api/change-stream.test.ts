import { expect, test } from 'vitest';
import { createChangeStream } from '#api/change-stream.ts';
import { createFakeClock } from '#test/fake-clock.ts';

/** Something that changes, and somebody who follows it. */
function createThing() {
  const closing = new AbortController();
  let value = { step: 0 };
  let tell = (): void => {};
  let watched: AbortSignal | undefined;
  const clock = createFakeClock();
  const stream = createChangeStream({
    name: 'thing',
    read: async () => value,
    isLast: ({ step }) => step === 9,
    watch(onNews, signal) {
      tell = onNews;
      watched = signal;
    },
    clock,
    closing: closing.signal,
  });
  const reader = stream.getReader();
  return {
    clock,
    closing,
    set(step: number): void {
      value = { step };
      tell();
    },
    async next(): Promise<string | undefined> {
      const { value: chunk } = await reader.read();
      return chunk && new TextDecoder().decode(chunk);
    },
    cancel: () => reader.cancel(),
    isWatched: () => watched?.aborted === false,
  };
}

const frame = (step: number): string => `event: thing\ndata: {"step":${step}}\n\n`;

test('tells how it is, each change that a reader is there for, and the last', async () => {
  const thing = createThing();
  expect(await thing.next()).toBe(frame(0));
  thing.set(1);
  expect(await thing.next()).toBe(frame(1));
  thing.set(2);
  thing.set(9);
  expect(await thing.next()).toBe(frame(9));
  expect(await thing.next()).toBeUndefined();
  expect(thing.isWatched()).toBe(false);
});

test('is forgotten when its reader leaves, or the server ends', async () => {
  const one = createThing();
  await one.next();
  expect(one.isWatched()).toBe(true);
  await one.cancel();
  expect(one.isWatched()).toBe(false);
  const other = createThing();
  await other.next();
  other.closing.abort();
  expect(await other.next()).toBeUndefined();
  expect(other.isWatched()).toBe(false);
});
