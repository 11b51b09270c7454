import type { Command } from 'commander';
import { Fault } from '#lib/fault.ts';
import {
  type AppliedModel,
  applyModel,
  applySchedule,
  checkSources,
  refuseProblems,
} from '../apply.ts';
import type { Client } from '../client.ts';
import { findDocuments } from '../documents.ts';
import type { Io } from '../io.ts';
import { clientFor, type Common } from '../options.ts';
import { formatTable } from '../print.ts';
import { type Settled, waitUntilSettled } from '../wait.ts';

export function addApply(program: Command, io: Io, exit: { status: number }): void {
  program
    .command('apply')
    .description('make models and schedules what their files say')
    .requiredOption('-f, --file <path...>', 'files and folders: YAML (several documents) or JSON')
    .option('--no-wait', 'do not wait until new revisions are ready')
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<Common & { file: string[]; wait: boolean }>();
      const client = clientFor(io, options);
      const { namespace } = options;
      const files = { cwd: io.cwd, namespace };
      const found = await checkSources(await findDocuments(options.file, files));
      refuseProblems(found);
      const { models, schedules } = found;
      if (models.length + schedules.length === 0) {
        throw new Fault('not_found', `${options.file.join(', ')}: no model document was found`);
      }
      const applied: AppliedModel[] = [];
      for (const model of models) applied.push(await applyModel(client, model, io.stderr));
      if (await report(client, applied, options.wait, io)) exit.status = 1;
      for (const schedule of schedules) io.stdout.write(await applySchedule(client, schedule));
    });
}

/** One line each, as each is settled. Returns whether any has failed. */
async function report(
  client: Client,
  applied: readonly AppliedModel[],
  wait: boolean,
  io: Io,
): Promise<boolean> {
  const width = Math.max(...applied.map(({ name }) => name.length));
  let failed = false;
  for (const model of applied) {
    const settled = wait ? await waitUntilSettled(client, model, io) : undefined;
    io.stdout.write(formatLine(model, settled, width));
    if (settled?.state !== 'Failed') continue;
    failed = true;
    io.stderr.write(`${settled.reasons.join('\n')}\n`);
  }
  return failed;
}

export function formatLine(model: AppliedModel, settled: Settled | undefined, width = 0): string {
  const { name, outcome, revisions } = model;
  const state = settled ? [settled.state] : [];
  return formatTable([[name.padEnd(width), outcome.padEnd(9), revisions.join(' '), ...state]]);
}
