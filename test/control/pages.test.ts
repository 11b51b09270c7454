import { expect, test } from 'vitest';
import { rowsOf } from '#control/records/pages.ts';
import { createSqliteStore } from '#store/sqlite.ts';
import type { Write } from '#store/store.ts';
import { createFakeClock } from '#test/fake-clock.ts';

test.each([0, 999, 1000, 2001])('%d rows of a prefix come once each, by key', async (count) => {
  const store = await createSqliteStore({ path: ':memory:', clock: createFakeClock() });
  try {
    const keys = Array.from({ length: count }, (_, index) => `b/${String(index).padStart(4, '0')}`);
    const all = ['a/1', ...keys.toReversed(), 'c/1'];
    await store.write(all.map((key): Write => ({ kind: 'memory', key, value: { key } })));
    const seen: string[] = [];
    for await (const { key } of rowsOf(store, 'memory', 'b/')) seen.push(key);
    expect(seen).toEqual(keys);
  } finally {
    await store.close();
  }
});
