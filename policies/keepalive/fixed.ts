import type { Plan } from './plan.ts';

/** Hot for `idle` ms, then frozen for `park` ms. */
export function makeFixedPlan(spec: { readonly idle: number; readonly park?: number }): Plan {
  const { idle, park = 0 } = spec;
  const cold = { after: idle + park, state: 'cold' } as const;
  return park > 0 ? [{ after: idle, state: 'parked' }, cold] : [cold];
}
