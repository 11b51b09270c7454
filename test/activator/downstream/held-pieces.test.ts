import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HeldPieces } from '#activator/downstream/inference/held-pieces.ts';
import type { Plane } from '#activator/plane.ts';

const LIMIT = 100;

test('what was taken is there in order and counted until it is let go', () => {
  const step = fc.oneof(
    fc.record({ take: fc.uint8Array({ maxLength: 60 }) }),
    fc.record({ start: fc.nat(60) }),
    fc.constantFrom('join', 'let go'),
  );
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const plane = { heldBytes: 0, limits: { heldBytes: LIMIT } } as Plane;
      const held = new HeldPieces(plane);
      let expected = Buffer.alloc(0);
      for (const one of steps) {
        if (one === 'join') expect(held.join()).toEqual(expected);
        else if (one === 'let go') {
          expect(Buffer.concat(held.letGo())).toEqual(expected);
          expected = Buffer.alloc(0);
        } else if ('start' in one) {
          const bytes = Math.min(one.start, expected.length);
          expect(held.start(bytes).subarray(0, bytes)).toEqual(expected.subarray(0, bytes));
        } else {
          const hasRoom = expected.length + one.take.length <= LIMIT;
          expect(held.take(Buffer.from(one.take))).toBe(hasRoom);
          if (hasRoom) expected = Buffer.concat([expected, one.take]);
        }
        expect([held.count, plane.heldBytes]).toEqual([expected.length, expected.length]);
      }
    }),
  );
});
