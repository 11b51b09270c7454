import { Fault } from '#lib/fault.ts';
import type { Account } from './account.ts';
import { createFrontier } from './frontier.ts';
import { parsePolicy } from './policy-names.ts';
import { replay } from './replay.ts';
import { replayCapped } from './replay-capped.ts';
import type { Trace } from './trace.ts';

export interface PolicyRow {
  readonly policy: string;
  readonly arrivals: number;
  readonly cold: number;
  readonly coldSeconds: number;
  /** Mean of memory that was loaded and idle, in the unit of the trace. */
  readonly idleMemory: number;
  /** Loads ahead of a request. */
  readonly loads: number;
  /** Share of a model's arrivals that were cold: percentiles over the models. */
  readonly p50: number;
  readonly p75: number;
  readonly p99: number;
  /** Cold starts, over those of keeping with the future known at the same idle memory. */
  readonly toFrontier: number;
}

/** Replays a trace through each policy. `cap`: memory for those that evict; a share of all models' when below 1. */
export function compare(trace: Trace, names: readonly string[], cap?: number): PolicyRow[] {
  const frontier = createFrontier(trace);
  return names.flatMap((name) => {
    const policy = parsePolicy(name);
    if (policy.kind === 'planner') {
      const planner = policy.create(trace);
      const accounts = replay(trace, planner);
      return accounts.map((one, index) => makeRow(planner.variants[index]!, trace, one, frontier));
    }
    const account = replayCapped(trace, policy.create(trace), capOf(trace, name, cap));
    return [makeRow(name, trace, account, frontier)];
  });
}

function capOf(trace: Trace, name: string, cap: number | undefined): number {
  if (cap === undefined) throw new Fault('invalid', `${name} evicts under a cap: give --cap`);
  const all = trace.models.reduce((sum, { memory }) => sum + memory, 0);
  return cap < 1 ? cap * all : cap;
}

function makeRow(
  policy: string,
  trace: Trace,
  account: Account,
  frontier: (idleMemory: number) => number,
): PolicyRow {
  const { whole } = account;
  const shares = Array.from(account.cold, (cold, model) => cold / account.arrivals[model]!)
    .filter((share) => !Number.isNaN(share))
    .toSorted((a, b) => a - b);
  return {
    policy,
    arrivals: whole.arrivals,
    cold: whole.cold,
    coldSeconds: whole.coldSeconds,
    idleMemory: whole.idleMemory / (trace.to - trace.from),
    loads: whole.loads,
    p50: percentile(shares, 0.5),
    p75: percentile(shares, 0.75),
    p99: percentile(shares, 0.99),
    toFrontier: whole.cold / frontier(whole.idleMemory),
  };
}

/** Nearest rank. */
function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
