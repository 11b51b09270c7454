import type { ShadowSpec } from '#domain/shadow.ts';

/** Answers of models are flat. What is nested deeper is not looked into. */
const DEEPEST = 64;

/**
 * Whether two answers, read from JSON, say the same: the same keys but for those that are ignored, the same values but
 * for numbers, which may differ by `tolerance`: absolutely below 1, relatively above. What is nested deeper than 64
 * levels counts as different.
 */
export function saysTheSame(
  one: unknown,
  other: unknown,
  rules: Pick<ShadowSpec, 'tolerance' | 'ignore'>,
  depth = 0,
): boolean {
  if (one === other) return true;
  if (typeof one === 'number' && typeof other === 'number') {
    return Math.abs(one - other) <= rules.tolerance * Math.max(1, Math.abs(one), Math.abs(other));
  }
  if (depth === DEEPEST || !isObject(one) || !isObject(other)) return false;
  if (Array.isArray(one) || Array.isArray(other)) {
    if (!Array.isArray(one) || !Array.isArray(other) || one.length !== other.length) return false;
    return one.every((value, index) => saysTheSame(value, other[index], rules, depth + 1));
  }
  const keys = keysOf(one, rules.ignore);
  if (keys.length !== keysOf(other, rules.ignore).length) return false;
  return keys.every(
    (key) => Object.hasOwn(other, key) && saysTheSame(one[key], other[key], rules, depth + 1),
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function keysOf(value: object, ignored: readonly string[]): string[] {
  return Object.keys(value).filter((key) => !ignored.includes(key));
}
