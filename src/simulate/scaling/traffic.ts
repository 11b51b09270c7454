import type { Work } from './replica.ts';
import type { Shape } from './shapes.ts';

/** Requests of a shape, the same for the same seed. */

/** Alone: most of a heavy one computes, most of a light one waits. By up to half more or less. */
const HEAVY = { alone: 90, computing: 0.9 };
const LIGHT = { alone: 220, computing: 0.05 };
const SECOND_MS = 1000;

/** The one that comes at `now`, ms. */
export function drawWork(shape: Shape, now: number, roll: () => number): Work {
  const { alone, computing } = roll() < shape.heavyAt(now / SECOND_MS) ? HEAVY : LIGHT;
  return { at: now, alone: alone * (0.5 + roll()), computing };
}

/** When the one after that comes. */
export function drawNext(shape: Shape, now: number, roll: () => number): number {
  return now - (Math.log(1 - roll()) * SECOND_MS) / shape.rateAt(now / SECOND_MS);
}

/** Uniform in [0, 1), the same for the same seed: mulberry32. */
export function makeRoll(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
