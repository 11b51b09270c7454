import { readdirSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemProcesses } from '#runtime/local/process/proc.ts';

/** Who the first process of a box is. Its pid alone could be another's by now: together with its start it is not. */
export interface BoxRecord {
  readonly pid: number;
  /** Clock ticks since the machine started. */
  readonly startTicks: number;
}

/** Undefined: there is none, or it is not of a box. */
export async function readRecord(path: string): Promise<BoxRecord | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return parseRecord(text);
}

export function parseRecord(text: string): BoxRecord | undefined {
  const found = /^{"pid":(\d+),"startTicks":(\d+)}\n$/.exec(text);
  return found ? { pid: Number(found[1]), startTicks: Number(found[2]) } : undefined;
}

/** Complete or not at all, whenever the harness is killed. */
export async function writeRecord(path: string, { pid, startTicks }: BoxRecord): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const made = `${path}.new`;
  await writeFile(made, `${JSON.stringify({ pid, startTicks })}\n`);
  await rename(made, path);
}

/** Whether anything of that very process still runs. Of several threads the first may have ended before the others. */
export function isAlive({ pid, startTicks }: BoxRecord): boolean {
  const stat = systemProcesses.stat(pid);
  if (stat?.startTicks !== startTicks) return false;
  return !stat.isDead || countThreads(pid) > 1;
}

function countThreads(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`).length;
  } catch {
    return 0;
  }
}
