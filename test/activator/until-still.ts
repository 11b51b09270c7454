/** Ways through the data plane and its instance, each of which takes several turns of the loop. */
const ROUNDS = 50;

/** Waits until a count has begun to grow and then stands still, while so many other requests are answered. */
export async function untilStill(
  count: () => number,
  request: () => Promise<unknown>,
): Promise<void> {
  let last = -1;
  while (count() === 0 || count() !== last) {
    last = count();
    for (let round = 0; round < ROUNDS; round += 1) await request();
  }
}
