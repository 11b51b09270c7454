import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pickLeastLoaded } from '#policies/balance.ts';

test.each([
  ['the least loaded', [3, 1, 2], 4, 0, 1],
  ['ties by the roll: the first', [1, 0, 0], 4, 0, 1],
  ['ties by the roll: the last', [1, 0, 0], 4, 0.99, 2],
  ['not one that is not to be used', [-1, 2], 4, 0, 1],
  ['not one that is full', [4, 4], 4, 0, -1],
  ['without a limit none is full', [4000, 3999], 0, 0, 1],
  ['none where there is none', [], 4, 0.5, -1],
])('%s', (_, loads, limit, roll, expected) => {
  expect(pickLeastLoaded(Int32Array.from(loads), loads.length, limit, roll)).toBe(expected);
});

test('one with room that no other is below, each of them for some roll, and none beyond the count', () => {
  const loads = fc.array(fc.integer({ min: -1, max: 5 }), { minLength: 1, maxLength: 8 });
  const roll = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(loads, fc.nat(8), fc.nat(6), roll, (all, some, limit, roll) => {
      const count = Math.min(some, all.length);
      const usable = all
        .slice(0, count)
        .filter((load) => load >= 0 && (limit === 0 || load < limit));
      const best = Math.min(...usable);
      const ties = [...all.keys()].filter((index) => index < count && all[index] === best);
      const picked = pickLeastLoaded(Int32Array.from(all), count, limit, roll);
      expect(picked).toBe(usable.length === 0 ? -1 : ties[Math.floor(roll * ties.length)]);
    }),
  );
});
