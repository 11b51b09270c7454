import { formatFigure } from '../words.ts';
import type { Judged, SignalSpec } from './signals.ts';

/** How many instances all signals together need, with fractions. */
export interface Blend {
  readonly needed: number;
  /** By what was measured in the last seconds alone. */
  readonly burst: number;
  /** No signal that can lower the number has a value: it may rise, but stays otherwise. */
  readonly isHeld: boolean;
  /** In words: what each says, and what was left out. */
  readonly said: string;
}

/**
 * Signals with a weight are blended: their weighted mean. Each one without a weight is enough by itself, as all are for
 * a HorizontalPodAutoscaler: the most that any of these needs, or the mean if that is more. So a guard, such as a
 * latency, cannot be outvoted, and where no signal has a weight the number is that of a HorizontalPodAutoscaler.
 */
export function blendSignals(specs: readonly SignalSpec[], judged: readonly Judged[]): Blend {
  const sums = { weight: 0, needed: 0, burst: 0 };
  const alone = { count: 0, needed: 0, burst: 0 };
  const said: string[] = [];
  const leftOut: string[] = [];
  let isWeighted = false;
  for (const [index, { name, weight }] of specs.entries()) {
    const one = judged[index]!;
    isWeighted ||= weight !== undefined;
    if ('leftOut' in one) {
      leftOut.push(`${name} ${one.leftOut}`);
      continue;
    }
    said.push(
      `${name} ${formatFigure(one.needed)}${weight === undefined ? '' : ` (weight ${weight})`}`,
    );
    if (weight === undefined) {
      alone.count++;
      alone.needed = Math.max(alone.needed, one.needed);
      alone.burst = Math.max(alone.burst, one.burst);
    } else {
      sums.weight += weight;
      sums.needed += weight * one.needed;
      sums.burst += weight * one.burst;
    }
  }
  const mean = (sum: number): number => (sums.weight > 0 ? sum / sums.weight : 0);
  const parts = [said.length > 0 ? `by ${said.join(', ')}` : 'by no signal'];
  if (leftOut.length > 0) parts.push(`left out: ${leftOut.join(', ')}`);
  return {
    needed: Math.max(mean(sums.needed), alone.needed),
    burst: Math.max(mean(sums.burst), alone.burst),
    isHeld: isWeighted ? sums.weight === 0 : alone.count === 0,
    said: parts.join('; '),
  };
}
