import type { Clock } from '#lib/clock.ts';
import { startGroup, type Extra, type Group, type GroupEvents, type Program } from './group.ts';
import type { Guard } from './guard.ts';
import type { Meter } from './meter.ts';
import type { Reaper } from './reaper.ts';
import { ENV_INSTANCE } from './sweep.ts';

/**
 * Starts all processes of the runtime, so that none escapes: each carries its mark, is known to the watchdog,
 * is measured, and what it leaves behind is ended after it.
 */
export interface Host {
  start(
    id: string,
    program: Program,
    extra: Extra,
    events: Omit<GroupEvents, 'onExit'> & {
      onExit?(): void;
      onUsage?(memoryBytes: number, cpuSeconds: number): void;
    },
  ): Group;
  /** Ends by force what still runs. */
  close(): Promise<void>;
}

export function createHost(options: {
  stateId: string;
  clock: Clock;
  guard: Guard;
  meter: Meter;
  reaper: Reaper;
}): Host {
  const { stateId, clock, guard, meter, reaper } = options;
  const groups = new Set<Group>();
  let closed: (() => void) | undefined;

  return {
    start(id, program, extra, events) {
      const mark = `${stateId}/${id}`;
      const environment = { ...program.environment, [ENV_INSTANCE]: mark };
      const group = startGroup({ ...program, environment }, extra, clock, {
        ...events,
        onExit() {
          const { leader } = group;
          if (!leader) return;
          meter.remove(leader.pid);
          reaper.bury(mark, leader);
          events.onExit?.();
        },
        onEnd(how) {
          groups.delete(group);
          events.onEnd(how);
          if (groups.size === 0) closed?.();
        },
      });
      groups.add(group);
      if (group.leader) {
        guard.add(group.leader);
        if (events.onUsage) meter.add(group.leader.pid, events.onUsage);
      }
      return group;
    },
    async close() {
      if (groups.size === 0) return;
      const all = new Promise<void>((resolve) => {
        closed = resolve;
      });
      for (const group of groups) group.signal('SIGKILL');
      await all;
    },
  };
}
