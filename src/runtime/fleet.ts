import type { Clock, Timer } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import { NO_BACKOFF, afterFailure, afterReady, isProbing, type Backoff } from './backoff.ts';
import { createReplica, type Launcher, type Replica } from './replica.ts';
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
 * 1. When `want` returns, no more instances are starting or ready than desired: the surplus was told to go.
 * 2. None is launched before its revision's `retryAt`, nor after `close`.
 * 3. Every launched instance ends in exactly one event: `stopped` or `failed`.
 * 4. What begins to drain never comes back (see `replica.ts`).
 */

export type Fleet = Pick<Runtime, 'release' | 'instances' | 'onEvent' | 'close'> & {
  want(workload: Workload, wanted: Wanted): void;
  /** A new measurement. Passing the memory limit ends the instance. */
  measured(id: string, memoryBytes: number, cpuSeconds: number): void;
};

interface Group {
  readonly key: string;
  workload: Workload;
  desired: number;
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
  newId: () => string;
  launch: Launcher;
}): Fleet {
  const { clock, log, newId, launch } = options;
  const groups = new Map<string, Group>();
  const replicas = new Map<string, Replica>();
  const listeners: ((event: RuntimeEvent) => void)[] = [];
  let closed = false;
  const allGone = Promise.withResolvers<void>();

  function emit(event: RuntimeEvent): void {
    for (const listener of listeners) {
      try {
        listener(event);
      } catch (error) {
        log.error({ event: event.type, err: messageOf(error) }, 'a runtime listener failed');
      }
    }
  }

  function groupOf(workload: Workload): Group {
    const known = groups.get(workload.key);
    if (known) return known;
    const group: Group = {
      key: workload.key,
      workload,
      desired: 0,
      backoff: NO_BACKOFF,
      launches: 0,
      retry: undefined,
      replicas: { starting: new Set(), ready: new Set(), draining: new Set() },
      converging: false,
      stale: false,
    };
    groups.set(workload.key, group);
    return group;
  }

  function converge(group: Group): void {
    group.stale = true;
    if (group.converging) return;
    group.converging = true;
    while (group.stale) {
      group.stale = false;
      const surplus = liveOf(group) - group.desired;
      if (surplus > 0) dismiss(group, surplus);
      else if (surplus < 0 && !closed) add(group);
    }
    group.converging = false;
    if (isSpent(group)) groups.delete(group.key);
  }

  /** Those that start go first, then the newest: the oldest are the warmest. */
  function dismiss(group: Group, count: number): void {
    const { starting, ready } = group.replicas;
    const order = [...[...starting].toReversed(), ...[...ready].toReversed()];
    for (const replica of order.slice(0, count)) replica.dismiss();
  }

  function replace(group: Group, id: string): void {
    const replica = replicas.get(id);
    if (replica && group.replicas.ready.has(replica)) replica.dismiss();
  }

  function add(group: Group): void {
    if (group.retry !== undefined) return;
    const wait = group.backoff.retryAt - clock.now();
    if (wait > 0) {
      group.retry = clock.after(wait, () => {
        group.retry = undefined;
        converge(group);
      });
      return;
    }
    while (liveOf(group) < group.desired && !group.stale) {
      if (isProbing(group.backoff) && group.replicas.starting.size > 0) return;
      start(group);
    }
  }

  function start(group: Group): void {
    const ordinal = group.launches++;
    const replica = createReplica({
      id: newId(),
      workload: group.workload,
      clock,
      launch,
      changed(instance) {
        place(group, replica, instance.state);
        emit({ type: 'instance', instance });
      },
      becameReady() {
        const wasProbing = isProbing(group.backoff);
        group.backoff = afterReady(group.backoff, clock.now());
        if (wasProbing) converge(group);
      },
      ended: (end) => forget(group, replica, ordinal, end),
    });
    replicas.set(replica.id, replica);
    replica.start();
  }

  function forget(
    group: Group,
    replica: Replica,
    launchOrdinal: number,
    end: { reason: string; lastLines: readonly string[]; told: boolean },
  ): void {
    const instance = replica.view();
    group.replicas[instance.state].delete(replica);
    replicas.delete(replica.id);
    if (end.told) {
      emit({ type: 'stopped', instance });
    } else {
      group.backoff = afterFailure(group.backoff, {
        now: clock.now(),
        wasReady: instance.readyAt > 0,
        launch: launchOrdinal,
        launches: group.launches,
      });
      const { failures, retryAt } = group.backoff;
      const { reason, lastLines } = end;
      emit({ type: 'failed', instance, reason, lastLines, failures, retryAt });
    }
    converge(group);
    if (closed && replicas.size === 0) allGone.resolve();
  }

  return {
    want(workload, wanted) {
      if (closed) return;
      const group = groupOf(workload);
      group.workload = workload;
      group.desired = desiredOf(workload, wanted);
      for (const id of wanted.replace ?? []) replace(group, id);
      converge(group);
    },
    measured(id, memoryBytes, cpuSeconds) {
      replicas.get(id)?.measured(memoryBytes, cpuSeconds);
    },
    release(instanceId) {
      replicas.get(instanceId)?.release();
    },
    instances(revision) {
      if (revision === undefined) return Array.from(replicas.values(), viewOf);
      const group = groups.get(revision);
      if (!group) return [];
      const { starting, ready, draining } = group.replicas;
      return [...ready, ...starting, ...draining].map(viewOf);
    },
    onEvent(listener) {
      listeners.push(listener);
    },
    async close(graceMs) {
      closed = true;
      for (const group of groups.values()) group.retry?.cancel();
      if (replicas.size === 0) allGone.resolve();
      for (const replica of replicas.values()) replica.end(graceMs);
      await allGone.promise;
    },
  };
}

function viewOf(replica: Replica): Instance {
  return replica.view();
}

function liveOf(group: Group): number {
  return group.replicas.starting.size + group.replicas.ready.size;
}

/** Nothing is left of it that a later order would have to know. */
function isSpent({ desired, replicas, backoff, retry }: Group): boolean {
  const { starting, ready, draining } = replicas;
  if (desired > 0 || starting.size + ready.size + draining.size > 0) return false;
  return backoff.strikes === 0 && backoff.failures === 0 && retry === undefined;
}

function place(group: Group, replica: Replica, state: InstanceState): void {
  const { starting, ready, draining } = group.replicas;
  if (group.replicas[state].has(replica)) return;
  for (const set of [starting, ready, draining]) set.delete(replica);
  group.replicas[state].add(replica);
}

/** What `url` points at runs anyhow: it is one instance, until there shall be none at most. */
function desiredOf(workload: Workload, wanted: Wanted): number {
  if (workload.spec.runtime === 'url') return Math.min(1, wanted.max);
  return wanted.desired;
}
