/**
 * Which instance gets the next request: the least loaded one with room, ties broken at random so that
 * several data planes do not all choose the same. Allocates nothing.
 *
 * @param inFlight requests at each instance; negative: not to be used.
 * @param count how many entries of `inFlight` are in use.
 * @param limit requests that an instance takes at once; 0 = no limit.
 * @param roll a random number in [0, 1).
 * @returns its index, or -1 when none has room.
 */
export function pickLeastLoaded(
  inFlight: Int32Array,
  count: number,
  limit: number,
  roll: number,
): number {
  let least = limit === 0 ? 0x7fffffff : limit;
  let ties = 0;
  for (let i = 0; i < count; i += 1) {
    const load = inFlight[i]!;
    if (load < 0 || load > least || (load === limit && limit !== 0)) continue;
    if (load < least) {
      least = load;
      ties = 1;
    } else ties += 1;
  }
  return ties === 0 ? -1 : nthWithLoad(inFlight, count, least, Math.floor(roll * ties));
}

function nthWithLoad(inFlight: Int32Array, count: number, load: number, nth: number): number {
  let left = nth;
  for (let i = 0; i < count; i += 1) {
    if (inFlight[i] !== load) continue;
    if (left === 0) return i;
    left -= 1;
  }
  return -1;
}
