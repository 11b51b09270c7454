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
