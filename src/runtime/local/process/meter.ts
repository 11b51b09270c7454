import type { Clock, Timer } from '#lib/clock.ts';
import { systemProcesses, type ProcessStat } from './proc.ts';

/** Memory and CPU of all groups of processes, by one pass over the machine's processes. */
export interface Meter {
  /** `pid`: the first process of the group. `onUsage` hears of each pass. */
  add(pid: number, onUsage: (memoryBytes: number, cpuSeconds: number) => void): void;
  remove(pid: number): void;
  close(): void;
}

interface Usage {
  memoryBytes: number;
  cpuSeconds: number;
}

export function createMeter(options: { clock: Clock; everyMs: number }): Meter {
  const { clock, everyMs } = options;
  const groups = new Map<number, (memoryBytes: number, cpuSeconds: number) => void>();
  let timer: Timer | undefined;

  function pass(): void {
    const usages = sumUp(systemProcesses.list(), groups);
    for (const [pid, { memoryBytes, cpuSeconds }] of usages) {
      groups.get(pid)?.(memoryBytes, cpuSeconds);
    }
    timer = undefined;
    arm();
  }

  function arm(): void {
    if (groups.size > 0) timer ??= clock.after(everyMs, pass);
  }

  return {
    add(pid, onUsage) {
      groups.set(pid, onUsage);
      arm();
    },
    remove(pid) {
      groups.delete(pid);
    },
    close() {
      groups.clear();
      timer?.cancel();
    },
  };
}

/** A process belongs to the group whose session it is in, or else to that of its parent. */
export function sumUp(
  all: readonly ProcessStat[],
  groups: { has(pid: number): boolean },
): Map<number, Usage> {
  const byPid = new Map(all.map((stat) => [stat.pid, stat]));
  const owners = new Map<number, number>();

  function ownerOf(stat: ProcessStat | undefined): number {
    if (!stat) return 0;
    const known = owners.get(stat.pid);
    if (known !== undefined) return known;
    // Set before going up: parents that changed during the pass could form a ring.
    owners.set(stat.pid, 0);
    const owner = groups.has(stat.session) ? stat.session : ownerOf(byPid.get(stat.parent));
    owners.set(stat.pid, owner);
    return owner;
  }

  const usages = new Map<number, Usage>();
  for (const stat of all) {
    const owner = ownerOf(stat);
    if (owner === 0) continue;
    const usage = usages.get(owner) ?? { memoryBytes: 0, cpuSeconds: 0 };
    usage.memoryBytes += stat.memoryBytes;
    usage.cpuSeconds += stat.cpuSeconds;
    usages.set(owner, usage);
  }
  return usages;
}
