import type { RevisionLoad } from '#bus/messages.ts';
import type { SignalInput } from '#domain/scaling-signals.ts';
import type { Clock } from '#lib/clock.ts';
import type { Runtime } from '#runtime/runtime.ts';
import { recordLatency } from '#policies/scaling/latency-window.ts';
import {
  type Measured,
  makeMeasured,
  sightLatency,
  sightTotal,
} from '#policies/scaling/measured.ts';
import type { Sighting } from '#policies/scaling/signals.ts';
import { recordLoad } from '#policies/window.ts';
import type { RevisionFacts } from '../../records/facts.ts';
import type { Asked } from './asked.ts';
import { type Meters, createMeters } from './meters.ts';

/**
 * What is measured of the signals of active revisions. Those without signals are not here, and cost nothing.
 *
 * 1. What was measured last stands until something newer is, with the time at which it was measured: what is late
 *    becomes old, and never zero.
 */
export interface Readings {
  /** From the next second on. */
  follow(facts: RevisionFacts): void;
  report(load: RevisionLoad): void;
  /** Once a second: what instances use. */
  sample(): void;
  /** One for each signal, in their order. */
  sightings(facts: RevisionFacts): readonly Sighting[];
  forget(revision: string): void;
}

interface Followed {
  readonly measured: Measured;
  readonly meters: Meters;
  ready: number;
  /** The last report, as long as it said that something waits or runs. */
  reportedAt: number | undefined;
}

export function createReadings(options: {
  clock: Clock;
  runtime: Pick<Runtime, 'instances'>;
  asked: Asked;
}): Readings {
  const { clock, runtime, asked } = options;
  const followed = new Map<string, Followed>();

  function take(one: Followed, key: string, now: number): void {
    const ready = runtime.instances(key).filter(({ state }) => state === 'ready');
    // What was ready before is another life: its windows say nothing of this one.
    if (one.ready === 0) one.measured.since = now;
    one.ready = ready.length;
    recordLoad(one.measured.ready, now, ready.length);
    one.meters.sample(ready, now);
  }

  function see(one: Followed, row: SignalInput, facts: RevisionFacts, now: number): Sighting {
    const { measured, meters } = one;
    const told = one.reportedAt ?? now;
    switch (row.signal) {
      case 'concurrency':
        return sightTotal(measured.since, measured.load, told);
      case 'requests':
        return sightTotal(measured.since, measured.arrivals, told);
      case 'latency':
        return sightLatency(measured, measured.latency, told);
      case 'queueWait':
        return sightLatency(measured, measured.waits, told);
      case 'cpu':
        return meters.cores(now);
      case 'memory':
        return facts.workload.spec.resources.memory === undefined ? UNDECLARED : meters.memory(now);
      default:
        return asked.sighting(facts.key, row);
    }
  }

  function find({ key, scaling }: RevisionFacts): Followed | undefined {
    const known = followed.get(key);
    if (scaling.signals.length === 0) {
      if (known) forget(key);
      return undefined;
    }
    if (known) return known;
    const measured = makeMeasured(clock.now());
    const fresh = { measured, meters: createMeters(clock.now()), ready: 0, reportedAt: undefined };
    followed.set(key, fresh);
    return fresh;
  }

  function forget(revision: string): void {
    followed.delete(revision);
    asked.forget(revision);
  }

  return {
    follow(facts) {
      if (find(facts)) asked.follow(facts.key, facts.scaling.signals);
    },
    report(load) {
      const one = followed.get(load.revision);
      if (!one) return;
      const now = clock.now();
      recordLoad(one.measured.load, now, load.concurrency);
      recordLoad(one.measured.arrivals, now, load.arrivals);
      recordLatency(one.measured.latency, now, load.latency ?? []);
      recordLatency(one.measured.waits, now, load.waits ?? []);
      one.reportedAt = load.inFlight + load.queued > 0 ? now : undefined;
    },
    sample() {
      const now = clock.now();
      for (const [key, one] of followed) take(one, key, now);
    },
    sightings(facts) {
      const one = find(facts);
      const now = clock.now();
      return one ? facts.scaling.signals.map((row) => see(one, row, facts, now)) : [];
    },
    forget,
  };
}

const UNDECLARED: Sighting = {
  value: undefined,
  at: 0,
  missing: 'has no resources.memory to compare with',
};
