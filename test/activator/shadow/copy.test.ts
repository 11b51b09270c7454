import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Budget, Copy } from '#activator/shadow/copy.ts';

test('a copy is what went by, or nothing and why; what it takes from the budget it gives back', () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 8 });
  fc.assert(
    fc.property(pieces, fc.nat(8000), fc.nat(8000), (parts, limit, room) => {
      const budget = new Budget(room);
      const copy = new Copy(budget, limit);
      for (const part of parts) {
        const frame = Buffer.concat([Buffer.from('<'), part, Buffer.from('>')]);
        const middle = 1 + (part.length >> 1);
        copy.add(frame, [1, middle, middle, 1 + part.length]);
        frame.fill(0);
        expect(budget.used).toBeLessThanOrEqual(room);
      }
      const all = Buffer.concat(parts);
      expect(copy.bytes).toEqual(copy.lack ? Buffer.alloc(0) : all);
      expect(copy.lack === 'too_large').toBe(copy.lack !== 'no_room' && all.length > limit);
      copy.drop();
      expect(budget.used).toBe(0);
    }),
  );
});
