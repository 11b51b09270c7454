import {
  NO_GROUP,
  unstarted,
  type Extra,
  type Group,
  type GroupEvents,
  type Program,
} from './group.ts';
import type { Guard } from './guard.ts';
import type { Meter } from './meter.ts';
import { systemProcesses } from './proc.ts';
import type { Reaper } from './reaper.ts';
import type { Spawner } from './spawner.ts';
import { descendantsOf, ENV_INSTANCE, type Identity, isSame, signalSame } from './sweep.ts';

/**
 * Starts all processes of the runtime, so that none escapes: each carries its mark, is known to the watchdog,
 * is measured, and what it leaves behind is ended after it.
 */
export interface ProcessHost {
  start(id: string, program: Program, extra: Extra, events: ProcessEvents): Group;
  /** Ends by force what still runs. */
  close(): Promise<void>;
}

export type ProcessEvents = Omit<GroupEvents, 'onExit'> & {
  onExit?(): void;
  onUsage?(memoryBytes: number, cpuSeconds: number): void;
};

export function createProcessHost(options: {
  stateId: string;
  spawner: Spawner;
  guard: Guard;
  meter: Meter;
  reaper: Reaper;
}): ProcessHost {
  const { stateId, spawner, guard, meter, reaper } = options;
  const groups = new Set<Group>();
  const allGone = Promise.withResolvers<void>();
  let isClosed = false;

  return {
    start(id, program, extra, events) {
      if (isClosed) {
        queueMicrotask(() => events.onEnd(unstarted('was not started: Rouse is ending')));
        return NO_GROUP;
      }
      const mark = `${stateId}/${id}`;
      const environment = { ...program.environment, [ENV_INSTANCE]: mark };
      const members = new Map<number, Identity>();
      const group = noting(
        spawner.start({ ...program, environment }, extra, {
          ...events,
          onStart(leader) {
            guard.add(leader);
            meter.add(leader.pid, (bytes, seconds) => events.onUsage?.(bytes, seconds));
            events.onStart?.(leader);
          },
          onExit() {
            const { leader } = group;
            if (leader) meter.remove(leader.pid);
            reaper.bury({ mark, leader, members: Array.from(members.values()) });
            events.onExit?.();
          },
          onEnd(end) {
            groups.delete(group);
            events.onEnd(end);
            if (isClosed && groups.size === 0) allGone.resolve();
          },
        }),
        members,
      );
      groups.add(group);
      return group;
    },
    async close() {
      isClosed = true;
      if (groups.size === 0) allGone.resolve();
      for (const group of groups) group.signal('SIGKILL');
      await allGone.promise;
    },
  };
}

/**
 * Its first process may end by any signal: whoever hangs on it is noted before, since nobody finds them after.
 * Whoever has left its group is frozen with it, and goes on with it. Only that waking one must not cost a look
 * at the system's processes: nobody has come or gone while all were frozen.
 */
function noting(group: Group, members: Map<number, Identity>): Group {
  return {
    get leader() {
      return group.leader;
    },
    assign: (text) => group.assign(text),
    signal(signal) {
      if (signal === 'SIGCONT') {
        signalGroup(group, signal);
        signalAll(members.values(), signal);
        return;
      }
      const { leader } = group;
      const found = leader ? descendantsOf(systemProcesses, leader) : [];
      for (const member of found) members.set(member.pid, member);
      if (signal !== 'SIGSTOP') group.signal(signal);
      else {
        signalGroup(group, signal);
        signalAll(members.values(), signal);
      }
    },
  };
}

/**
 * Freezing and going on: both without a way through the spawner, which would take time when a request waits, and both
 * by the same way, so that the second never comes before the first.
 */
function signalGroup(group: Group, signal: 'SIGSTOP' | 'SIGCONT'): void {
  const { leader } = group;
  // To go on does no harm to whoever might have got the number just now, and a request waits: no look who has it.
  const isKnown = leader && (signal === 'SIGCONT' || isSame(systemProcesses, leader));
  if (isKnown) systemProcesses.signal(-leader.pid, signal);
  else group.signal(signal);
}

function signalAll(members: Iterable<Identity>, signal: NodeJS.Signals): void {
  for (const member of members) signalSame(systemProcesses, member, signal);
}
