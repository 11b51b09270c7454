import type { Bins } from './bins.ts';

/**
 * What keeping an idle model for one more ms saves at best, by bin of idle time: the largest, over all times until
 * which it might be kept, of the chance that it is asked by then over the time that it is expected to take memory
 * (the index of Gittins). Times what its cold start costs, over its memory, it is the value by which it is evicted:
 * the price of memory at which it is just worth keeping. Beyond the bins that matter the last hazard goes on.
 *
 * Backwards over the bins: one that is followed by something worth more than itself is kept for that as well, so
 * the two become one run. Each bin joins a run once.
 */
export function fillWorth(
  bins: Bins,
  hazards: Float64Array,
  count: number,
  into: Float32Array | Float64Array,
): void {
  const last = count - 1;
  const rate = hazards[last]! / (bins.to[last]! - bins.from[last]!);
  into.fill(rate, count);
  // Of the run that begins at a bin: the chance that it is asked, its expected time, the chance that it goes by.
  const asked = new Float64Array(count);
  const held = new Float64Array(count);
  const passed = new Float64Array(count);
  const next = new Uint32Array(count);
  for (let bin = last; bin >= 0; bin--) {
    const hazard = hazards[bin]!;
    asked[bin] = hazard;
    held[bin] = (bins.to[bin]! - bins.from[bin]!) * (1 - hazard / 2);
    passed[bin] = 1 - hazard;
    let end = bin + 1;
    while (end < count && asked[bin]! * held[end]! < asked[end]! * held[bin]!) {
      asked[bin]! += passed[bin]! * asked[end]!;
      held[bin]! += passed[bin]! * held[end]!;
      passed[bin]! *= passed[end]!;
      end = next[end]!;
    }
    next[bin] = end;
    into[bin] = asked[bin]! / held[bin]!;
  }
}
