import { MAX_PAGE } from '#domain/page.ts';
import type { Call, Client } from './client.ts';

interface Page<T> {
  readonly items: readonly T[];
  readonly next?: string | undefined;
}

/** A list that comes in pages, page after page. */
export async function* readPages<T>(
  client: Client,
  call: Call,
  read: (body: unknown) => Page<T>,
): AsyncGenerator<readonly T[]> {
  let after: string | undefined;
  do {
    const page = await client.call({ ...call, query: { ...call.query, after } }, read);
    yield page.items;
    after = page.next;
  } while (after !== undefined);
}

/** The first `limit` of a list that comes in pages, and whether there are more. */
export async function listFirst<T>(
  client: Client,
  call: Call,
  read: (body: unknown) => Page<T>,
  limit: number,
): Promise<{ items: T[]; more: boolean }> {
  const query = { ...call.query, limit: Math.min(limit + 1, MAX_PAGE) };
  const items: T[] = [];
  for await (const page of readPages(client, { ...call, query }, read)) {
    items.push(...page);
    if (items.length > limit) break;
  }
  return { items: items.slice(0, limit), more: items.length > limit };
}

/** All of a list that comes in pages. */
export async function listAll<T>(
  client: Client,
  call: Call,
  read: (body: unknown) => Page<T>,
): Promise<T[]> {
  const all: T[] = [];
  for await (const items of readPages(client, call, read)) all.push(...items);
  return all;
}
