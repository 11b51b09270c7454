/** A little less than the runner gives a test, so that it is said what did not come. */
const PATIENCE_MS = 55_000;
/** What happens in this process comes within some turns of its loop: so long it is asked after each. */
const SOON_MS = 20;
const STEP_MS = 10;

/** Asks again until it holds. The time between is real, for the processes and sockets of a test. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const begun = performance.now();
  while (!(await condition())) {
    const waited = performance.now() - begun;
    if (waited > PATIENCE_MS) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => {
      if (waited < SOON_MS) setImmediate(resolve);
      else setTimeout(resolve, STEP_MS);
    });
  }
}
