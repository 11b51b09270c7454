import { expect, test } from 'vitest';
import { jsonOf } from '#lib/json.ts';

test.each([
  ['{"a":[1]}', { a: [1] }],
  ['null', null],
  ['', undefined],
  ['{"a":', undefined],
  ['undefined', undefined],
])('%s says %o', (text, value) => {
  expect(jsonOf(text)).toEqual(value);
});
