import { SPECULATIVE_LOAD_MS } from '#policies/keepalive/online.ts';
import { type Plan, type Temperature, useOf } from '#policies/keepalive/plan.ts';
import type { Trace } from './trace.ts';

export interface Sums {
  arrivals: number;
  cold: number;
  /** Seconds of cold starts. */
  coldSeconds: number;
  /** Arrivals that found it parked. */
  woken: number;
  /** Memory × ms in which it was loaded and idle, of what was kept parked, and of the loads ahead of a request. */
  idleMemory: number;
  /** Loads ahead of a request. */
  loads: number;
}

/** What was decided: plans, those of them that unload at once and that load ahead of a request; evictions. */
export interface Decisions {
  plans: number;
  atOnce: number;
  ahead: number;
  evictions: number;
}

/** Counts what a policy did to a trace, as a whole and in its second half, when learning is over. */
export interface Account {
  /** `found`: its state until then. */
  arrive(model: number, now: number, found: Temperature): void;
  plan(plan: Plan): void;
  /** A model was idle from `from` until `to` under this plan. */
  idle(model: number, plan: Plan, from: number, to: number): void;
  /** The same where the policy plans nothing: it was loaded and idle. */
  loaded(model: number, from: number, to: number): void;
  /** And it was loaded ahead of a request. */
  ahead(model: number, now: number): void;
  evict(): void;
  readonly decisions: Readonly<Decisions>;
  readonly whole: Readonly<Sums>;
  readonly late: Readonly<Sums>;
  /** By model. */
  readonly arrivals: Uint32Array;
  readonly cold: Uint32Array;
}

export function createAccount(trace: Trace): Account {
  const middle = (trace.from + trace.to) / 2;
  const whole = makeSums();
  const late = makeSums();
  const decisions = { plans: 0, atOnce: 0, ahead: 0, evictions: 0 };
  const arrivals = new Uint32Array(trace.models.length);
  const cold = new Uint32Array(trace.models.length);

  function addIdle(model: number, plan: Plan, from: number, to: number, sums: Sums): void {
    const { memory, parked } = trace.models[model]!;
    const until = useOf(plan, to - from);
    const before = useOf(plan, Math.max(0, (sums === late ? middle : from) - from));
    const loads = until.loads - before.loads;
    const frozen = (until.parked - before.parked) * (parked?.share ?? 1);
    sums.idleMemory += memory * (until.hot - before.hot + frozen + loads * SPECULATIVE_LOAD_MS);
    sums.loads += loads;
  }

  return {
    arrive(model, now, found) {
      arrivals[model]! += 1;
      if (found === 'cold') cold[model]! += 1;
      for (const sums of now >= middle ? [whole, late] : [whole]) {
        sums.arrivals++;
        if (found === 'parked') sums.woken++;
        if (found !== 'cold') continue;
        sums.cold++;
        sums.coldSeconds += trace.models[model]!.coldCost;
      }
    },
    plan(plan) {
      decisions.plans++;
      if (plan[0]?.after === 0) decisions.atOnce++;
      if (plan.some(({ state }) => state === 'hot')) decisions.ahead++;
    },
    evict: () => void decisions.evictions++,
    decisions,
    idle(model, plan, from, to) {
      addIdle(model, plan, from, to, whole);
      if (to > middle) addIdle(model, plan, from, to, late);
    },
    loaded(model, from, to) {
      const { memory } = trace.models[model]!;
      whole.idleMemory += memory * (to - from);
      late.idleMemory += memory * Math.max(0, to - Math.max(from, middle));
    },
    ahead(model, now) {
      for (const sums of now >= middle ? [whole, late] : [whole]) {
        sums.loads++;
        sums.idleMemory += trace.models[model]!.memory * SPECULATIVE_LOAD_MS;
      }
    },
    whole,
    late,
    arrivals,
    cold,
  };
}

function makeSums(): Sums {
  return { arrivals: 0, cold: 0, coldSeconds: 0, woken: 0, idleMemory: 0, loads: 0 };
}
