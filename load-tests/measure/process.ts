import { readFileSync } from 'node:fs';

/** The kernel counts CPU for programs in hundredths of a second, whatever its own clock is. */
const MICROS_PER_TICK = 10_000;
const KIB = 1024;

/** What a process and its threads used since they were started. */
export interface Usage {
  /** User and system time of all threads. */
  readonly cpuMicros: number;
  /** Of the first thread alone. */
  readonly mainMicros: number;
}

export function usageOf(pid: number): Usage {
  return {
    cpuMicros: cpuMicros(readFileSync(`/proc/${pid}/stat`, 'latin1')),
    mainMicros: cpuMicros(readFileSync(`/proc/${pid}/task/${pid}/stat`, 'latin1')),
  };
}

/** utime and stime of a line of `stat`. The name, in parentheses, may hold anything. */
export function cpuMicros(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MICROS_PER_TICK;
}

/** Resident bytes, as the kernel counts them. */
export function rssOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * KIB;
}
