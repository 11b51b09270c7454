/** What the model said: it had `order` requests before this one, which was sent as the `number`-th. */
export interface Answered {
  readonly order: number;
  readonly number: number;
}

/** First come, first served, as far as it can be seen from outside: within a batch the order is not known. */
export function findDisorder(answered: readonly Answered[], batch: number): string[] {
  const found: string[] = [];
  let newest = 0;
  const seen = new Set<number>();
  for (const { number, order } of answered.toSorted((a, b) => a.order - b.order)) {
    const own = Math.floor(number / batch);
    if (own < newest) found.push(`${number} came ${order}th, after one of batch ${newest}`);
    if (seen.has(number)) found.push(`${number} came twice`);
    seen.add(number);
    newest = Math.max(newest, own);
  }
  return found;
}
