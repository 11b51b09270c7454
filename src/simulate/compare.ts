import { Fault } from '#lib/fault.ts';
import type { Account, Decisions } from './account.ts';
import { meetTargets } from './bisect.ts';
import { createFrontier } from './frontier.ts';
import { type Percentiles, percentilesOf } from './percentiles.ts';
import { parsePolicy } from './policy-names.ts';
import { replay } from './replay.ts';
import { replayCapped } from './replay-capped.ts';
import { type Trace, withParking } from './trace.ts';

export interface PolicyRow extends Percentiles {
  readonly policy: string;
  readonly arrivals: number;
  readonly cold: number;
  readonly coldSeconds: number;
  /** Arrivals that found it parked. */
  readonly woken: number;
  /** Mean of memory that was loaded and idle, in the unit of the trace. */
  readonly idleMemory: number;
  /** Loads ahead of a request. */
  readonly loads: number;
  readonly decisions: Decisions;
  /** Cold starts, over those of keeping with the future known at the same idle memory. */
  readonly toFrontier: number;
}

export interface Limits {
  /** Mean of memory that is loaded and idle, or the name of the policy that uses as much as is to be used. */
  readonly budget?: string | undefined;
  /** Memory for those that evict; below 1 a share of what all models take. */
  readonly cap?: number | undefined;
  /** Present: models can be parked, and then keep this share of their memory. */
  readonly parked?: number | undefined;
}

/** Replays a trace through each policy. */
export function compare(given: Trace, names: readonly string[], limits: Limits = {}): PolicyRow[] {
  const trace = limits.parked === undefined ? given : withParking(given, limits.parked);
  const frontier = createFrontier(trace);
  return names.map((name) => makeRow(name, trace, run(trace, name, limits), frontier));
}

function run(trace: Trace, name: string, { budget, cap }: Limits): Account {
  const policy = parsePolicy(name);
  const span = trace.to - trace.from;
  if (policy.kind === 'planner') return replay(trace, policy.create(trace))[0]!;
  if (policy.kind === 'evictor')
    return replayCapped(trace, policy.create(trace), capOf(trace, name, cap));
  const idleMemory = budgetOf(trace, name, budget);
  if (policy.kind === 'online') return replay(trace, policy.create(trace, idleMemory / span))[0]!;
  const target = { budget: idleMemory, usedOf: ({ whole }: Account) => whole.idleMemory };
  return meetTargets(trace, [target])[0]!.account;
}

/** As memory × ms. */
function budgetOf(trace: Trace, name: string, budget: string | undefined): number {
  if (budget === undefined) throw new Fault('invalid', `${name} needs a budget: give --budget`);
  if (Number(budget) > 0) return Number(budget) * (trace.to - trace.from);
  const policy = parsePolicy(budget);
  if (policy.kind === 'planner') return replay(trace, policy.create(trace))[0]!.whole.idleMemory;
  throw new Fault(
    'invalid',
    `--budget ${budget}: expected memory above 0, or a policy that needs no budget or cap`,
  );
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
  return {
    policy,
    arrivals: whole.arrivals,
    cold: whole.cold,
    coldSeconds: whole.coldSeconds,
    woken: whole.woken,
    idleMemory: whole.idleMemory / (trace.to - trace.from),
    loads: whole.loads,
    decisions: account.decisions,
    ...percentilesOf(account),
    toFrontier: whole.cold / frontier(whole.idleMemory),
  };
}
