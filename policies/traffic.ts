/**
 * Which row of a traffic split gets the next request: smooth weighted round robin. Exact over time: after
 * any number of calls each row's count differs from its share by less than the number of rows, and after
 * a multiple of the weights' sum by nothing. Allocates nothing.
 *
 * @param weights shares, such as percent; rows of 0 are never picked.
 * @param credit memory of the same length, zero at first; changed.
 * @returns the row's index, or -1 when all weights are 0.
 */
export function pickByWeight(weights: Int32Array, credit: Int32Array): number {
  let best = -1;
  let total = 0;
  for (let i = 0; i < weights.length; i += 1) {
    const weight = weights[i]!;
    if (weight === 0) continue;
    total += weight;
    credit[i]! += weight;
    if (best < 0 || credit[i]! > credit[best]!) best = i;
  }
  if (best >= 0) credit[best]! -= total;
  return best;
}

/**
 * The row for a sticky caller: the same `hash` gives the same row while the split stays as it is. When a
 * split changes, a caller moves only if a boundary between two rows passes over it.
 *
 * @param hash a non-negative integer made of what the caller sticks to.
 */
export function pickByHash(weights: Int32Array, hash: number): number {
  let total = 0;
  for (const weight of weights) total += weight;
  if (total === 0) return -1;
  let left = hash % total;
  for (let i = 0; i < weights.length; i += 1) {
    left -= weights[i]!;
    if (left < 0) return i;
  }
  return -1;
}
