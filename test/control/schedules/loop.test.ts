import { afterEach, beforeEach, expect, test } from 'vitest';
import { Fault } from '#lib/fault.ts';
import { createWorld, DONE, KEY, type World } from './world.ts';

let world: World;

beforeEach(async () => {
  world = await createWorld();
});

afterEach(() => world.close());

const states = (): string[] => world.book.runs(KEY).map(({ state }) => state);

test('what cannot be written is begun again each second, not at once', async () => {
  let starts = 0;
  let isFull = false;
  world.beforeWrite = async () => {
    if (isFull) throw new Fault('storage_full', 'the disk is full');
  };
  world.task.start = async () => {
    isFull = ++starts <= 3;
    return { outcome: DONE };
  };
  await world.passHours(1);
  // At its time, and in the two seconds after it.
  expect([starts, states()]).toEqual([3, ['Starting']]);
  isFull = false;
  await world.pass(1);
  expect([starts, states()]).toEqual([4, ['Succeeded']]);
});
