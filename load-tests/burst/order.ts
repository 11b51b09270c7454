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

/** Served one by one, in the order in which they come, the longest unused giving way: how many starts that takes. */
export function countStartsInOrder(models: readonly number[], places: number): number {
  const loaded: number[] = [];
  let starts = 0;
  for (const model of models) {
    const at = loaded.indexOf(model);
    if (at >= 0) loaded.splice(at, 1);
    else starts++;
    loaded.push(model);
    if (loaded.length > places) loaded.shift();
  }
  return starts;
}

/**
 * Of those that came in the order of their numbers, and were served first in the order of the list: how many at most
 * were served before one that had come before them.
 */
export function mostOvertaken(served: readonly number[]): number {
  const counts = served.map((one, at) => served.slice(0, at).filter((other) => other > one).length);
  return Math.max(0, ...counts);
}
