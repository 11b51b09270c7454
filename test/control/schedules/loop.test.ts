import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Begun } from '#control/schedules/task.ts';
import { Fault } from '#lib/fault.ts';
import { until } from '#test/until.ts';
import { rest } from '../harness.ts';
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

test('what ends while another run is written is not begun once more', async () => {
  const begun: string[] = [];
  const second = Promise.withResolvers<Begun>();
  world.task.start = async ({ id }) => {
    begun.push(id);
    return begun.length === 1 ? {} : await second.promise;
  };
  await world.passHours(1);
  await world.passHours(1);
  expect(states()).toEqual(['Running', 'Starting']);
  const written = Promise.withResolvers<void>();
  world.beforeWrite = () => written.promise;
  second.resolve({ outcome: DONE });
  await rest();
  // Looked at while the end of the other one waits for the disk, as its own does then.
  world.task.look = () => DONE;
  world.clock.advance(1000);
  await rest();
  written.resolve();
  await until('both have ended', () => states().every((state) => state === 'Succeeded'));
  await rest();
  expect(begun.length).toBe(2);
});
