import { constants } from 'node:os';
import { formatDuration } from '#domain/units.ts';
import { formatSize } from '#domain/format-size.ts';
import type { Terminated } from '../api/objects.ts';

/** Why a container ended, as the local runtime would say it of a process. */

/** What a shell adds to the number of the signal that ended a program. */
const BY_SIGNAL = 128;
const SIGNALS = new Map(Object.entries(constants.signals).map(([name, value]) => [value, name]));
/** Kubernetes gives the end of the output: at most 80 lines. */
const MOST_LINES = 80;

export function describeEnd(end: Terminated, memoryLimit: string | undefined): string {
  const { exitCode = 0, reason } = end;
  if (reason === 'OOMKilled') return describeMemory(memoryLimit);
  if (reason === 'ContainerCannotRun' || reason === 'StartError') {
    return `its program cannot be started: ${firstLine(end.message ?? reason)}`;
  }
  const signal = SIGNALS.get(end.signal ?? exitCode - BY_SIGNAL);
  return `${signal ? `ended by signal ${signal}` : `exited with status ${exitCode}`}${lasted(end)}`;
}

/** Its last lines of output, oldest first. */
export function lastLinesOf({ message, reason }: Terminated): readonly string[] {
  if (message === undefined || reason === 'ContainerCannotRun' || reason === 'StartError')
    return [];
  return message.trimEnd().split('\n').slice(-MOST_LINES);
}

export function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

function describeMemory(limit: string | undefined): string {
  if (limit === undefined) return 'ended because its node ran out of memory';
  const bytes = Number(limit);
  return `used all of its memory, its limit is ${Number.isNaN(bytes) ? limit : formatSize(bytes)}`;
}

/** Kubernetes tells whole seconds. */
function lasted({ startedAt, finishedAt }: Terminated): string {
  const ms = Date.parse(finishedAt ?? '') - Date.parse(startedAt ?? '');
  return ms >= 0 ? ` after ${formatDuration(ms)}` : '';
}
