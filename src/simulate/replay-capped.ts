import { leastWorth, type Evictable } from '#policies/keepalive/eviction.ts';
import type { Temperature } from '#policies/keepalive/plan.ts';
import { type Account, createAccount } from './account.ts';
import { createPlans } from './plans.ts';
import type { Planner } from './replay.ts';
import { walk } from './walk.ts';
import type { Trace } from './trace.ts';

/** Says what each model is worth when memory is short. */
export interface Evictor {
  readonly name: string;
  tick?(now: number): void;
  arrive(model: number, idle: number | undefined, now: number): void;
  idle?(model: number, now: number): void;
  /** Of a model that is loaded and idle. */
  worth(model: number, now: number): number;
  evicted?(model: number, worth: number): void;
}

/** Keeps all until memory is short. */
const KEEPER: Planner = { variants: ['keep'], plan: () => [[]] };

/**
 * Loaded memory never exceeds `cap`, as far as requests allow: what runs is never evicted, and what has to run
 * runs, but is first to go. What the first variant of `planner` would load ahead of a request waits until memory is
 * free. Nothing is parked.
 */
export function replayCapped(
  trace: Trace,
  evictor: Evictor,
  cap: number,
  planner: Planner = KEEPER,
): Account {
  const account = createAccount(trace);
  const memoryOf = (model: number): number => trace.models[model]!.memory;
  const plans = createPlans(trace.models.length, follow);
  /** Of those that are loaded and idle. */
  const heldSince = new Map<number, number>();
  const loaded = new Set<number>();
  /** Shall be loaded ahead of a request. */
  const expected = new Set<number>();
  let used = 0;

  function makeRoom(now: number, needed: number): void {
    const short = used + needed - cap;
    if (short <= 0) return;
    const idle: Evictable[] = [];
    for (const model of heldSince.keys()) {
      idle.push({ model, memory: memoryOf(model), worth: evictor.worth(model, now) });
    }
    for (const { model, worth } of leastWorth(idle, short)) {
      unload(model, now);
      account.evict();
      evictor.evicted?.(model, worth);
    }
  }

  function load(model: number): void {
    loaded.add(model);
    used += memoryOf(model);
  }

  function release(model: number, now: number): void {
    const since = heldSince.get(model);
    if (since !== undefined) account.loaded(model, since, now);
    heldSince.delete(model);
  }

  function unload(model: number, now: number): void {
    if (!heldSince.has(model)) return;
    release(model, now);
    loaded.delete(model);
    used -= memoryOf(model);
  }

  /** The plan of an idle model has come to this. */
  function follow(model: number, state: Temperature, now: number): void {
    expected.delete(model);
    if (state === 'cold') unload(model, now);
    else if (!loaded.has(model)) expected.add(model);
    loadExpected(now);
  }

  function loadExpected(now: number): void {
    for (const model of expected) {
      if (used + memoryOf(model) > cap) continue;
      expected.delete(model);
      load(model);
      heldSince.set(model, now);
      account.ahead(model, now);
    }
  }

  walk(trace, {
    tick(now) {
      plans.passTime(now);
      evictor.tick?.(now);
      planner.tick?.(now);
      if (planner.revise) plans.revise((model) => planner.revise?.(model, now)?.[0], now);
      loadExpected(now);
    },
    arrive(model, since, now, isBusy) {
      plans.passTime(now);
      const isCold = !loaded.has(model);
      account.arrive(model, now, isCold ? 'cold' : 'hot');
      const idle = since === undefined ? undefined : now - since;
      if (!isBusy) {
        evictor.arrive(model, idle, now);
        planner.arrive?.(model, idle, now);
      }
      plans.end(model);
      expected.delete(model);
      release(model, now);
      if (!isCold) return;
      makeRoom(now, memoryOf(model));
      load(model);
    },
    idle(model, now) {
      plans.passTime(now);
      evictor.idle?.(model, now);
      const [plan] = planner.plan(model, now);
      account.plan(plan!);
      heldSince.set(model, now);
      plans.begin(model, plan!, now);
      makeRoom(now, 0);
    },
    end() {},
  });
  plans.passTime(trace.to);
  for (const [model, from] of heldSince) account.loaded(model, from, trace.to);
  return account;
}
