import type { ServerMetadata } from '#domain/launch.ts';
import type { Address } from '#domain/routing.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import { formatDuration, formatSize } from '#domain/units.ts';
import type { Instance, Workload } from './runtime.ts';

/**
 * One instance from its launch to its end.
 *
 * 1. Its state goes starting → ready → draining, or starting → draining, never back.
 * 2. A ready one gets SIGTERM only after `release` or the drain time; `end` (closing) is the exception.
 * 3. After SIGTERM comes SIGKILL, when the drain time is over.
 * 4. `ended` is called exactly once; nothing is reported after it.
 */

/** What a launcher tells of an instance. Never called before the launcher has returned. */
export interface Reports {
  started(): void;
  ready(address: Address, metadata?: ServerMetadata): void;
  /** It is gone. `reason`: how, as a phrase such as "exited with status 3". */
  ended(reason: string, lastLines: readonly string[]): void;
}

/** Makes an instance, without throwing: what goes wrong is reported as its end. */
export type Launcher = (
  launch: { readonly id: string; readonly workload: Workload },
  reports: Reports,
) => {
  /** Asks it to finish. */
  terminate(): void;
  /** Ends it by force, whatever it does. */
  kill(): void;
};

export interface Replica {
  readonly id: string;
  view(): Instance;
  start(): void;
  /** It is not wanted any more. */
  dismiss(): void;
  release(): void;
  /** Everything ends: SIGTERM now, SIGKILL after `graceMs`. */
  end(graceMs: number): void;
  measured(memoryBytes: number, cpuSeconds: number): void;
}

export function createReplica(options: {
  id: string;
  workload: Workload;
  clock: Clock;
  launch: Launcher;
  changed: (instance: Instance) => void;
  becameReady: () => void;
  ended: (end: { reason: string; lastLines: readonly string[]; told: boolean }) => void;
}): Replica {
  const { id, workload, clock, launch, changed, becameReady } = options;
  const { readiness, timeouts, resources } = workload.spec;
  let instance: Instance = {
    id,
    revision: workload.key,
    state: 'starting',
    address: undefined,
    askedAt: clock.now(),
    startedAt: 0,
    readyAt: 0,
    memoryBytes: 0,
    cpuSeconds: 0,
  };
  let handle: ReturnType<Launcher> | undefined;
  let timer: Timer | undefined;
  /** SIGTERM or SIGKILL was sent because it is not wanted. */
  let told = false;
  /** Why it is being killed, when that is a failure. */
  let verdict: string | undefined;
  let gone = false;

  function update(change: Partial<Instance>): void {
    instance = { ...instance, ...change };
    changed(instance);
  }

  function schedule(ms: number, run: () => void): void {
    timer?.cancel();
    timer = clock.after(ms, run);
  }

  function condemn(reason: string): void {
    if (told || verdict !== undefined) return;
    verdict = reason;
    handle?.kill();
  }

  function terminate(graceMs: number): void {
    if (told || gone) return;
    told = true;
    schedule(graceMs, () => handle?.kill());
    handle?.terminate();
  }

  const reports: Reports = {
    started() {
      if (gone || instance.startedAt > 0) return;
      update({ startedAt: clock.now() });
      if (instance.state !== 'starting') return;
      const reason = `not ready within ${formatDuration(readiness.timeout)}`;
      schedule(readiness.timeout, () => condemn(reason));
    },
    ready(address, metadata) {
      if (gone || instance.state !== 'starting' || verdict !== undefined) return;
      timer?.cancel();
      update({ state: 'ready', address, readyAt: clock.now(), ...(metadata && { metadata }) });
      becameReady();
    },
    ended(reason, lastLines) {
      if (gone) return;
      gone = true;
      timer?.cancel();
      options.ended({ reason: verdict ?? reason, lastLines, told: told && verdict === undefined });
    },
  };

  return {
    id,
    view: () => instance,
    start() {
      // Launched first: a listener that wants it gone must find something to end.
      handle = launch({ id, workload }, reports);
      changed(instance);
    },
    dismiss() {
      if (gone || instance.state === 'draining') return;
      const wasReady = instance.state === 'ready';
      update({ state: 'draining' });
      if (wasReady) schedule(timeouts.drain, () => terminate(timeouts.drain));
      else kill();
    },
    release() {
      if (instance.state === 'draining') terminate(timeouts.drain);
    },
    end(graceMs) {
      if (gone) return;
      if (instance.state !== 'draining') update({ state: 'draining' });
      told = true;
      schedule(graceMs, () => handle?.kill());
      handle?.terminate();
    },
    measured(memoryBytes, cpuSeconds) {
      if (gone) return;
      // A child that ended takes its CPU time along when nobody waited for it.
      update({ memoryBytes, cpuSeconds: Math.max(cpuSeconds, instance.cpuSeconds) });
      const limit = resources.limits?.memory;
      if (limit === undefined || memoryBytes <= limit) return;
      condemn(`used ${formatSize(memoryBytes)} of memory, its limit is ${formatSize(limit)}`);
    },
  };

  /** Nothing was sent to it yet, so there is nothing to finish. */
  function kill(): void {
    told = true;
    timer?.cancel();
    handle?.kill();
  }
}
