import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createWindow } from '#batch/runner/window.ts';

/** Pieces of work that end when they are told, in any order. */
function createWorks() {
  const open = new Map<number, PromiseWithResolvers<number>>();
  return {
    open,
    work: (number: number) => () => {
      const piece = Promise.withResolvers<number>();
      open.set(number, piece);
      return piece.promise;
    },
    finish(number: number): void {
      open.get(number)?.resolve(number);
      open.delete(number);
    },
  };
}

async function turns(): Promise<void> {
  for (let count = 0; count < 10; count++) await Promise.resolve();
}

describe('a window', () => {
  test('hands on in the order of the beginning, whatever is done first, within slots and room', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 6, max: 12 }),
        fc.infiniteStream(fc.nat()),
        async (slots, room, picks) => {
          const works = createWorks();
          const window = createWindow<number>(() => room);
          window.slots(slots);
          const handed: number[] = [];
          const read = (async () => {
            for await (const number of window.results()) handed.push(number);
          })();
          let begun = 0;
          const feed = (async () => {
            for (; begun < 30; begun++) await window.begin(works.work(begun));
            window.end();
          })();
          while (handed.length < 30) {
            await turns();
            expect(works.open.size).toBeLessThanOrEqual(slots);
            expect(begun - handed.length).toBeLessThanOrEqual(room + 1);
            const under = [...works.open.keys()];
            const [pick = 0] = picks.next().value === undefined ? [0] : [picks.next().value];
            const chosen = under[(pick ?? 0) % Math.max(1, under.length)];
            if (chosen !== undefined) works.finish(chosen);
          }
          await Promise.all([read, feed]);
          expect(handed).toEqual(Array.from({ length: 30 }, (_, number) => number));
        },
      ),
      { numRuns: 30 },
    );
  });

  test('throws the first failure to who reads, and begins nothing after it', async () => {
    const window = createWindow<number>(() => 10);
    window.slots(2);
    await window.begin(async () => 1);
    await window.begin(() => Promise.reject(new Error('broken')));
    await turns();
    let began = false;
    await window.begin(async () => {
      began = true;
      return 3;
    });
    const results = window.results();
    expect((await results.next()).value).toBe(1);
    await expect(results.next()).rejects.toThrow('broken');
    expect(began).toBe(false);
  });

  test('uses more slots as soon as there are more', async () => {
    const works = createWorks();
    const window = createWindow<number>(() => 10);
    await window.begin(works.work(0));
    let second = false;
    const begun = window.begin(works.work(1)).then(() => (second = true));
    await turns();
    expect(second).toBe(false);
    window.slots(2);
    await begun;
    expect(works.open.size).toBe(2);
  });
});
