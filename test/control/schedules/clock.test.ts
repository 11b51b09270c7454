import { afterEach, beforeEach, expect, test } from 'vitest';
import { createWorld, HOUR, KEY, type World } from './world.ts';

let world: World;

beforeEach(async () => {
  world = await createWorld();
});

afterEach(() => world.close());

/** Hours after the first moment, of the runs that there are. */
async function ranAfter(hours: number): Promise<number[]> {
  await world.passHours(hours);
  const begun = Date.UTC(2030, 0, 1);
  return world.book.runs(KEY).map(({ scheduledAt }) => (scheduledAt - begun) / HOUR);
}

test('a clock that is put back by hours repeats nothing, and goes on where it was', async () => {
  expect(await ranAfter(1)).toEqual([1]);
  expect(await ranAfter(1)).toEqual([1, 2]);
  world.skew = -1.5 * HOUR;
  expect(await ranAfter(1)).toEqual([1, 2]);
  expect(await ranAfter(1)).toEqual([1, 2]);
  expect(await ranAfter(1)).toEqual([1, 2, 3]);
});

test('a clock that was a year ahead has its times again when it is right', async () => {
  world.skew = 365 * 24 * HOUR;
  expect(await ranAfter(1)).toEqual([8760, 8761]);
  world.skew = 0;
  await world.pass(2);
  expect((await ranAfter(1)).toSorted((a, b) => a - b)[0]).toBe(2);
  expect(world.book.get(KEY)?.value.after).toBe(Date.UTC(2030, 0, 1, 2));
});

test('a clock that is put forward by hours catches the last one up, and counts the others', async () => {
  await ranAfter(1);
  world.skew = 5 * HOUR;
  await world.pass(3);
  expect(await ranAfter(1)).toEqual([1, 6, 7]);
  expect(world.book.get(KEY)?.value.missed).toBe(4);
});
