import type { Clock, Timer } from '#lib/clock.ts';
import { callEach } from '#lib/listeners.ts';
import type { Log } from '#lib/log.ts';
import { NO_BACKOFF, afterFailure, afterReady, isProbing, type Backoff } from './backoff.ts';
import { createReplica, type Launcher, type Replica, type ReplicaEnd } from './replica.ts';
import type {
  Instance,
  InstanceState,
  Runtime,
  RuntimeEvent,
  Wanted,
  Workload,
} from './runtime.ts';

/**
 * Which instances there are, which there shall be, and what becomes of each. It knows no processes: a
 * `Launcher` makes and ends them. Single writer, no `await`.
 *
 * 1. When `want` returns, no more instances are starting or ready than desired, nor more parked or parking
 *    than allowed: the surplus was told to go. What is resumed may be one too many, until then. None is started while
 *    one is parked that would do.
 * 2. None is launched before its revision's `retryAt`, nor after `close`.
 * 3. Every launched instance ends in exactly one event: `stopped` or `failed`.
 * 4. What begins to drain never comes back (see `replica.ts`). What is being parked comes back when it is
 *    parked: if it is wanted by then, before what was started in its place meanwhile.
 */

export type Fleet = Pick<Runtime, 'release' | 'resume' | 'instances' | 'onEvent' | 'close'> & {
  want(workload: Workload, wanted: Wanted): void;
  /** A new measurement. Passing the memory limit ends the instance. */
  measured(id: string, memoryBytes: number, cpuSeconds: number): void;
};

/** The replicas of a revision, and what is wanted of them. */
interface ReplicaSet {
  readonly key: string;
  workload: Workload;
  desired: number;
  /** How many may be parked. */
  parked: number;
  /** What has to go finishes what it has. */
  patient: boolean;
  backoff: Backoff;
  launches: number;
  retry: Timer | undefined;
  /** Oldest first. */
  readonly replicas: Record<InstanceState, Set<Replica>>;
  /** A listener may give a new order while the last one is carried out: it is done right after it. */
  converging: boolean;
  stale: boolean;
}

