import { latencyBucket } from '#domain/latency.ts';
import { recordLatency } from '#policies/scaling/latency-window.ts';
import { type Measured, makeMeasured } from '#policies/scaling/measured.ts';
import { type LoadWindow, makeLoadWindow, recordLoad } from '#policies/window.ts';
import { type Replica, type Work, advance, begin, finish, makeReplica } from './replica.ts';
import type { Shape } from './shapes.ts';
import { createTimes, WARM_UP_MS } from './times.ts';
import { drawNext, drawWork, makeRoll } from './traffic.ts';

/** One model under a shape of traffic, and an autoscaler that is asked each second, on a virtual clock. */

/** What an autoscaler is shown, as the live one is. */
export interface View {
  readonly now: number;
  readonly ready: number;
  readonly instances: number;
  readonly queued: number;
  readonly inFlight: number;
  readonly measured: Measured;
  /** In use by all instances, as the meters of a runtime tell it. */
  readonly cores: LoadWindow;
}

export type Autoscale = (view: View) => number;

export interface Outcome {
  /** 10-second windows in which requests came, and those in which 95 % of them met the target. */
  readonly windows: number;
  readonly good: number;
  /** All that ran: starting, ready and draining. */
  readonly instanceSeconds: number;
  readonly requests: number;
}

export const CONCURRENCY = 16;
export const MOST_INSTANCES = 40;
export const START_MS = 5000;
const SECOND_MS = 1000;
const FIRST_INSTANCES = 4;

export function simulate(
  shape: Shape,
  autoscale: Autoscale,
  { targetMs, seed }: { targetMs: number; seed: number },
): Outcome {
  const roll = makeRoll(seed);
  const end = shape.seconds * SECOND_MS;
  const queue: Work[] = [];
  const times = createTimes(end);
  const measured = makeMeasured(0);
  const cores = makeLoadWindow(0);
  let replicas = Array.from({ length: FIRST_INSTANCES }, () => makeReplica(-START_MS, START_MS));
  let now = 0;
  let inFlight = 0;
  let instanceMs = 0;
  /** Of the running second. */
  let loadMs = 0;
  let arrivals = 0;
  let pairs: number[] = [];
  let computed = 0;

  function pass(until: number): void {
    const elapsed = until - now;
    loadMs += (inFlight + queue.length) * elapsed;
    if (now >= WARM_UP_MS) instanceMs += replicas.length * elapsed;
    now = until;
  }

  function roomiest(): Replica | undefined {
    let best: Replica | undefined;
    for (const one of replicas) {
      if (one.isDraining || one.readyAt > now || one.running.length >= CONCURRENCY) continue;
      if (!best || one.running.length < best.running.length) best = one;
    }
    return best;
  }

  function dispatch(): void {
    for (let head = queue[0]; head; head = queue[0]) {
      const replica = roomiest();
      if (!replica) return;
      queue.shift();
      inFlight++;
      begin(replica, head, now);
    }
  }

  function arrive(): void {
    queue.push(drawWork(shape, now, roll));
    arrivals++;
    dispatch();
  }

  function complete(replica: Replica): void {
    const work = finish(replica);
    inFlight--;
    pairs.push(latencyBucket(now - work.at), 1);
    times.add(work.at, now - work.at);
    if (replica.isDraining && replica.running.length === 0) remove(replica);
    dispatch();
  }

  function remove(replica: Replica): void {
    computed -= replica.computed;
    replicas = replicas.filter((one) => one !== replica);
  }

  /** As a report of a data plane and the meters of a runtime would tell it. */
  function measure(ready: readonly Replica[]): void {
    const at = now - 1;
    for (const one of replicas) advance(one, now);
    const used = replicas.reduce((sum, one) => sum + one.computed, 0);
    recordLoad(measured.load, at, loadMs / SECOND_MS);
    recordLoad(measured.arrivals, at, arrivals);
    recordLoad(measured.ready, at, ready.length);
    recordLatency(measured.latency, at, pairs);
    recordLoad(cores, at, (used - computed) / SECOND_MS);
    [loadMs, arrivals, pairs, computed] = [0, 0, [], used];
  }

  function tick(): void {
    const live = replicas.filter((one) => !one.isDraining);
    const ready = live.filter((one) => one.readyAt <= now);
    measure(ready);
    const counts = { ready: ready.length, instances: live.length, queued: queue.length, inFlight };
    scaleTo(autoscale({ now, ...counts, measured, cores }), live);
    dispatch();
  }

  function scaleTo(count: number, live: readonly Replica[]): void {
    const wanted = Math.min(Math.max(count, 1), MOST_INSTANCES);
    for (let more = live.length; more < wanted; more++) replicas.push(makeReplica(now, START_MS));
    // Those that start go first, then the newest, as the local runtime has it.
    const order = live.toSorted((a, b) => b.readyAt - a.readyAt);
    for (const one of order.slice(0, Math.max(0, live.length - wanted))) {
      one.isDraining = true;
      if (one.running.length === 0) remove(one);
    }
  }

  let nextArrival = 0;
  let nextTick = SECOND_MS;
  while (now < end) {
    let next = replicas[0]!;
    for (const one of replicas) if (one.nextAt < next.nextAt) next = one;
    const until = Math.min(nextArrival, nextTick, next.nextAt);
    pass(until);
    if (until === next.nextAt) complete(next);
    else if (until === nextArrival) {
      arrive();
      nextArrival = drawNext(shape, now, roll);
    } else {
      tick();
      nextTick += SECOND_MS;
    }
  }
  for (const { at } of queue) times.add(at, Infinity);
  for (const { running } of replicas) for (const { work } of running) times.add(work.at, Infinity);
  return { ...times.judge(targetMs), instanceSeconds: instanceMs / SECOND_MS };
}
