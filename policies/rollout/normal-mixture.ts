/**
 * How strongly a sum speaks against having no drift upwards: the logarithm of an e-value. A martingale with increments
 * of mean 0 (or less) and so much variance makes it pass log(1/α) with a chance of at most α, however often one looks.
 * The one-sided normal mixture: H. Robbins, "Statistical methods related to the law of the iterated logarithm" (1970);
 * S. R. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences"
 * (2021), section 3.2. With a variance that is estimated it holds for large samples: I. Waudby-Smith et al.,
 * "Time-uniform central limit theory and asymptotic confidence sequences" (2024).
 *
 * @param rho the variance at which it is quickest, times about 8.
 */
export function logNormalMixture(sum: number, variance: number, rho: number): number {
  const whole = variance + rho;
  const z = sum / Math.sqrt(whole);
  return Math.LN2 + 0.5 * Math.log(rho / whole) + (z * z) / 2 + logNormal(z);
}

/** Below this the tail is taken from its asymptotic series. */
const FAR = -5;
const LOG_ROOT_TWO_PI = 0.9189385332046727;

/** Logarithm of the standard normal distribution function. */
function logNormal(z: number): number {
  if (z < FAR) return -(z * z) / 2 - Math.log(-z) - LOG_ROOT_TWO_PI - 1 / (z * z);
  return Math.log(normal(z));
}

/** M. Abramowitz, I. Stegun, "Handbook of Mathematical Functions" (1964), 26.2.17: to 7.5e-8. */
function normal(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const series =
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = Math.exp(-(z * z) / 2 - LOG_ROOT_TWO_PI) * series;
  return z >= 0 ? 1 - tail : tail;
}
