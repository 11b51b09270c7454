import { afterAll, expect, test } from 'vitest';
import { useTeardown } from './teardown.ts';

const ended: string[] = [];
const teardown = useTeardown();

test('what a test starts', () => {
  for (const name of ['first', 'second', 'third']) {
    teardown(async () => {
      await Promise.resolve();
      ended.push(name);
    });
  }
  expect(ended).toEqual([]);
});

test('has ended before the next test, newest first', () => {
  expect(ended).toEqual(['third', 'second', 'first']);
  teardown(() => ended.push('last'));
});

afterAll(() => {
  expect(ended).toEqual(['third', 'second', 'first', 'last']);
});
