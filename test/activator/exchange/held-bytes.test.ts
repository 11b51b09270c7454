import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HeldBytes } from '#activator/exchange/held-bytes.ts';
import type { Plane } from '#activator/plane.ts';

const LIMIT = 100;

test('what is held is the sum of what each took, and never more than may be', () => {
  const step = fc.record({ who: fc.nat(2), bytes: fc.option(fc.nat(60)) });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const plane = { heldBytes: 0, limits: { heldBytes: LIMIT } } as Plane;
      const all = [0, 1, 2].map(() => ({ held: new HeldBytes(plane), expected: 0 }));
      for (const { who, bytes } of steps) {
        const one = all[who]!;
        const before = plane.heldBytes;
        if (bytes === null) one.held.letGo();
        else expect(one.held.take(bytes)).toBe(before + bytes <= LIMIT);
        if (bytes === null) one.expected = 0;
        else if (before + bytes <= LIMIT) one.expected += bytes;
        expect(all.map(({ held }) => held.count)).toEqual(all.map(({ expected }) => expected));
        expect(plane.heldBytes).toBe(all.reduce((sum, { expected }) => sum + expected, 0));
      }
    }),
  );
});
