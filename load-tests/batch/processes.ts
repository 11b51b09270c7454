import { basename } from 'node:path';
import { ENV_MODEL, ENV_STANDBY } from '#domain/launch.ts';
import { systemProcesses } from '#runtime/local/process/proc.ts';
import { wordsOf } from '../measure/instances.ts';

/** One of Rouse's own processes. */
export interface OwnProcess {
  readonly pid: number;
  readonly name: string;
}

/** Rouse and what descends from it, without instances and those that stand by to become some. */
export function ownProcesses(rouse: number): OwnProcess[] {
  const descend = (pid: number): number[] => {
    if (pid !== rouse && isInstance(pid)) return [];
    return [pid, ...systemProcesses.children(pid).flatMap(descend)];
  };
  return descend(rouse).map((pid) => ({ pid, name: nameOf(pid, rouse) }));
}

function isInstance(pid: number): boolean {
  const words = wordsOf(`/proc/${pid}/environ`);
  return words.some((word) => [ENV_MODEL, ENV_STANDBY].some((name) => word.startsWith(`${name}=`)));
}

function nameOf(pid: number, rouse: number): string {
  if (pid === rouse) return 'rouse serve';
  const words = wordsOf(`/proc/${pid}/cmdline`);
  const script = words.find((word) => /\.[jt]s$/.test(word)) ?? words[0] ?? '';
  return script.includes('/batch/main') ? 'runner' : basename(script);
}
