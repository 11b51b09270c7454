import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { ENV_MODEL, ENV_STANDBY } from '#domain/launch.ts';
import { systemProcesses } from '#runtime/local/process/proc.ts';
import { wordsOf } from '../measure/instances.ts';
import { rssOf } from '../measure/process.ts';

const KIB = 1024;
const LOOK_MS = 500;

/** Resident bytes of Rouse's own processes, at the moments when each sum was highest. */
export interface Memory {
  /** Each process with all of its pages: what several share is counted several times. */
  readonly rssBytes: number;
  /** Proportional: of a page that several share, each has its part. */
  readonly pssBytes: number;
  /** At the highest sum of `pssBytes`, by process. */
  readonly parts: readonly { readonly name: string; readonly pssBytes: number }[];
}

/** Looks at Rouse, the runner of the job and whatever else it has started, but no instances, until `during` is over. */
export async function watchMemory(rouse: number, during: Promise<unknown>): Promise<Memory> {
  let peak: Memory = { rssBytes: 0, pssBytes: 0, parts: [] };
  const look = (): void => {
    const pids = ownProcesses(rouse);
    const rssBytes = sum(pids.map(rssOf));
    const parts = pids.map((pid) => ({ name: nameOf(pid, rouse), pssBytes: pssOf(pid) }));
    const pssBytes = sum(parts.map((part) => part.pssBytes));
    peak = {
      ...(pssBytes > peak.pssBytes ? { pssBytes, parts } : peak),
      rssBytes: Math.max(peak.rssBytes, rssBytes),
    };
  };
  const timer = setInterval(() => {
    try {
      look();
    } catch {
      // One of them has ended meanwhile.
    }
  }, LOOK_MS);
  try {
    await during;
  } finally {
    clearInterval(timer);
  }
  return peak;
}

/** Rouse and what descends from it, without instances and those that stand by to become some. */
function ownProcesses(rouse: number): number[] {
  const descend = (pid: number): number[] => {
    if (pid !== rouse && isInstance(pid)) return [];
    return [pid, ...systemProcesses.children(pid).flatMap(descend)];
  };
  return descend(rouse);
}

function isInstance(pid: number): boolean {
  const words = wordsOf(`/proc/${pid}/environ`);
  return words.some((word) => [ENV_MODEL, ENV_STANDBY].some((name) => word.startsWith(`${name}=`)));
}

/** Proportional set size, as the kernel counts it. */
function pssOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * KIB;
}

function nameOf(pid: number, rouse: number): string {
  if (pid === rouse) return 'rouse serve';
  const words = wordsOf(`/proc/${pid}/cmdline`);
  const script = words.find((word) => /\.[jt]s$/.test(word)) ?? words[0] ?? '';
  return script.includes('/batch/main') ? 'runner' : basename(script);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
