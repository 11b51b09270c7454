/** A little less than the runner gives a test, so that it is said what did not come. */
const PATIENCE_MS = 55_000;
const STEP_MS = 10;

/** Asks again until it holds. The time between is real, for the processes and sockets of a test. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => {
      setTimeout(resolve, STEP_MS);
    });
  }
}
