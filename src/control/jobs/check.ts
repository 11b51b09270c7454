import type { BatchRecord } from '#domain/job.ts';
import type { RunCheck } from '#domain/job-run.ts';
import { Fault } from '#lib/fault.ts';
import type { JobRunner } from './job-runner.ts';
import type { Places } from './places.ts';

/**
 * Has a runner look whether a job can be done, and what it would do; `tryRows` of them are scored. Throws the Fault that
 * says what is wrong. Nothing is left of it.
 */
export async function checkJob(
  { runner, places }: { runner: JobRunner; places: Places },
  job: BatchRecord,
  tryRows: number,
): Promise<RunCheck> {
  const { namespace, id } = job;
  const order = places.trialOf(job, runner.folderOf(namespace, id));
  if (!order) throw new Fault('conflict', `revision ${job.revision} has gone`);
  const said = Promise.withResolvers<RunCheck>();
  const process = runner.start(
    order,
    {
      onMessage(message) {
        if (message.type === 'checked') said.resolve(message.check);
        else if (message.type === 'failed') {
          const { code, message: text, problems } = message;
          said.reject(new Fault(code, text, { problems }));
        }
      },
      onEnd: (how) => said.reject(new Fault('internal', `the input could not be read: ${how}`)),
    },
    tryRows,
  );
  try {
    return await said.promise;
  } finally {
    await process.end();
    await runner.clear(job);
  }
}
