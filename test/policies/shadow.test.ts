import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ShadowSpec } from '#domain/shadow.ts';
import { saysTheSame } from '#policies/shadow.ts';

type Rules = Pick<ShadowSpec, 'tolerance' | 'ignore'>;

const EXACT: Rules = { tolerance: 0, ignore: [] };

test.each<[string, unknown, unknown, Partial<Rules>, boolean]>([
  ['the order of keys', { a: 1, b: 2 }, { b: 2, a: 1 }, {}, true],
  ['a key more', { a: 1 }, { a: 1, b: 2 }, {}, false],
  ['another key', { a: 1 }, { b: 1 }, {}, false],
  ['a key that every object has', { a: 1 }, { constructor: 1 }, {}, false],
  ['a key more that is ignored', { a: 1 }, { a: 1, id: 2 }, { ignore: ['id'] }, true],
  ['an ignored key, deep', [{ a: [{ id: 1 }] }], [{ a: [{ id: 2 }] }], { ignore: ['id'] }, true],
  ['small numbers, absolutely', [0], [0.009], { tolerance: 0.01 }, true],
  ['small numbers, too far', [0], [0.011], { tolerance: 0.01 }, false],
  ['large numbers, relatively', { x: 1000 }, { x: 1009 }, { tolerance: 0.01 }, true],
  ['large numbers, too far', { x: 1000 }, { x: 1011 }, { tolerance: 0.01 }, false],
  ['negative numbers', [-1000], [-1009], { tolerance: 0.01 }, true],
  ['numbers without tolerance', [0.1], [0.100001], {}, false],
  ['a longer list', [1], [1, 1], {}, false],
  ['a list and an object', [], {}, {}, false],
  ['null and an object', null, {}, {}, false],
  ['a number and its text', [1], ['1'], { tolerance: 1 }, false],
])('%s', (_, one, other, rules, expected) => {
  expect(saysTheSame(one, other, { ...EXACT, ...rules })).toBe(expected);
  expect(saysTheSame(other, one, { ...EXACT, ...rules })).toBe(expected);
});

test('whatever is read twice says the same, and a tolerance only forgives', () => {
  const rules = fc.record({
    tolerance: fc.double({ min: 0, max: 1, noNaN: true }),
    ignore: fc.array(fc.string(), { maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), fc.json({ maxDepth: 5 }), rules, (one, other, given) => {
      expect(saysTheSame(JSON.parse(one), JSON.parse(one), given)).toBe(true);
      const exactly = saysTheSame(JSON.parse(one), JSON.parse(other), { ...given, tolerance: 0 });
      if (exactly) expect(saysTheSame(JSON.parse(one), JSON.parse(other), given)).toBe(true);
    }),
  );
});

test('what is nested too deep to be looked into differs, and breaks nothing', () => {
  const deep = (): unknown => JSON.parse('['.repeat(100_000) + ']'.repeat(100_000));
  expect(saysTheSame(deep(), deep(), EXACT)).toBe(false);
});
