import { endianness } from 'node:os';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** One process as /proc tells it. A pid alone is no identity: it is reused; with its start time it is one. */
export interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  /** Clock ticks since the machine started. */
  readonly startTicks: number;
  /** It has ended and only waits to be collected. */
  readonly isDead: boolean;
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
}

/** What can be seen of, and done to, the processes of this machine. */
export interface ProcessTable {
  list(): ProcessStat[];
  stat(pid: number): ProcessStat | undefined;
  /** The pids of those that it started and that are still its own. */
  children(pid: number): number[];
  /** The environment that it was started with; undefined: gone, or another user's. */
  environment(pid: number): Buffer | undefined;
  signal(pid: number, signal: NodeJS.Signals): void;
}

/** False on systems that are no Linux: what needs /proc says so and does without. */
export function hasProc(): boolean {
  return existsSync('/proc/self/stat') && existsSync('/proc/self/environ');
}

export const systemProcesses: ProcessTable = {
  list() {
    const found: ProcessStat[] = [];
    for (const name of namesIn('/proc')) {
      const first = name.charCodeAt(0);
      if (first < 48 || first > 57) continue;
      const stat = readStat(Number(name));
      if (stat) found.push(stat);
    }
    return found;
  },
  stat: readStat,
  children(pid) {
    const threads = namesIn(`/proc/${pid}/task`);
    try {
      return threads.flatMap((thread) => childrenOf(pid, thread));
    } catch {
      // A kernel that is built without it, or a thread that has just ended.
      const all = systemProcesses.list();
      return all.filter(({ parent }) => parent === pid).map((stat) => stat.pid);
    }
  },
  environment(pid) {
    try {
      return readFileSync(`/proc/${pid}/environ`);
    } catch {
      return undefined;
    }
  },
  signal(pid, signal) {
    try {
      process.kill(pid, signal);
    } catch {
      // It is gone already, or never was ours.
    }
  },
};

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function childrenOf(pid: number, thread: string): number[] {
  const text = readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

function readStat(pid: number): ProcessStat | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return undefined;
  }
}

/** The program's name is in parentheses and may itself contain blanks and parentheses. */
export function parseStat(text: string): ProcessStat {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  // Numbered as in proc(5), where the state is field 3.
  const field = (number: number): number => Number(fields[number - 3]);
  const state = fields[0];
  return {
    pid: Number.parseInt(text, 10),
    parent: field(4),
    session: field(6),
    startTicks: field(22),
    isDead: state === 'Z' || state === 'X',
    // Own time and that of children it has collected: together nothing is counted twice or lost.
    cpuSeconds: (field(14) + field(15) + field(16) + field(17)) / ticksPerSecond,
    memoryBytes: field(24) * pageBytes,
  };
}

const AT_PAGESZ = 6n;
const AT_CLKTCK = 17n;

/** What the kernel tells each program at its start. */
function auxiliary(key: bigint, fallback: number): number {
  try {
    const vector = readFileSync('/proc/self/auxv');
    const little = endianness() === 'LE';
    for (let at = 0; at + 16 <= vector.length; at += 16) {
      const read = (offset: number): bigint =>
        little ? vector.readBigUInt64LE(offset) : vector.readBigUInt64BE(offset);
      if (read(at) === key) return Number(read(at + 8));
    }
  } catch {
    // Not Linux.
  }
  return fallback;
}

const pageBytes = auxiliary(AT_PAGESZ, 4096);
const ticksPerSecond = auxiliary(AT_CLKTCK, 100);
