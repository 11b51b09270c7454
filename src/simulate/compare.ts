import { Fault } from '#lib/fault.ts';
import type { Account, Decisions } from './account.ts';
import { createAdaptiveEvictor } from './adaptive.ts';
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
  /** Memory for all that is loaded; below 1 a share of what all models take. */
  readonly cap?: number | undefined;
  /** Present: models can be parked, and then keep this share of their memory. Under a cap nothing is parked. */
  readonly parked?: number | undefined;
}

/** Replays a trace through each policy. */
export function compare(given: Trace, names: readonly string[], limits: Limits = {}): PolicyRow[] {
  const { cap, parked } = limits;
  const trace = parked === undefined || cap !== undefined ? given : withParking(given, parked);
  const frontier = createFrontier(trace);
  return names.map((name) => makeRow(name, trace, run(trace, name, limits), frontier));
}

function run(trace: Trace, name: string, { budget, cap }: Limits): Account {
  const policy = parsePolicy(name);
  if (policy.kind === 'evictor') {
    if (cap !== undefined) return replayCapped(trace, policy.create(trace), capOf(trace, cap));
    throw new Fault('invalid', `${name} evicts under a cap: give --cap`);
  }
  if (policy.kind === 'bisected') {
    if (cap !== undefined) {
      throw new Fault('invalid', `${name} knows no cap: take adaptive:online, or leave out --cap`);
    }
    const target = { budget: budgetOf(trace, name, budget), usedOf: usedBy };
    return meetTargets(trace, [target])[0]!.account;
  }
  const planner =
    policy.kind === 'planner'
      ? policy.create(trace)
      : policy.create(trace, budgetOf(trace, name, budget) / (trace.to - trace.from));
  if (cap === undefined) return replay(trace, planner)[0]!;
  return replayCapped(trace, createAdaptiveEvictor(trace), capOf(trace, cap), planner);
}

function usedBy({ whole }: Account): number {
  return whole.idleMemory;
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

function capOf(trace: Trace, cap: number): number {
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
