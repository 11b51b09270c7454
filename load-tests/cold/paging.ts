import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { until } from '../measure/until.ts';

/** What Rouse itself calls. */
const PAGE_OUT = fileURLToPath(
  new URL('../../src/runtime/local/parking/pageout.py', import.meta.url),
);
/** Rouse waits ten seconds before it does it. */
const PAGING = { everyMs: 50, withinMs: 60_000 };
/** A little is used by being looked at, or cannot go. */
const MOST_KEPT = 0.05;

/** Without it only pages of files can go. */
export function hasSwap(): boolean {
  return readFileSync('/proc/swaps', 'utf8').trim().split('\n').length > 1;
}

export async function pageOut(pid: number): Promise<void> {
  await promisify(execFile)('python3', ['-I', PAGE_OUT, String(pid)]);
}

/** Until somebody has paged out what is nobody else's. Pages of files that others have mapped stay. */
export async function untilPagedOut(pid: number): Promise<void> {
  await until(PAGING, () => {
    const { resident, swapped } = anonymousOf(pid);
    const isOut = resident < MOST_KEPT * swapped;
    return isOut ? undefined : `${resident} kB of ${pid} stay in memory`;
  });
}

function anonymousOf(pid: number): { resident: number; swapped: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const read = (field: string): number => {
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0);
  };
  return { resident: read('RssAnon'), swapped: read('VmSwap') };
}
