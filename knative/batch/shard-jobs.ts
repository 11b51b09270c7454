import type { Clock } from '#lib/clock.ts';
import { Fault, FAULTS, messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import { createLoop } from '#lib/loop.ts';
import { endOf } from '../api/job-end.ts';
import type { Kube } from '../api/kube.ts';
import type { Job } from '../api/objects.ts';
import { removeJob } from '../api/remove-job.ts';
import { podsOfJob } from '../api/pods-of-job.ts';
import { JOBS } from '../api/resources.ts';
import { isMadeForJob, type JobName } from '../manifests/labels.ts';
import { shardsJobName } from '../manifests/names.ts';
import { waitsFor } from '../runtime/pods.ts';
import { lastWords } from './ends.ts';
import { makeShardsJob, type ShardJob, type ShardOutfit } from './manifest.ts';

/** Runs the shards of batch jobs, as Indexed Jobs of the cluster. */
export interface ShardJobs {
  /**
   * Sees to it that there is one, until it is closed: one of a former life goes on, one that is deleted is made again.
   * `onEnd`: once, when it has ended and will not get further.
   */
  follow(job: ShardJob, onEnd: (why: string) => void): Following;
  /** Resolves when there is none, and no pod of it. Throws Fault `unavailable` when that takes long: try again. */
  remove(job: JobName): Promise<void>;
}

export interface Following {
  /** What pods wait for to get a node; undefined: nothing. */
  waitsFor(): string | undefined;
  /** It goes on by itself; nothing is told any more. */
  close(): Promise<void>;
}

const LOOK_MS = 2000;
/** How often its pods are looked at while it has not ended. */
const PODS_MS = 15_000;
/** In which results are found of which the cluster already knows that they were written. */
const RESULTS_MS = 60_000;

export function createShardJobs(options: {
  kube: Pick<Kube, 'get' | 'list' | 'create' | 'remove'>;
  outfit: ShardOutfit;
  clock: Clock;
  log: Pick<Log, 'warn'>;
}): ShardJobs {
  const { kube, outfit, clock, log } = options;

  function placeOf({ namespace, id }: JobName): { namespace: string; name: string } {
    return { namespace: outfit.claim.namespace, name: shardsJobName(namespace, id) };
  }

  async function describeFailure(
    place: { readonly namespace: string; readonly name: string },
    why: string,
  ): Promise<string> {
    const words = lastWords(await podsOfJob(kube, place));
    return words === undefined ? why : `${why}; ${words}`;
  }

  return {
    follow(job, onEnd) {
      const place = placeOf(job);
      const { name } = place;
      /** One that had not ended when it was seen first: another one is of a former life. */
      let present: string | undefined;
      let completeAt: number | undefined;
      let podsAt = clock.now();
      let waits: string | undefined;
      let isOver = false;

      async function step(): Promise<void> {
        if (isOver) return;
        const found = await kube.get(JOBS, place);
        if (!found) await kube.create(JOBS, makeShardsJob(job, outfit));
        else if (!isMadeForJob(job, found)) end(`Job ${name} of the cluster is not Rouse's`);
        else if (found.metadata.deletionTimestamp === undefined) await look(found);
      }

      async function look(found: Job): Promise<void> {
        const { uid } = found.metadata;
        const ended = endOf(found);
        if (!ended) {
          present = uid;
          await lookAtPods();
        } else if (present !== uid) await kube.remove(JOBS, place, uid);
        else if (ended.kind === 'failed') end(await describeFailure(place, ended.why));
        else {
          completeAt ??= clock.now();
          if (clock.now() - completeAt < RESULTS_MS) return;
          end('its pods are done, but their results are not in the folder of the job');
        }
      }

      async function lookAtPods(): Promise<void> {
        if (clock.now() - podsAt < PODS_MS) return;
        podsAt = clock.now();
        const waiting = (await podsOfJob(kube, place)).flatMap((pod) => waitsFor(pod) ?? []);
        const [first] = waiting;
        waits = first && `${waiting.length} of ${job.count} shards: ${first}`;
      }

      function end(why: string): void {
        isOver = true;
        onEnd(`the Job of its shards: ${why}`);
      }

      const loop = createLoop({
        clock,
        everyMs: LOOK_MS,
        step,
        onError(error) {
          const isPassing = error instanceof Fault && FAULTS[error.code].retryable;
          const isRaced = error instanceof Fault && error.code === 'conflict';
          if (isPassing || isRaced) {
            log.warn({ job: job.id, error: messageOf(error) }, 'its shards are not seen to now');
          } else end(messageOf(error));
        },
      });
      loop.ask();
      return { waitsFor: () => waits, close: () => loop.close() };
    },

    remove: (job) => removeJob(options, placeOf(job), (found) => isMadeForJob(job, found)),
  };
}
