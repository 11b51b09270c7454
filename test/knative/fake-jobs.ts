import type { Job } from '#knative/api/objects.ts';
import { JOBS } from '#knative/api/resources.ts';
import { keepShards, type KeptShards } from '#test/batch/shards/keep-shards.ts';
import { kindOf, type ObjectStore, type Stored } from './object-store.ts';

/**
 * What Kubernetes does with Indexed Jobs, as far as Rouse notices: pods, here processes of their own, that are begun
 * again when they fail, the conditions of the Job, and a Job that stays until they have ended.
 */
export interface FakeJobs {
  /** Of the Jobs that are there, by name. */
  shardsOf(name: string): KeptShards | undefined;
  close(): Promise<void>;
}

export function createFakeJobs(store: ObjectStore): FakeJobs {
  const kept = new Map<string, KeptShards>();

  function begin(job: Job): void {
    const { name } = job.metadata;
    const [container] = job.spec?.template.spec.containers ?? [];
    const env = Object.fromEntries(
      (container?.env ?? []).map((each) => [each.name, 'value' in each ? each.value : '']),
    );
    const count = job.spec?.completions ?? 0;
    const shards = keepShards({ command: container?.command ?? [], env, count });
    kept.set(name, shards);
    void shards.ended.then((how) => {
      if (kept.get(name) !== shards) return;
      const type = how === 'complete' ? 'Complete' : 'Failed';
      const condition = {
        type,
        status: 'True',
        reason: 'PodFailurePolicy',
        message: `shard ${how}`,
      };
      const found = store.get(JOBS, job.metadata.namespace ?? '', name);
      if (found) store.put(JOBS, { ...found, status: { conditions: [condition] } } as Stored);
    });
  }

  async function end({ metadata: { namespace = '', name } }: Stored): Promise<void> {
    const shards = kept.get(name);
    kept.delete(name);
    await shards?.close();
    store.delete(JOBS, namespace, name);
  }

  const stop = store.onEvent(({ kind, type, object }) => {
    if (kind !== kindOf(JOBS) || type === 'DELETED') return;
    const { metadata } = object;
    if (metadata.deletionTimestamp !== undefined) void end(object);
    else if (type === 'ADDED') {
      // What the API server adds to what is removed in the foreground.
      store.put(JOBS, { ...object, metadata: { ...metadata, finalizers: ['foregroundDeletion'] } });
      begin(object as Job);
    }
  });

  return {
    shardsOf: (name) => kept.get(name),
    async close() {
      stop();
      await Promise.all(Array.from(kept.values(), (shards) => shards.close()));
    },
  };
}
