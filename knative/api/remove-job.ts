import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import { pause } from '#lib/pause.ts';
import type { Kube } from './kube.ts';
import type { Job } from './objects.ts';
import { JOBS } from './resources.ts';

/** Pods of jobs have a second to end. */
const REMOVE_MS = 20_000;
const LOOK_MS = 250;

/**
 * Removes a Job that is ours. Resolves when there is none, and no pod of it. Throws Fault `unavailable` when that takes
 * long: try again.
 */
export async function removeJob(
  { kube, clock }: { readonly kube: Pick<Kube, 'get' | 'remove'>; readonly clock: Clock },
  place: { readonly namespace: string; readonly name: string },
  isOurs: (job: Job) => boolean,
): Promise<void> {
  const last = clock.now() + REMOVE_MS;
  for (;;) {
    const found = await kube.get(JOBS, place);
    if (!found || !isOurs(found)) return;
    const { uid, deletionTimestamp } = found.metadata;
    if (deletionTimestamp === undefined) await kube.remove(JOBS, place, uid);
    else if (clock.now() >= last) {
      throw new Fault('unavailable', `the pods of Job ${place.name} have not ended yet`);
    }
    await pause(clock, LOOK_MS, new AbortController().signal);
  }
}
