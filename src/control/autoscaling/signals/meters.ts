import type { Instance } from '#runtime/runtime.ts';
import { sightTotal } from '#policies/scaling/measured.ts';
import type { Sighting } from '#policies/scaling/signals.ts';
import { type LoadWindow, makeLoadWindow, recordLoad } from '#policies/window.ts';

/**
 * Cores and memory of a revision's ready instances, from what the runtime has measured of each.
 *
 * 1. An instance counts once it was measured, for its cores twice, and for as long as that is fresh. One that does not
 *    is taken for the mean of those that do, never for idle.
 * 2. When none of them counts, what was known last stands, with its time.
 */
export interface Meters {
  /** Once a second. */
  sample(ready: readonly Instance[], now: number): void;
  cores(now: number): Sighting;
  /** Bytes. */
  memory(now: number): Sighting;
}

/** Three measurements of the local runtime's meters. */
const FRESH_MS = 6000;

interface Known {
  readonly seconds: number;
  readonly at: number;
  readonly cores: number | undefined;
}

/** The sum of one quantity over time. */
interface Course {
  readonly window: LoadWindow;
  /** ms; undefined: nothing was known yet. */
  since: number | undefined;
  at: number;
  last: number;
}

export function createMeters(startedAt: number): Meters {
  let known = new Map<string, Known>();
  const cores = makeCourse(startedAt);
  const memory = makeCourse(startedAt);

  function coresOf(instance: Instance): number | undefined {
    return known.get(instance.id)?.cores;
  }

  return {
    sample(ready, now) {
      const fresh = ready.filter(({ measuredAt }) => now - (measuredAt ?? -Infinity) <= FRESH_MS);
      known = new Map(fresh.map((one) => [one.id, lookAt(one, known.get(one.id))]));
      record(cores, sumOf(fresh.map(coresOf), ready.length), now);
      record(
        memory,
        sumOf(
          fresh.map(({ memoryBytes }) => memoryBytes),
          ready.length,
        ),
        now,
      );
    },
    cores: (now) => sightCourse(cores, now),
    memory: (now) => sightCourse(memory, now),
  };
}

function lookAt({ cpuSeconds, measuredAt = 0 }: Instance, before: Known | undefined): Known {
  if (!before) return { seconds: cpuSeconds, at: measuredAt, cores: undefined };
  if (measuredAt <= before.at) return before;
  const used = Math.max(0, cpuSeconds - before.seconds);
  return { seconds: cpuSeconds, at: measuredAt, cores: (used * 1000) / (measuredAt - before.at) };
}

/** Of all, if those of which nothing is known are like the others; undefined: of none anything is. */
function sumOf(values: readonly (number | undefined)[], all: number): number | undefined {
  const some = values.filter((value) => value !== undefined);
  if (some.length === 0) return undefined;
  return (some.reduce((sum, value) => sum + value, 0) / some.length) * all;
}

function makeCourse(now: number): Course {
  return { window: makeLoadWindow(now), since: undefined, at: 0, last: 0 };
}

function record(course: Course, value: number | undefined, now: number): void {
  if (value !== undefined) {
    course.since ??= now;
    course.at = now;
    course.last = value;
  }
  recordLoad(course.window, now, course.last);
}

function sightCourse({ window, since, at }: Course, now: number): Sighting {
  if (since === undefined) return { value: undefined, at: 0, missing: 'has not been measured' };
  return { ...sightTotal(since, window, now), at };
}
