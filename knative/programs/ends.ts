import type { ContainerStatus, Pod, Terminated } from '../api/objects.ts';
import { describeEnd, firstLine, lastLinesOf } from '../runtime/ending.ts';
import { describeBroken } from '../runtime/broken.ts';
import { FETCH, LEAVE, PROGRAM } from './manifest.ts';

/** What the pod of a program says of it. */

export type PodEnd =
  /** `output`: digest of the folder that it has handed over. */
  | { readonly kind: 'done'; readonly seconds: number; readonly output?: string }
  | { readonly kind: 'failed'; readonly why: string }
  /** By no doing of its own. */
  | { readonly kind: 'lost'; readonly why: string };

const WHAT: Readonly<Record<string, string>> = {
  [FETCH]: 'what it is given could not be fetched',
  [LEAVE]: 'what it has left could not be handed over',
};
const DIGEST = /^[0-9a-f]{64}$/;
/** Of its last lines, in the reason of a failure. */
const MOST_CHARS = 4000;

/** Of one whose Job has ended; undefined: there is none any more. */
export function readEnd(pod: Pod | undefined, isComplete: boolean): PodEnd {
  if (!pod) return { kind: 'lost', why: 'its pod was removed' };
  const program = statusOf(pod, PROGRAM)?.state?.terminated;
  if (isComplete) {
    const output = statusOf(pod, LEAVE)?.state?.terminated?.message ?? '';
    return {
      kind: 'done',
      seconds: secondsOf(program),
      ...(DIGEST.test(output) && { output }),
    };
  }
  return isCutOff(pod) ? { kind: 'lost', why: describeCut(pod) } : readFailure(pod);
}

/** What keeps its containers from being started, and will not pass by itself; undefined: nothing. */
export function readBroken(pod: Pod): string | undefined {
  for (const status of statusesOf(pod)) {
    const broken = describeBroken(status, specOf(pod, status.name)?.image ?? '');
    if (broken !== undefined) return broken;
  }
  return undefined;
}

function readFailure(pod: Pod): PodEnd {
  for (const { name, state } of statusesOf(pod)) {
    const end = state?.terminated;
    if (end && end.exitCode !== 0) return { kind: 'failed', why: describeFailure(pod, name, end) };
  }
  return { kind: 'failed', why: describeCut(pod) };
}

function describeFailure(pod: Pod, name: string, end: Terminated): string {
  const limit = specOf(pod, name)?.resources?.limits?.['memory'];
  const how = describeEnd(end, limit);
  const last = lastLinesOf(end);
  const what = WHAT[name];
  if (what !== undefined) return `${what}: ${last.at(-1) ?? how}`;
  const said = last.map((line) => `\n  ${line}`).join('');
  // It says itself whose it is where there was no start.
  const whose = how.startsWith('its program') ? '' : 'its program ';
  return `${whose}${how}${said.slice(-MOST_CHARS)}`;
}

/** Deleted, put out for others, or with its node. What takes more than its room is put out, too: that is its own doing. */
function isCutOff({ metadata, status }: Pod): boolean {
  if (metadata.deletionTimestamp !== undefined) return true;
  if (/exceed/i.test(status?.message ?? '')) return false;
  return (status?.conditions ?? []).some(
    ({ type, status: holds }) => type === 'DisruptionTarget' && holds === 'True',
  );
}

function describeCut({ status }: Pod): string {
  const { reason, message } = status ?? {};
  const why = message === undefined ? reason : firstLine(message);
  return why === undefined ? 'its pod ended' : `its pod ended: ${why}`;
}

/** In the order in which they run. */
function statusesOf({ status }: Pod): readonly ContainerStatus[] {
  return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
}

function statusOf(pod: Pod, name: string): ContainerStatus | undefined {
  return statusesOf(pod).find((each) => each.name === name);
}

function specOf({ spec }: Pod, name: string) {
  const all = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  return all.find((each) => each.name === name);
}

/** Kubernetes tells whole seconds. */
function secondsOf({ startedAt = '', finishedAt = '' }: Terminated = {}): number {
  const ms = Date.parse(finishedAt) - Date.parse(startedAt);
  return ms >= 0 ? ms / 1000 : 0;
}
