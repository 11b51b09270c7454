/** One change of models at a time, in the order asked: what a change checks still holds when it writes. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>;

export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work, work);
    last = mine.catch(() => undefined);
    return mine;
  };
}

/** So many at a time, in the order asked. */
export function createSeats(seats: number): Turns {
  const waiting: (() => void)[] = [];
  let free = seats;
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => void waiting.push(resolve));
    try {
      return await work();
    } finally {
      // Who waits has the place of who leaves.
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}
