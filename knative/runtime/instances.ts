import { isDeepStrictEqual } from 'node:util';
import type { Instance, RuntimeEvent } from '#runtime/runtime.ts';
import { keyOf, type Pod } from '../api/objects.ts';
import type { PodsState } from '../manifests/autoscaling.ts';
import { revisionKeyOf } from '../manifests/labels.ts';
import type { Failures } from './failures.ts';
import { type Failure, readPod } from './pods.ts';

/**
 * The instances that pods are, and what becomes of each.
 *
 * 1. Every instance that was told ends in exactly one event, `stopped` or `failed`, and is not listed after it.
 * 2. What was ready stays so until it drains or ends: whether it answers is seen by those who ask it.
 * 3. How a run ended before this life of Rouse is not told.
 */
export interface PodInstances {
  /** `isNew`: it has come up since the first list. */
  set(pod: Pod, isNew: boolean): void;
  gone(pod: Pod): void;
  list(revision?: string): Instance[];
  /** Any pod, whether it is an instance or only tries to become one. */
  hasPods(revision: string): boolean;
  stateOf(revision: string): PodsState;
  podsOf(revision: string): { readonly pod: Pod; readonly instance: string }[];
  /** Whose instance this is. */
  podOf(instance: string): Pod | undefined;
}

interface Known {
  pod: Pod;
  readonly revision: string;
  instance: Instance | undefined;
  /** The run whose end was told last. */
  ended: string | undefined;
}

export function createPodInstances(options: {
  failures: Failures;
  emit: (event: RuntimeEvent) => void;
}): PodInstances {
  const { failures, emit } = options;
  const pods = new Map<string, Known>();

  function tellEnd(known: Known, end: Failure, isTold: boolean): void {
    if (known.ended === end.instance.id) return;
    known.ended = end.instance.id;
    const instance = known.instance?.id === known.ended ? known.instance : end.instance;
    known.instance = known.instance?.id === known.ended ? undefined : known.instance;
    if (isTold) failures.ended({ ...end, instance });
  }

  function replace(known: Known, instance: Instance | undefined): void {
    const before = known.instance;
    if (before && before.id !== instance?.id) {
      known.instance = undefined;
      emit({ type: 'stopped', instance: before });
    }
    if (!instance || isDeepStrictEqual(before, instance)) return;
    if (before?.id === instance.id && before.state === 'ready' && instance.state === 'starting')
      return;
    known.instance = instance;
    emit({ type: 'instance', instance });
    if (instance.state === 'ready') failures.becameReady(known.revision);
  }

  function of(revision: string): Known[] {
    return Array.from(pods.values()).filter((known) => known.revision === revision);
  }

  return {
    set(pod, isNew) {
      const revision = revisionKeyOf(pod);
      if (revision === undefined) return;
      const name = keyOf(pod);
      const first = pods.get(name);
      const known = first ?? { pod, revision, instance: undefined, ended: undefined };
      known.pod = pod;
      pods.set(name, known);
      const { instance, end, broken } = readPod(pod, revision);
      if (end) tellEnd(known, end, isNew || first !== undefined);
      // It never ran: there is nothing that could have ended.
      if (broken && known.instance?.id === broken.instance.id) known.instance = undefined;
      failures.lasts(name, broken);
      replace(known, instance);
    },
    gone(pod) {
      const known = pods.get(keyOf(pod));
      if (!known) return;
      pods.delete(keyOf(pod));
      failures.lasts(keyOf(pod), undefined);
      if (known.instance) emit({ type: 'stopped', instance: known.instance });
    },
    list(revision) {
      const all = revision === undefined ? Array.from(pods.values()) : of(revision);
      return all.flatMap(({ instance }) => instance ?? []);
    },
    hasPods: (revision) => of(revision).length > 0,
    stateOf(revision) {
      const staying = of(revision).filter(({ pod }) => !isGoing(pod));
      if (staying.length === 0) return 'none';
      return staying.some(({ instance }) => instance?.state === 'ready') ? 'ready' : 'starting';
    },
    podsOf: (revision) =>
      of(revision).map(({ pod, instance }) => ({ pod, instance: instance?.id ?? keyOf(pod) })),
    podOf: (id) => Array.from(pods.values()).find(({ instance }) => instance?.id === id)?.pod,
  };
}

/** It will not become ready any more. */
function isGoing({ metadata, status }: Pod): boolean {
  return (
    metadata.deletionTimestamp !== undefined ||
    status?.phase === 'Failed' ||
    status?.phase === 'Succeeded'
  );
}
