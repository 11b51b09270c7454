import { expect, test } from 'vitest';
import { nearNames } from '#lib/near.ts';

test('near is a letter or two, or one that goes on; the nearest first', () => {
  const names = ['digits', 'digit', 'digits-v2', 'embed', 'chat', 'sentiment'];
  expect(nearNames('digts', names)).toEqual(['digits']);
  expect(nearNames('digit', names)).toEqual(['digit', 'digits', 'digits-v2']);
  expect(nearNames('sentimnet', names)).toEqual(['sentiment']);
  expect(nearNames('cat', names)).toEqual(['chat']);
  expect(nearNames('nobody', names)).toEqual([]);
  expect(nearNames('d', names)).toEqual([]);
  expect(nearNames('x'.repeat(10_000), names)).toEqual([]);
});
