import { behavior } from '#domain/scaling-signals.ts';
import type { WeightedSpec } from '#policies/scaling/weighted.ts';
import { CORES } from './replica.ts';

/** 95 % of the requests of ten seconds shall not take longer. */
export const TARGET_MS = 500;

/**
 * `signals: [{ signal: cpu, target: 0.5, weight: 1 }, { signal: latency, target: 450ms }]`, chosen on the shapes for
 * tuning; the pace is what a model file has without a word of it.
 */
export const SIGNALS_SPEC: WeightedSpec = {
  signals: [
    { name: 'cpu', kind: 'total', target: 0.5 * CORES, weight: 1, every: 1000 },
    { name: 'latency', kind: 'ratio', target: 450, every: 1000 },
  ],
  behavior: behavior.parse({}),
};
