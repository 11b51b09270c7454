import { expect, test } from 'vitest';
import { entryUrl } from '#lib/entry.ts';

test.each([
  ['./worker', 'file:///a/src/main.ts', 'file:///a/src/worker.ts'],
  ['./worker', 'file:///a/dist/src/main.js', 'file:///a/dist/src/worker.js'],
  ['../functions/serve', 'file:///a/src/runtime/x.js', 'file:///a/src/functions/serve.js'],
  ['./worker', 'file:///a/src/main.ts?x=1.2', 'file:///a/src/worker.ts'],
])('%s beside %s', (path, base, expected) => {
  expect(entryUrl(path, base).href).toBe(expected);
});