export function createFleet(options: {
  clock: Clock;
  log: Log;
  newId: (workload: Workload) => string;
  launch: Launcher;
}): Fleet {
  const { clock, log, newId, launch } = options;
  const replicaSets = new Map<string, ReplicaSet>();
  const replicas = new Map<string, Replica>();
  const listeners: ((event: RuntimeEvent) => void)[] = [];
  let closed = false;
  const allGone = Promise.withResolvers<void>();

  const emit = (event: RuntimeEvent): void => callEach(listeners, event, log);

  function replicaSetOf(workload: Workload): ReplicaSet {
    const known = replicaSets.get(workload.key);
    if (known) return known;
    const replicaSet: ReplicaSet = {
      key: workload.key,
      workload,
      desired: 0,
      parked: 0,
      patient: false,
      backoff: NO_BACKOFF,
      launches: 0,
      retry: undefined,
      replicas: {
        starting: new Set(),
        ready: new Set(),
        parking: new Set(),
        parked: new Set(),
        draining: new Set(),
      },
      converging: false,
      stale: false,
    };
    replicaSets.set(workload.key, replicaSet);
    return replicaSet;
  }

  function converge(replicaSet: ReplicaSet): void {
    replicaSet.stale = true;
    if (replicaSet.converging) return;
    replicaSet.converging = true;
    while (replicaSet.stale) {
      replicaSet.stale = false;
      wakeParked(replicaSet);
      const surplus = liveOf(replicaSet) - replicaSet.desired;
      if (surplus > 0) dismiss(replicaSet, surplus);
      else if (surplus < 0 && !closed) add(replicaSet);
      trimParked(replicaSet);
    }
    replicaSet.converging = false;
    if (isSpent(replicaSet)) replicaSets.delete(replicaSet.key);
  }

  /** In place of those that still start, too. The last one parked has most of its memory left. */
  function wakeParked(replicaSet: ReplicaSet): void {
    const { ready, parked } = replicaSet.replicas;
    if (closed || parked.size === 0) return;
    const missing = Math.max(0, replicaSet.desired - ready.size);
    for (const replica of [...parked].toReversed().slice(0, missing)) replica.wake();
  }

  /** Those that start go first, then the newest: the oldest are the warmest. */
  function dismiss(replicaSet: ReplicaSet, count: number): void {
    const { starting, ready } = replicaSet.replicas;
    const order = [...[...starting].toReversed(), ...[...ready].toReversed()];
    for (const replica of order.slice(0, count)) {
      const isRoom = !closed && parkedOf(replicaSet) < replicaSet.parked;
      if (!isRoom || !replica.park()) replica.dismiss(replicaSet.patient);
    }
  }

  function trimParked(replicaSet: ReplicaSet): void {
    const { parked, parking } = replicaSet.replicas;
    const surplus = parkedOf(replicaSet) - replicaSet.parked;
    if (surplus <= 0) return;
    for (const replica of [...parked, ...parking].slice(0, surplus)) {
      replica.dismiss(replicaSet.patient);
    }
  }

  function replace(replicaSet: ReplicaSet, id: string): void {
    const replica = replicas.get(id);
    if (replica && replicaSet.replicas.ready.has(replica)) replica.dismiss(false);
  }

  function add(replicaSet: ReplicaSet): void {
    if (replicaSet.retry !== undefined) return;
    const wait = replicaSet.backoff.retryAt - clock.now();
    if (wait > 0) {
      replicaSet.retry = clock.after(wait, () => {
        replicaSet.retry = undefined;
        converge(replicaSet);
      });
      return;
    }
    while (liveOf(replicaSet) < replicaSet.desired && !replicaSet.stale) {
      if (isProbing(replicaSet.backoff) && replicaSet.replicas.starting.size > 0) return;
      start(replicaSet);
    }
  }

  function start(replicaSet: ReplicaSet): void {
    const ordinal = replicaSet.launches++;
    const replica = createReplica({
      id: newId(replicaSet.workload),
      workload: replicaSet.workload,
      clock,
      launch,
      changed(instance) {
        place(replicaSet, replica, instance.state);
        emit({ type: 'instance', instance });
      },
      becameReady() {
        const wasProbing = isProbing(replicaSet.backoff);
        replicaSet.backoff = afterReady(replicaSet.backoff, clock.now());
        if (wasProbing) converge(replicaSet);
      },
      becameParked: () => converge(replicaSet),
      ended: (end) => forget(replicaSet, replica, ordinal, end),
    });
    replicas.set(replica.id, replica);
    replica.start();
  }

  function strike(replicaSet: ReplicaSet, launch: number, { readyAt }: Instance): void {
    const before = replicaSet.backoff;
    const { launches } = replicaSet;
    const seen = { now: clock.now(), wasReady: readyAt > 0, launch, launches };
    replicaSet.backoff = afterFailure(before, seen);
    if (replicaSet.backoff.retryAt >= before.retryAt) return;
    replicaSet.retry?.cancel();
    replicaSet.retry = undefined;
  }

  function forget(
    replicaSet: ReplicaSet,
    replica: Replica,
    launchOrdinal: number,
    end: ReplicaEnd,
  ): void {
    const instance = replica.view();
    replicaSet.replicas[instance.state].delete(replica);
    replicas.delete(replica.id);
    if (end.told) {
      emit({ type: 'stopped', instance });
    } else {
      if (!end.lost) strike(replicaSet, launchOrdinal, instance);
      const retryAt = Math.max(clock.now(), replicaSet.backoff.retryAt);
      const failures = end.lost ? 0 : replicaSet.backoff.failures;
      const { reason, lastLines } = end;
      emit({ type: 'failed', instance, reason, lastLines, failures, retryAt });
    }
    converge(replicaSet);
    if (closed && replicas.size === 0) allGone.resolve();
  }

  return {
    want(workload, wanted) {
      if (closed) return;
      const replicaSet = replicaSetOf(workload);
      replicaSet.workload = workload;
      replicaSet.desired = desiredOf(workload, wanted);
      replicaSet.parked = wanted.parked ?? 0;
      replicaSet.patient = wanted.patient === true;
      // Nothing of it shall run: nobody waits for the end of what still does.
      if (wanted.max === 0)
        for (const replica of replicaSet.replicas.draining) replica.dismiss(false);
      for (const id of wanted.replace ?? []) replace(replicaSet, id);
      converge(replicaSet);
    },
    measured(id, memoryBytes, cpuSeconds) {
      replicas.get(id)?.measured(memoryBytes, cpuSeconds);
    },
    release(instanceId) {
      replicas.get(instanceId)?.release();
    },
    resume(instanceId) {
      replicas.get(instanceId)?.resume();
    },
    instances(revision) {
      if (revision === undefined) return Array.from(replicas.values(), viewOf);
      const replicaSet = replicaSets.get(revision);
      if (!replicaSet) return [];
      const { starting, ready, parking, parked, draining } = replicaSet.replicas;
      return [...ready, ...starting, ...parked, ...parking, ...draining].map(viewOf);
    },
    onEvent(listener) {
      listeners.push(listener);
    },
    async close(graceMs) {
      closed = true;
      for (const replicaSet of replicaSets.values()) replicaSet.retry?.cancel();
      if (replicas.size === 0) allGone.resolve();
      for (const replica of replicas.values()) replica.end(graceMs);
      await allGone.promise;
    },
  };
}

function viewOf(replica: Replica): Instance {
  return replica.view();
}

function liveOf(replicaSet: ReplicaSet): number {
  return replicaSet.replicas.starting.size + replicaSet.replicas.ready.size;
}

function parkedOf(replicaSet: ReplicaSet): number {
  return replicaSet.replicas.parked.size + replicaSet.replicas.parking.size;
}

/** Nothing is left of it that a later order would have to know. */
function isSpent({ desired, replicas, backoff, retry }: ReplicaSet): boolean {
  if (desired > 0 || Object.values(replicas).some((set) => set.size > 0)) return false;
  return backoff.strikes === 0 && backoff.failures === 0 && retry === undefined;
}

function place(replicaSet: ReplicaSet, replica: Replica, state: InstanceState): void {
  if (replicaSet.replicas[state].has(replica)) return;
  for (const set of Object.values(replicaSet.replicas)) set.delete(replica);
  replicaSet.replicas[state].add(replica);
}

/** What `url` points at runs anyhow: it is one instance, until there shall be none at most. */
function desiredOf(workload: Workload, wanted: Wanted): number {
  if (workload.spec.runtime === 'url') return Math.min(1, wanted.max);
  return wanted.desired;
}
