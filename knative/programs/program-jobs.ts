import type { ArtifactRef } from '#domain/records.ts';
import { formatDuration } from '#domain/units.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault, FAULTS } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import { pause } from '#lib/pause.ts';
import type { LogLine } from '#runtime/runtime.ts';
import { endOf } from '../api/job-end.ts';
import type { Kube } from '../api/kube.ts';
import type { Job, Pod } from '../api/objects.ts';
import { removeJob } from '../api/remove-job.ts';
import { podsOfJob } from '../api/pods-of-job.ts';
import { JOBS } from '../api/resources.ts';
import { isKeptElsewhere, isMadeForJob, type JobName } from '../manifests/labels.ts';
import { programJobName } from '../manifests/names.ts';
import { readLogs } from '../runtime/logs.ts';
import { waitsFor } from '../runtime/pods.ts';
import { type PodEnd, readBroken, readEnd } from './ends.ts';
import {
  dataOf,
  isAttempt,
  makeProgramJob,
  PROGRAM,
  type ProgramJob,
  type ProgramOutfit,
} from './manifest.ts';

/** Runs the programs of jobs, as Jobs of the cluster. While its API server is away, all of it waits until the signal. */
export interface ProgramJobs {
  /** Throws the Fault with which the cluster refuses it. Nothing is made. */
  check(job: ProgramJob): Promise<void>;
  /** Makes it, when there is nothing left of a former attempt, and waits for its end. */
  run(job: ProgramJob, signal: AbortSignal, onWaits: OnWaits): Promise<PodEnd>;
  /** Waits for the end of one that is there; it is `lost` where there is none. */
  resume(attempt: JobAttempt, signal: AbortSignal, onWaits: OnWaits): Promise<PodEnd>;
  /** The data that the one has got which is there. */
  dataOf(attempt: JobAttempt, signal: AbortSignal): Promise<ArtifactRef | undefined>;
  /** Resolves when there is none, and no pod of it. Throws Fault `unavailable` when that takes long: try again. */
  remove(job: JobName): Promise<void>;
  /** The last lines of its program, oldest first. */
  logs(job: JobName, limit: number): Promise<LogLine[]>;
}

/** What its pod waits for to get a node; undefined: nothing. */
type OnWaits = (what: string | undefined) => void;

type JobAttempt = JobName & { readonly attempt: number };

const LOOK_MS = 2000;
/** How often its pods are looked at while its Job has not ended: what keeps them from starting lasts. */
const PODS_MS = 15_000;
/** So long a container may fail to be started, or no pod be made: a registry may come back. */
const STUCK_MS = 120_000;

function placeOf({ namespace, id }: JobName): { namespace: string; name: string } {
  return { namespace, name: programJobName(namespace, id) };
}

export function createProgramJobs(options: {
  kube: Pick<Kube, 'get' | 'list' | 'create' | 'remove' | 'logs'>;
  outfit: ProgramOutfit;
  clock: Clock;
  log: Pick<Log, 'warn'>;
}): ProgramJobs {
  const { kube, outfit, clock, log } = options;
  function isOurs(job: JobName, found: Job): boolean {
    return isMadeForJob(job, found) && !isKeptElsewhere(found, outfit.servers.artifactsUrl);
  }

  /** Its own, when it is there and stays. */
  async function find(job: JobAttempt): Promise<Job | undefined> {
    const found = await kube.get(JOBS, placeOf(job));
    if (!found || !isOurs(job, found) || !isAttempt(job.attempt, found)) return undefined;
    return found.metadata.deletionTimestamp === undefined ? found : undefined;
  }

  async function podsOf(job: JobName): Promise<Pod[]> {
    return await podsOfJob(kube, placeOf(job));
  }

  async function make(job: ProgramJob): Promise<void> {
    try {
      await kube.create(JOBS, makeProgramJob(job, outfit));
    } catch (error) {
      // It was made, and the answer was lost.
      const isThere = error instanceof Fault && error.code === 'conflict' && (await find(job));
      if (!isThere) throw error;
    }
  }

  /** Tried until it is done, as long as what is wrong may pass. */
  async function untilDone<T>(
    job: JobName,
    signal: AbortSignal,
    work: () => Promise<T>,
  ): Promise<T> {
    for (;;) {
      signal.throwIfAborted();
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof Fault) || !FAULTS[error.code].retryable) throw error;
        log.warn({ job: job.id, error: error.message }, 'its program is not seen to now');
        await pause(clock, LOOK_MS, signal);
      }
    }
  }

  async function follow(job: JobAttempt, signal: AbortSignal, onWaits: OnWaits): Promise<PodEnd> {
    const stuck = createStuck(clock, placeOf(job));
    let lookedAt = clock.now();

    /** Undefined: it has not ended. */
    async function look(): Promise<PodEnd | undefined> {
      const found = await find(job);
      if (!found) return { kind: 'lost', why: 'its Job was removed' };
      const ended = endOf(found);
      if (!ended && clock.now() - lookedAt < PODS_MS) return undefined;
      const [pod] = await podsOf(job);
      if (ended) return readEnd(pod, ended.kind === 'complete');
      lookedAt = clock.now();
      onWaits(pod && waitsFor(pod));
      return stuck.look(pod);
    }

    for (;;) {
      const end = await untilDone(job, signal, look);
      if (end) return end;
      await pause(clock, LOOK_MS, signal);
    }
  }

  const remove = (job: JobName): Promise<void> =>
    removeJob(options, placeOf(job), (found) => isOurs(job, found));

  return {
    async check(job) {
      await kube.create(JOBS, makeProgramJob(job, outfit), { dryRun: true });
    },
    async run(job, signal, onWaits) {
      await untilDone(job, signal, () => remove(job));
      await untilDone(job, signal, () => make(job));
      return await follow(job, signal, onWaits);
    },
    resume: follow,
    async dataOf(attempt, signal) {
      const found = await untilDone(attempt, signal, () => find(attempt));
      return found && dataOf(found);
    },
    remove,
    async logs(job, limit) {
      const pods = await podsOf(job);
      const named = pods.map((pod) => ({ pod, instance: pod.metadata.name }));
      return await readLogs(kube, named, limit, PROGRAM);
    },
  };
}

/** What does not start for long has failed. What waits for room does not. */
function createStuck(clock: Clock, { namespace, name }: { namespace: string; name: string }) {
  let since: number | undefined;
  const noPod = `the cluster makes no pod of it: kubectl describe job --namespace ${namespace} ${name}`;
  return {
    look(pod: Pod | undefined): PodEnd | undefined {
      const broken = pod ? readBroken(pod) : noPod;
      if (broken === undefined) {
        since = undefined;
        return undefined;
      }
      since ??= clock.now();
      if (clock.now() - since < STUCK_MS) return undefined;
      return { kind: 'failed', why: `${broken} (for ${formatDuration(clock.now() - since)})` };
    },
  };
}
