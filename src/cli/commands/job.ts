import { Argument, type Command } from 'commander';
import { JOB_ACTIONS } from '#domain/job.ts';
import { readJob, readLogs } from '#domain/read-views.ts';
import { ROUSE } from '#lib/command.ts';
import type { Io } from '../io.ts';
import { jobPath, makeJobRows } from '../jobs.ts';
import { clientFor, type Common, namespaceOf } from '../options.ts';
import { print } from '../print.ts';
import { watchJob } from '../run-job.ts';
import { printLines } from './logs.ts';

export function addJob(program: Command, io: Io, exit: { status: number }): void {
  program
    .command('job')
    .description('a job that waits or runs, or has ended')
    .addArgument(
      new Argument('<action>', 'what to do').choices([...JOB_ACTIONS, 'follow', 'logs', 'delete']),
    )
    .argument('<id>', 'the job')
    .addHelpText(
      'after',
      `
pause    a batch: its rows that are scored stay; its instances go
resume   a batch goes on where it was
cancel   for good; nothing is written
follow   show it until it has ended
logs     the last lines that its program wrote; what failed of a batch is in its FILE.failed.jsonl
delete   forget one that has ended; its output stays
Example: ${ROUSE} job pause digits-3f09a1`,
    )
    .action(async (action: string, id: string, _options, command: Command) => {
      const options = command.optsWithGlobals<Common>();
      const client = clientFor(io, options);
      const path = jobPath(namespaceOf(options), id);
      if (action === 'follow') {
        const job = await client.call({ path }, readJob);
        await watchJob(client, job, options, io, exit);
      } else if (action === 'logs') {
        const { items } = await client.call({ path: `${path}/logs` }, readLogs);
        printLines(io, options.output, items);
      } else if (action === 'delete') {
        await client.call({ method: 'DELETE', path }, () => undefined);
        io.stdout.write(`${id}  deleted\n`);
      } else {
        const job = await client.call({ method: 'POST', path, json: { action } }, readJob);
        const rows = makeJobRows([job], job.namespace, io.clock.now());
        print(io.stdout, options.output, job, () => rows);
      }
    });
}
