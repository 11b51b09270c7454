/**
 * Who is to be looked at when, to the second: so that those of whom nothing is due cost nothing.
 *
 * 1. Each is in one bucket at most, or due.
 * 2. What is due and was not taken stays due, in the order in which it became so.
 */
export interface Calendar<T> {
  /** Once, from this time on (ms since the epoch); what was set before does not hold any more. */
  set(item: T, at: number): void;
  delete(item: T): void;
  /** Those that are due, at most so many; the rest the next time. */
  take(now: number, most: number): readonly T[];
}

const BUCKET_MS = 1000;

export function createCalendar<T>(start: number): Calendar<T> {
  const buckets = new Map<number, Set<T>>();
  const bucketOf = new Map<T, number>();
  const due = new Set<T>();
  let opened = Math.floor(start / BUCKET_MS);

  function remove(item: T): void {
    const number = bucketOf.get(item);
    due.delete(item);
    if (number === undefined) return;
    bucketOf.delete(item);
    const bucket = buckets.get(number);
    bucket?.delete(item);
    if (bucket?.size === 0) buckets.delete(number);
  }

  function open(number: number): void {
    for (const item of buckets.get(number) ?? []) {
      bucketOf.delete(item);
      due.add(item);
    }
    buckets.delete(number);
  }

  /** A clock that has jumped far would have more empty seconds than there are buckets. */
  function openUntil(last: number): void {
    if (last - opened > buckets.size) {
      const passed = [...buckets.keys()].filter((number) => number <= last);
      for (const number of passed.toSorted((a, b) => a - b)) open(number);
    } else {
      for (let number = opened + 1; number <= last; number++) open(number);
    }
    opened = Math.max(opened, last);
  }

  return {
    set(item, at) {
      remove(item);
      const number = Math.max(Math.ceil(at / BUCKET_MS), opened + 1);
      bucketOf.set(item, number);
      buckets.set(number, (buckets.get(number) ?? new Set()).add(item));
    },
    delete: remove,
    take(now, most) {
      openUntil(Math.floor(now / BUCKET_MS));
      const taken: T[] = [];
      for (const item of due) {
        if (taken.length >= most) break;
        taken.push(item);
      }
      for (const item of taken) due.delete(item);
      return taken;
    },
  };
}
