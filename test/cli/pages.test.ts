import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Call, Client } from '#cli/client.ts';
import { listFirst } from '#cli/pages.ts';

interface Numbers {
  readonly items: readonly number[];
  readonly next?: string;
}

/** Answers with the numbers below `count`, as control does, and counts how often it was asked. */
function createCounter(count: number, maxPage: number) {
  let asked = 0;
  const client: Pick<Client, 'call'> = {
    async call<T>({ query }: Call, read: (body: unknown) => T): Promise<T> {
      asked++;
      const first = query?.['after'] === undefined ? 0 : Number(query['after']) + 1;
      const length = Math.min(Number(query?.['limit']), maxPage, count - first);
      const items = Array.from({ length }, (_, at) => first + at);
      const isFull = length === Math.min(Number(query?.['limit']), maxPage);
      return read({ items, ...(isFull && { next: String(items.at(-1)) }) });
    },
  };
  return { client: client as Client, asked: () => asked };
}

test('the first of a list, of however many pages, and whether there are more', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat({ max: 60 }),
      fc.integer({ min: 1, max: 70 }),
      fc.integer({ min: 1, max: 9 }),
      async (count, limit, maxPage) => {
        const { client, asked } = createCounter(count, maxPage);
        const read = (body: unknown) => body as Numbers;
        const { items, more } = await listFirst(client, { path: '/' }, read, limit);
        expect(items).toEqual(Array.from({ length: Math.min(limit, count) }, (_, at) => at));
        expect(more).toBe(count > limit);
        // No page is read that is not shown, but for the one that says whether there are more.
        expect(asked()).toBeLessThanOrEqual(Math.ceil((limit + 1) / maxPage));
      },
    ),
  );
});
