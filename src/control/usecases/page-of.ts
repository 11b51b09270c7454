import { keyPrefix } from '#domain/names.ts';
import { MAX_PAGE } from '#domain/page.ts';
import type { Page } from './usecases.ts';

/** Of a list in memory: what is of this namespace, or of all, in the order of the keys. */
export function pageOf<T>(
  list: Iterable<T>,
  keyOf: (one: T) => string,
  namespace: string | undefined,
  { after = '', limit = MAX_PAGE }: Page = {},
): T[] {
  const prefix = keyPrefix(namespace);
  return Array.from(list)
    .filter((one) => keyOf(one).startsWith(prefix) && keyOf(one) > after)
    .toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    .slice(0, Math.min(limit, MAX_PAGE));
}
