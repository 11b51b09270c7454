import type { Kind, Store, Stored } from '#store/store.ts';

/** One page of the store: bounds memory and the time that one call takes. */
const PAGE = 1000;

/** All rows of a kind whose key begins with `prefix`, in the order of their keys, a page at a time. */
export async function* rowsOf<K extends Kind>(
  store: Pick<Store, 'list'>,
  kind: K,
  prefix = '',
): AsyncGenerator<Stored<K>> {
  let after: string | undefined;
  for (;;) {
    const place = { prefix, ...(after !== undefined && { after }), limit: PAGE };
    const page = await store.list(kind, place);
    yield* page;
    after = page.at(-1)?.key;
    if (page.length < PAGE) return;
  }
}
