import { expect, test } from 'vitest';
import { createLogStore } from '#runtime/local/log-store.ts';

test('the log keeps the last lines of each revision, up to a number and a size', () => {
  const store = createLogStore();
  const line = (text: string) => ({ at: 0, instance: 'i', stream: 'stdout' as const, text });
  for (let n = 0; n < 1500; n++) store.add('a', line(String(n)));
  expect(store.read('a', 5000)).toHaveLength(1000);
  expect(store.read('a', 1)[0]?.text).toBe('1499');
  for (let n = 0; n < 100; n++) store.add('b', line('y'.repeat(8192)));
  expect(store.read('b', 5000)).toHaveLength(32);
  expect(store.read('a', 5000)).toHaveLength(1000);
});

test('the logs of all revisions together have a limit: the one silent for longest goes first', () => {
  const store = createLogStore();
  const line = { at: 0, instance: 'i', stream: 'stdout' as const, text: 'y'.repeat(8192) };
  for (let n = 0; n < 200; n++) for (let m = 0; m < 32; m++) store.add(`r${n}`, line);
  expect(store.read('r0', 1)).toEqual([]);
  expect(store.read('r199', 1)).toHaveLength(1);
  const kept = Array.from({ length: 200 }, (_, n) => store.read(`r${n}`, 1).length);
  expect(kept.reduce((sum, count) => sum + count, 0)).toBe(128);
});
