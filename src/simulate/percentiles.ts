import type { Account } from './account.ts';

/** Share of a model's arrivals that were cold: percentiles over the models, by nearest rank. */
export interface Percentiles {
  readonly p50: number;
  readonly p75: number;
  readonly p99: number;
}

export function percentilesOf({ arrivals, cold }: Account): Percentiles {
  const shares = Array.from(arrivals, (all, model) => cold[model]! / all)
    .filter((share) => !Number.isNaN(share))
    .toSorted((a, b) => a - b);
  const at = (share: number): number => shares[Math.max(0, Math.ceil(share * shares.length) - 1)]!;
  return { p50: at(0.5), p75: at(0.75), p99: at(0.99) };
}
