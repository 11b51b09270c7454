import { readFileSync } from 'node:fs';
import { rssOf } from '../measure/process.ts';
import { ownProcesses } from './processes.ts';

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
    const own = ownProcesses(rouse);
    const rssBytes = sum(own.map(({ pid }) => rssOf(pid)));
    const parts = own.map(({ pid, name }) => ({ name, pssBytes: pssOf(pid) }));
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

/** Proportional set size, as the kernel counts it. */
function pssOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * KIB;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
