import type { ServerMetadata } from '#domain/launch.ts';
import type { Address } from '#domain/routing.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import { formatDuration } from '#domain/units.ts';
import { formatSize } from '#domain/format-size.ts';
import type { Instance, InstanceOrigin, InstanceState, Workload } from './runtime.ts';

/**
 * One instance from its launch to its end.
 *
 * 1. Its state goes starting → ready → draining, or starting → draining, never back; but a ready one may go
 *    through parking and parked, and from there be ready again.
 * 2. A ready one gets SIGTERM, or is frozen, only after `release`; SIGTERM also when the drain time is over, unless
 *    it was dismissed with patience. `end` (closing) is the exception. The same holds for a parked one, which goes on
 *    when it is dismissed: it may have been sent something. Nor is its memory paged out before `release`.
 * 3. After SIGTERM comes SIGKILL, when the drain time is over.
 * 4. `ended` is called exactly once; nothing is reported after it.
 */

/**
 * How an instance ended. `told`: because it was told to. `lost`: by no doing of its own; what ran it has died, or it was
 * parked, and who is frozen does nothing.
 */
export interface ReplicaEnd {
  readonly reason: string;
  readonly lastLines: readonly string[];
  readonly told: boolean;
  readonly lost: boolean;
}

/** What a launcher tells of an instance. Never called before the launcher has returned. */
export interface Reports {
  started(origin?: InstanceOrigin): void;
  ready(address: Address, metadata?: ServerMetadata): void;
  /**
   * It is gone. `reason`: how, as a phrase such as "exited with status 3". `lost`: by no doing of its own; what ran it
   * has died.
   */
  ended(reason: string, lastLines: readonly string[], lost?: boolean): void;
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
  /** Stops it where it is, and lets it go on. Absent: it cannot be parked. */
  freeze?(): void;
  thaw?(): void;
  /** Its memory may go, for as long as it is frozen. */
  pageOut?(): void;
  /** What became of the last look whether it is ready, as a phrase such as "GET / answered 503". */
  seen?(): string | undefined;
};

export interface Replica {
  readonly id: string;
  view(): Instance;
  start(): void;
  /** It is not wanted any more. `patient`: its drain time begins with `release`, or when it is dismissed without. */
  dismiss(patient: boolean): void;
  /** It may be wanted again: a ready one is parked when it is released. False: it cannot be. */
  park(): boolean;
  /** A parked one is wanted. */
  wake(): void;
  /** A parked one has been sent something. */
  resume(): void;
  release(): void;
  /** Everything ends: SIGTERM now, SIGKILL after `graceMs`. */
  end(graceMs: number): void;
  measured(memoryBytes: number, cpuSeconds: number): void;
}

/** Dismissed, these have their drain time from then on; one that is being parked has it already. */
const LIMITED: ReadonlySet<InstanceState> = new Set(['ready', 'parked', 'draining']);

export function createReplica(options: {
  id: string;
  workload: Workload;
  clock: Clock;
  launch: Launcher;
  changed: (instance: Instance) => void;
  becameReady: () => void;
  becameParked: () => void;
  ended: (end: ReplicaEnd) => void;
}): Replica {
  const { id, workload, clock, launch, changed, becameReady } = options;
  const { readiness, timeouts, resources } = workload.spec;
  let instance: Instance = {
    id,
    revision: workload.key,
    state: 'starting',
    origin: 'fresh',
    address: undefined,
    askedAt: clock.now(),
    startedAt: 0,
    readyAt: 0,
    parkedAt: 0,
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
  /** It drains for as long as it takes. */
  let isPatient = false;

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
    started(origin = 'fresh') {
      if (gone || instance.startedAt > 0) return;
      update({ startedAt: clock.now(), origin });
      if (instance.state !== 'starting') return;
      // Counted from here, not from the launch: making an environment or fetching a model has limits of its own, and
      // may well take longer.
      schedule(readiness.timeout, () => {
        const seen = handle?.seen?.();
        const late = `not ready within ${formatDuration(readiness.timeout)}`;
        condemn(seen === undefined ? late : `${late}: ${seen}`);
      });
    },
    ready(address, metadata) {
      if (gone || instance.state !== 'starting' || verdict !== undefined) return;
      timer?.cancel();
      update({ state: 'ready', address, readyAt: clock.now(), ...(metadata && { metadata }) });
      becameReady();
    },
    ended(reason, lastLines, lost = false) {
      if (gone) return;
      gone = true;
      timer?.cancel();
      options.ended({
        reason: verdict ?? reason,
        lastLines,
        told: told && verdict === undefined,
        lost: (lost || instance.state === 'parked') && verdict === undefined,
      });
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
    dismiss(patient) {
      const { state } = instance;
      if (gone || told || (state === 'draining' && (patient || !isPatient))) return;
      isPatient = patient;
      // Before anybody hears of it: a listener may release it at once.
      if (patient) timer?.cancel();
      else if (LIMITED.has(state)) limitDrain();
      if (state === 'draining') return;
      update({ state: 'draining', parkedAt: 0 });
      if (state === 'starting') kill();
      else if (state === 'parked' && !told) handle?.thaw?.();
    },
    park() {
      if (gone || instance.state !== 'ready' || !handle?.freeze) return false;
      schedule(timeouts.drain, () => {
        update({ state: 'draining' });
        terminate(timeouts.drain);
      });
      update({ state: 'parking' });
      return true;
    },
    wake() {
      if (gone || instance.state !== 'parked') return;
      becomeAwake();
      // Told first: a request is on its way while the system wakes all threads. A listener may have had it frozen again.
      if (instance.state !== 'parked') handle?.thaw?.();
    },
    resume() {
      if (gone || instance.state !== 'parked') return;
      handle?.thaw?.();
      becomeAwake();
    },
    release() {
      if (instance.state === 'draining') terminate(timeouts.drain);
      else if (instance.state === 'parking') freeze();
      else if (instance.state === 'parked') handle?.pageOut?.();
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
      const most = Math.max(cpuSeconds, instance.cpuSeconds);
      update({ memoryBytes, cpuSeconds: most, measuredAt: clock.now() });
      const limit = resources.limits?.memory;
      if (limit === undefined || memoryBytes <= limit) return;
      condemn(`used ${formatSize(memoryBytes)} of memory, its limit is ${formatSize(limit)}`);
    },
  };

  function becomeAwake(): void {
    const now = clock.now();
    const times = { askedAt: now, startedAt: now, readyAt: now, parkedAt: 0 };
    update({ state: 'ready', origin: 'parked', ...times });
  }

  function limitDrain(): void {
    schedule(timeouts.drain, () => terminate(timeouts.drain));
  }

  function freeze(): void {
    timer?.cancel();
    handle?.freeze?.();
    update({ state: 'parked', parkedAt: clock.now() });
    options.becameParked();
  }

  /** Nothing was sent to it yet, so there is nothing to finish. */
  function kill(): void {
    told = true;
    timer?.cancel();
    handle?.kill();
  }
}
