import { z } from 'zod';
import { MAX_PAGE } from '#domain/page.ts';

/** For pages that begin otherwise than `page`. */
export const pageLimit = z.coerce.number().int().min(1).max(MAX_PAGE).default(100);

/** Where a page begins, and how long it may be. */
export const page = z.strictObject({
  after: z.string().max(256).optional(),
  limit: pageLimit,
});
export type Page = z.output<typeof page>;

/** What stands beside the rows of a page: where the next one begins, if this one is full. */
export function nextOf<T>(
  rows: readonly T[],
  limit: number,
  placeOf: (row: T) => string,
): { readonly next?: string } {
  const last = rows.length === limit ? rows.at(-1) : undefined;
  return last === undefined ? {} : { next: placeOf(last) };
}
