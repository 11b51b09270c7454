/** How often to look, and for how long before it is given up. */
export interface Patience {
  readonly everyMs: number;
  readonly withinMs: number;
}

/** Looks until nothing is missing. `missing` says what still is; when time is over, that is the error. */
export async function until(
  { everyMs, withinMs }: Patience,
  missing: () => string | undefined | Promise<string | undefined>,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const what = await missing();
    if (what === undefined) return;
    if (performance.now() > deadline) throw new Error(what);
    await pause(everyMs);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((next) => {
    setTimeout(next, ms);
  });
}
