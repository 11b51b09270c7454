import type { JobRunner } from '#control/jobs/job-runner.ts';
import { isSharded } from '#domain/batch-rules.ts';
import type { Following, ShardJobs } from '#knative/batch/shard-jobs.ts';
import { messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';

/**
 * Runners beside control, whose shards are pods. Shards that run do not end with a runner that is lost: the next one
 * finds what they did meanwhile. They end when the runner is ended.
 */
export function createShardedJobRunner(
  local: JobRunner,
  { shards, log }: { shards: ShardJobs; log: Log },
): JobRunner {
  return {
    folderOf: (namespace, id) => local.folderOf(namespace, id),
    async clear(job) {
      if (isSharded(job.spec)) await shards.remove(job);
      await local.clear(job);
    },
    start(order, events, tryRows) {
      const { namespace, id, folder } = order;
      let following: Following | undefined;
      let isEnded = false;

      function follow(count: number): void {
        if (count === 0) void following?.close();
        else if (!isEnded) following = shards.follow({ namespace, id, count, folder }, giveUp);
      }

      /** What is wrong may pass, as with a runner that ends: it is begun again, from what is on disk. */
      function giveUp(message: string): void {
        events.onMessage({ type: 'failed', code: 'unavailable', message, problems: [] });
        void runner.end();
      }

      const runner = local.start(
        order,
        {
          onMessage(message) {
            if (message.type === 'shards') follow(message.count);
            else events.onMessage(message);
          },
          onEnd(how) {
            isEnded = true;
            void following?.close();
            events.onEnd(how);
          },
        },
        tryRows,
      );
      return {
        slots: (slots) => runner.slots(slots),
        waitsFor: () => following?.waitsFor(),
        async end() {
          await runner.end();
          await following?.close();
          if (tryRows !== undefined || !isSharded(order.spec)) return;
          await shards.remove(order).catch((error: unknown) => {
            log.warn({ job: id, error: messageOf(error) }, 'its shards may run on for a while');
          });
        },
      };
    },
  };
}
