import type { Instance, Runtime } from '#runtime/runtime.ts';
import { type Desired, type DesiredSeen, decideDesired, makeEvicted } from '#policies/desired.ts';
import { decideKeepAlive, type Planned } from '#policies/keepalive.ts';
import { PANIC_SECONDS, STABLE_SECONDS, decideScale } from '#policies/scale.ts';
import { meanLoad } from '#policies/window.ts';
import { type Active, ceilingsOf, floorsOf } from './active.ts';
import type { LoadBook } from '../load.ts';
import { decideBySignals } from './signals/by-signals.ts';
import type { Readings } from './signals/readings.ts';

/** All that the policies are shown of a revision. */
export interface Seen {
  /** Mean of what waited and ran, over the stable and the panic window. */
  readonly stable: number;
  readonly panic: number;
  readonly ready: number;
  /** Of the ready ones, those that were parked until a moment ago. */
  readonly woken: number;
  /** Starting or ready. */
  readonly instances: number;
  /** Or about to be. */
  readonly parked: number;
  /** For how long the oldest of them has been parked, in ms. */
  readonly parkedFor: number;
  readonly queued: number;
  readonly inFlight: number;
}

/** Data planes tell the load once in this time: what has been awake for less has shown none. */
const WOKEN_MS = 1000;

export function see(one: Active, runtime: Runtime, loads: LoadBook, now: number): Seen {
  const ready = countIn(runtime, one.key, 'ready');
  const parked = parkedIn(runtime, one.key);
  const oldest = Math.min(now, ...parked.map(({ parkedAt }) => parkedAt));
  const parking = countIn(runtime, one.key, 'parking');
  return {
    stable: meanLoad(one.window, now, STABLE_SECONDS),
    panic: meanLoad(one.window, now, PANIC_SECONDS),
    ready,
    woken: wokenIn(runtime, one.key, now),
    instances: ready + countIn(runtime, one.key, 'starting'),
    parked: parked.length + parking,
    parkedFor: now - oldest,
    ...loads.totals(one.key),
  };
}

export function isBusy({ queued, inFlight }: Pick<Seen, 'queued' | 'inFlight'>): boolean {
  return queued + inFlight > 0;
}

export function countIn(runtime: Runtime, key: string, state: Instance['state']): number {
  let count = 0;
  for (const instance of runtime.instances(key)) if (instance.state === state) count++;
  return count;
}

function wokenIn(runtime: Runtime, key: string, now: number): number {
  const woken = runtime.instances(key).filter(({ state, origin, readyAt }) => {
    return state === 'ready' && origin === 'parked' && now - readyAt < WOKEN_MS;
  });
  return woken.length;
}

export function parkedIn(runtime: Runtime, key: string): readonly Instance[] {
  return runtime.instances(key).filter(({ state }) => state === 'parked');
}

/** What learned keep-alive says of an idle revision, and what speaks against loading it ahead of a request. */
export interface Plans {
  planned(one: Active): Planned | undefined;
  notAhead(one: Active): string | undefined;
}

/** Asks the policies one after the other; what they want to remember goes into `one`. */
export function decideFor(
  one: Active,
  seen: Seen,
  plans: Plans,
  readings: Pick<Readings, 'sightings'>,
  now: number,
): { decision: Desired; why: string } {
  const { scaling, workload } = one.facts;
  const spec = { concurrency: workload.spec.concurrency, target: scaling.target };
  const scale = decideScale(spec, seen, one.scale, now);
  one.scale = scale.memory;
  const byLoad = { ...scale.decision, why: scale.why };
  const needed = decideBySignals(one, seen, byLoad, readings, now);
  one.load = isBusy(seen) ? Math.min(Math.max(1, needed.count), scaling.max) : 0;
  if (one.evicted !== undefined) return makeEvicted(one.evicted, ceilingsOf(one));
  return decideDesired({
    scale: needed,
    keepAlive: keepOf(one, seen, plans, now),
    parked: seen.parked,
    busy: isBusy(seen),
    floors: floorsOf(one),
    ceilings: ceilingsOf(one),
  });
}

function keepOf(one: Active, seen: Seen, plans: Plans, now: number): DesiredSeen['keepAlive'] {
  const { lastRequestAt, provenAt, facts } = one;
  const planned = facts.keepAlive.policy === 'adaptive' ? plans.planned(one) : undefined;
  const notAhead = planned?.ahead === true ? plans.notAhead(one) : undefined;
  const about = { ...seen, lastRequestAt, provenAt, planned, notAhead };
  const { decision, why } = decideKeepAlive(facts.keepAlive, about, now);
  return { ...decision, why };
}
