import type { Bins } from './bins.ts';

/** How far ahead a request counts. */
const HORIZON_MS = 24 * 3_600_000;

/**
 * What keeping an idle model for one more ms is likely to save, by bin of idle time: the chance that it is asked
 * within the horizon, over the time that it is expected to take memory until then. Times what its cold start
 * costs, over its memory, it is the value by which it is evicted. Beyond the bins that matter the last hazard
 * goes on.
 */
export function fillWorth(
  bins: Bins,
  hazards: Float64Array,
  count: number,
  into: Float32Array | Float64Array,
): void {
  const last = count - 1;
  const rate = hazards[last]! / (bins.to[last]! - bins.from[last]!);
  let asked = -Math.expm1(-rate * HORIZON_MS);
  let held = asked / rate;
  into.fill(rate, count);
  for (let bin = last; bin >= 0; bin--) {
    const hazard = hazards[bin]!;
    asked = hazard + (1 - hazard) * asked;
    held = (bins.to[bin]! - bins.from[bin]!) * (1 - hazard / 2) + (1 - hazard) * held;
    into[bin] = asked / held;
  }
}
