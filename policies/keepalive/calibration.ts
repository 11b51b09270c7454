import { AGE_CLASSES } from './bins.ts';

/**
 * The last layer: an online logistic regression for each class of idle time, on what the layers before it say
 * and on what they do not know. Learned by AdaGrad (Duchi, Hazan, Singer, JMLR 2011).
 */
export interface Calibration {
  /** By class of idle time and feature. */
  readonly weights: Float64Array;
  /** Sums of squared gradients. */
  readonly squares: Float64Array;
}

/** 1; logit of the pooled hazard, and what level and shape add to it; then the rest. */
const LAYERS = [1, 2, 3];
export const FEATURES = 13;
const RATE = 0.05;
/** As if gradients had been seen: the first examples do not throw the weights about. */
const FIRST_SQUARES = 1;

/** Before it has learned, it says what the layers before it say. */
export function makeCalibration(): Calibration {
  const weights = new Float64Array(AGE_CLASSES * FEATURES);
  for (let each = 0; each < AGE_CLASSES; each++) {
    for (const layer of LAYERS) weights[each * FEATURES + layer] = 1;
  }
  return { weights, squares: new Float64Array(weights.length).fill(FIRST_SQUARES) };
}

export function calibrate(
  { weights }: Calibration,
  ageClass: number,
  features: Float64Array,
): number {
  let sum = 0;
  const from = ageClass * FEATURES;
  for (let each = 0; each < FEATURES; each++) sum += weights[from + each]! * features[each]!;
  return 1 / (1 + Math.exp(-sum));
}

/** In place. */
export function learnCalibration(
  { weights, squares }: Calibration,
  ageClass: number,
  features: Float64Array,
  error: number,
): void {
  const from = ageClass * FEATURES;
  for (let each = 0; each < FEATURES; each++) {
    const gradient = error * features[each]!;
    if (gradient === 0) continue;
    squares[from + each]! += gradient * gradient;
    weights[from + each]! -= (RATE * gradient) / Math.sqrt(squares[from + each]!);
  }
}
