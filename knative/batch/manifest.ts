import { SHARD_HOPELESS } from '#domain/job-run.ts';
import type { EnvVar, Job, Texts } from '../api/objects.ts';
import { makeJobPodLabels, makeOwnJobLabels } from '../manifests/labels.ts';
import { shardsJobName } from '../manifests/names.ts';
import { CONFINED, USER } from '../manifests/own-image.ts';

/** The shards of a batch job, as an Indexed Job: pod N scores range N. */

/** What all shards of a Rouse have in common. */
export interface ShardOutfit {
  readonly image: string;
  /** Starts a shard; the job's folder follows. */
  readonly command: readonly string[];
  readonly env: Texts;
  readonly claim: { readonly namespace: string; readonly name: string };
  /** Where the volume of the claim is mounted, here as there. */
  readonly folder: string;
}

export interface ShardJob {
  /** Of the job of Rouse. */
  readonly namespace: string;
  readonly id: string;
  readonly count: number;
  /** The job's own, on the volume. */
  readonly folder: string;
}

const CONTAINER = 'shard';
/** Pods of one shard that may fail before the Job does: a shard goes on where the last one was. */
const FAILURES = 6;
/** Rouse removes it when its job has ended; this is for the case that Rouse has gone. */
const KEPT_SECONDS = 86_400;

export function makeShardsJob(
  { namespace, id, count, folder }: ShardJob,
  { image, command, env, claim, folder: mountPath }: ShardOutfit,
): Job {
  const job = { namespace, id };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      namespace: claim.namespace,
      name: shardsJobName(namespace, id),
      labels: makeOwnJobLabels(job),
    },
    spec: {
      completionMode: 'Indexed',
      completions: count,
      parallelism: count,
      backoffLimitPerIndex: FAILURES,
      // Without one of them there is no output.
      maxFailedIndexes: 0,
      // Two pods of one shard would wait for each other.
      podReplacementPolicy: 'Failed',
      podFailurePolicy: {
        rules: [
          {
            action: 'FailJob',
            onExitCodes: { containerName: CONTAINER, operator: 'In', values: [SHARD_HOPELESS] },
          },
          // A node that is drained, or a pod that made room: no doing of the shard's.
          { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
        ],
      },
      ttlSecondsAfterFinished: KEPT_SECONDS,
      template: {
        metadata: { labels: makeJobPodLabels(job, 'batch') },
        spec: {
          restartPolicy: 'Never',
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          // It may be killed at any moment: what it would finish is on disk, or done again.
          terminationGracePeriodSeconds: 1,
          securityContext: {
            runAsUser: USER,
            runAsGroup: USER,
            fsGroup: USER,
            fsGroupChangePolicy: 'OnRootMismatch',
          },
          containers: [
            {
              name: CONTAINER,
              image,
              command: [...command, folder],
              env: Object.entries(env).map(([name, value]): EnvVar => ({ name, value })),
              resources: {
                // It waits for the model most of the time; no limit, because it gives way by itself.
                requests: { cpu: '100m', memory: '256Mi' },
                // The heap of 128 MiB, 100 MB of the reader, and requests that are under way.
                limits: { memory: '768Mi' },
              },
              securityContext: CONFINED,
              volumeMounts: [
                { name: 'files', mountPath },
                { name: 'tmp', mountPath: '/tmp' },
              ],
              // Of a shard that ends, the last lines become the reason.
              terminationMessagePolicy: 'FallbackToLogsOnError',
            },
          ],
          volumes: [
            { name: 'files', persistentVolumeClaim: { claimName: claim.name } },
            { name: 'tmp', emptyDir: { sizeLimit: '64Mi' } },
          ],
        },
      },
    },
  };
}
