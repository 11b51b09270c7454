import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRoom, type Place } from '#control/requests/room.ts';

const MOST = 100;

test('there is room for as much as was said, and for all of one beyond it', async () => {
  const room = createRoom(MOST);
  const [first, second, third] = [room.enter(), room.enter(), room.enter()];
  expect(first.add(MOST)).toBeUndefined();
  expect(second.add(10)).toBeUndefined();
  expect(second.add(10)).toBeUndefined();
  const waits = third.add(1);
  expect(waits).toBeDefined();
  second.leave();
  await waits;
});

test('who waited and has left is not let in', async () => {
  const room = createRoom(MOST);
  const [first, second, third] = [room.enter(), room.enter(), room.enter()];
  expect(first.add(MOST + 1)).toBeUndefined();
  const left = second.add(1);
  const waits = third.add(1);
  second.leave();
  first.leave();
  await waits;
  expect(await Promise.race([left, Promise.resolve('waits')])).toBe('waits');
});

/** Answers of so many pieces each. */
const answers = fc.array(fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 6 }), {
  maxLength: 20,
});

test('whatever comes, all of it gets in, and one at a time is beyond the limit', async () => {
  await fc.assert(
    fc.asyncProperty(answers, fc.scheduler(), async (sizes, scheduler) => {
      const room = createRoom(MOST);
      const held = new Map<Place, number>();
      /** A piece of each comes before it is known whether there is room for it. */
      const last = new Map<Place, number>();
      let most = 0;

      function look(): void {
        const own = [...held].map(([place, bytes]) => bytes - (last.get(place) ?? 0));
        const largest = Math.max(0, ...own);
        most = Math.max(most, own.reduce((sum, bytes) => sum + bytes, 0) - largest);
      }

      async function read(pieces: readonly number[]): Promise<void> {
        const place = room.enter();
        for (const piece of pieces) {
          await scheduler.schedule(Promise.resolve());
          held.set(place, (held.get(place) ?? 0) + piece);
          last.set(place, piece);
          const wait = place.add(piece);
          look();
          await wait;
        }
        await scheduler.schedule(Promise.resolve());
        held.delete(place);
        place.leave();
      }

      await scheduler.waitFor(Promise.all(sizes.map(read)));
      expect(held.size).toBe(0);
      expect(most).toBeLessThanOrEqual(MOST);
    }),
  );
});
