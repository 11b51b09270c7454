import { leastWorth, type Evictable } from '#policies/keepalive/eviction.ts';
import { type Account, createAccount } from './account.ts';
import { walk } from './walk.ts';
import type { Trace } from './trace.ts';

/** A policy that keeps all until memory is short, and then says what each is worth. */
export interface Evictor {
  readonly name: string;
  tick?(now: number): void;
  arrive(model: number, idle: number | undefined, now: number): void;
  idle?(model: number, now: number): void;
  /** Of a model that is loaded and idle. */
  worth(model: number, now: number): number;
  evicted?(model: number, worth: number): void;
}

/**
 * Loaded memory never exceeds `cap`, as far as requests allow: what runs is never evicted, and what has to run
 * runs, but is first to go.
 */
export function replayCapped(trace: Trace, evictor: Evictor, cap: number): Account {
  const account = createAccount(trace);
  const memoryOf = (model: number): number => trace.models[model]!.memory;
  const idleSince = new Map<number, number>();
  const loaded = new Set<number>();
  let used = 0;

  function makeRoom(now: number, needed: number): void {
    const short = used + needed - cap;
    if (short <= 0) return;
    const idle: Evictable[] = [];
    for (const model of idleSince.keys()) {
      idle.push({ model, memory: memoryOf(model), worth: evictor.worth(model, now) });
    }
    for (const { model, worth } of leastWorth(idle, short)) {
      account.loaded(model, idleSince.get(model)!, now);
      idleSince.delete(model);
      loaded.delete(model);
      used -= memoryOf(model);
      account.evict();
      evictor.evicted?.(model, worth);
    }
  }

  walk(trace, {
    tick: (now) => evictor.tick?.(now),
    arrive(model, since, now, isBusy) {
      const isCold = !loaded.has(model);
      account.arrive(model, now, isCold ? 'cold' : 'hot');
      if (!isBusy) evictor.arrive(model, since === undefined ? undefined : now - since, now);
      const from = idleSince.get(model);
      if (from !== undefined) account.loaded(model, from, now);
      idleSince.delete(model);
      if (!isCold) return;
      makeRoom(now, memoryOf(model));
      loaded.add(model);
      used += memoryOf(model);
    },
    idle(model, now) {
      evictor.idle?.(model, now);
      idleSince.set(model, now);
      makeRoom(now, 0);
    },
    end() {},
  });
  for (const [model, from] of idleSince) account.loaded(model, from, trace.to);
  return account;
}
