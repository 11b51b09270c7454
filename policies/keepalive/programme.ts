import type { Bins } from './bins.ts';
import type { Plan, Step, Temperature } from './plan.ts';

/** From where a plan goes on: a bin of idle time, and the state in which it is entered. */
export interface Start {
  readonly bin: number;
  readonly state: Temperature;
}

/** What the states of an idle model cost, in seconds of cold start. */
export interface Costs {
  /** For each ms of being hot. */
  readonly hot: number;
  readonly cold: number;
  /** Present: it can be frozen, which keeps this share of its memory and wakes at this cost. */
  readonly parked?: { readonly share: number; readonly wake: number } | undefined;
}

/** A load or wake ahead of a request costs this share of what it saves: the work, for nothing if nobody comes. */
const SPECULATION = 0.05;
const TEMPERATURES: readonly Temperature[] = ['hot', 'parked', 'cold'];
export const STATES = TEMPERATURES.length;
const HOT = 0;
const PARKED = 1;
const COLD = 2;
const BEGINNING: Start = { bin: 0, state: 'hot' };

/**
 * The cheapest plan against these hazards, by dynamic programming backwards over the bins: in each it is kept,
 * parked or unloaded, or loaded again since a request is near. `choices` is scratch of `STATES` bytes for each bin.
 */
export function makeCheapestPlan(
  bins: Bins,
  hazards: Float64Array,
  count: number,
  costs: Costs,
  choices: Uint8Array,
  start = BEGINNING,
): Plan {
  const { hot, cold, parked } = costs;
  const wake = parked?.wake ?? cold;
  const share = parked?.share ?? 1;
  // Costs from the next bin on, by the state in which it is entered.
  let [nextHot, nextParked, nextCold] = [cold, cold, cold];
  for (let bin = count - 1; bin >= start.bin; bin--) {
    const hazard = hazards[bin]!;
    const stays = 1 - hazard;
    const kept = hot * (bins.to[bin]! - bins.from[bin]!) * (1 - hazard / 2);
    const ifHot = kept + stays * nextHot;
    const ifParked = parked
      ? share * kept + hazard * wake + stays * nextParked
      : Number.POSITIVE_INFINITY;
    const ifCold = hazard * cold + stays * nextCold;
    const loaded = ifHot + SPECULATION * cold;
    const woken = ifHot + SPECULATION * wake;
    nextHot = Math.min(ifHot, ifParked, ifCold);
    nextParked = Math.min(ifParked, ifCold, woken);
    nextCold = Math.min(ifCold, loaded);
    choices[bin * STATES + HOT] = nextHot === ifHot ? HOT : nextHot === ifParked ? PARKED : COLD;
    choices[bin * STATES + PARKED] =
      nextParked === ifParked ? PARKED : nextParked === ifCold ? COLD : HOT;
    choices[bin * STATES + COLD] = nextCold === ifCold ? COLD : HOT;
  }
  return walkPlan(bins, count, choices, start);
}

function walkPlan(bins: Bins, count: number, choices: Uint8Array, start: Start): Plan {
  const plan: Step[] = [];
  let state: number = TEMPERATURES.indexOf(start.state);
  for (let bin = start.bin; bin < count; bin++) {
    const next = choices[bin * STATES + state]!;
    if (next !== state) plan.push({ after: bins.from[bin]!, state: TEMPERATURES[next]! });
    state = next;
  }
  if (state !== COLD) plan.push({ after: bins.to[count - 1]!, state: 'cold' });
  return plan;
}
