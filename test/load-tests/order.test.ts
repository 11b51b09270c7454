import { expect, test } from 'vitest';
import { countStartsInOrder, findDisorder, mostOvertaken } from '#load-tests/burst/order.ts';
import { sumOf } from '#load-tests/measure/gauges.ts';

/** What a model would say that had them in this order. */
const inOrder = (...numbers: number[]): { order: number; number: number }[] =>
  numbers.map((number, order) => ({ order, number }));

test('within a batch any order will do; answers may be looked at in any order', () => {
  expect(findDisorder(inOrder(1, 0, 2, 4, 5, 3), 3)).toEqual([]);
  expect(findDisorder(inOrder(0, 1, 2, 3).toReversed(), 2)).toEqual([]);
});

test('one that was overtaken by a later batch is found, and one that came twice', () => {
  expect(findDisorder(inOrder(0, 3, 1, 2), 3)).toEqual([
    '1 came 2th, after one of batch 1',
    '2 came 3th, after one of batch 1',
  ]);
  expect(findDisorder(inOrder(0, 1, 1), 3)).toEqual(['1 came twice']);
});

test('served in order, the longest unused gives way', () => {
  expect(countStartsInOrder([0, 1, 0, 1, 2, 1, 0], 2)).toBe(4);
  expect(countStartsInOrder([0, 1, 2, 0, 1, 2], 2)).toBe(6);
  expect(countStartsInOrder([0, 1, 2, 0, 1, 2], 3)).toBe(3);
});

test('who was served before one that had come earlier', () => {
  expect(mostOvertaken([0, 1, 2])).toBe(0);
  expect(mostOvertaken([2, 1, 3, 0])).toBe(3);
});

const METRICS = `# TYPE rouse_queue_depth gauge
rouse_queue_depth{model="a"} 3
rouse_queue_depth{model="b"} 4
rouse_queue_depth_other{model="a"} 100
rouse_client_connections 7
`;

test.each([
  ['rouse_queue_depth', '', 7],
  ['rouse_queue_depth', 'model="b"', 4],
  ['rouse_client_connections', '', 7],
  ['rouse_queue', '', 0],
])('the sum of %s with %j is %d', (name, labels, sum) => {
  expect(sumOf(METRICS, name, labels)).toBe(sum);
});
