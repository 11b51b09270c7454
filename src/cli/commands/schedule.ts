import { Argument, type Command } from 'commander';
import { readRun } from '#domain/read-views.ts';
import { ROUSE } from '#lib/command.ts';
import type { Io } from '../io.ts';
import { clientFor, type Common, namespaceOf } from '../options.ts';
import { print } from '../print.ts';
import { makeRunRows, schedulePath } from '../schedules.ts';

/** `rouse run nightly now`: in words, since what has times could be meant to run at one of them. */
export function addRun(program: Command, io: Io): void {
  program
    .command('run')
    .description('run a schedule once, whatever its times')
    .argument('<name>', 'the schedule')
    .addArgument(new Argument('<when>', 'now').choices(['now']))
    .addHelpText('after', `\nExample: ${ROUSE} run nightly now`)
    .action(async (name: string, _when: string, _options, command: Command) => {
      const options = command.optsWithGlobals<Common>();
      const namespace = namespaceOf(options);
      const call = {
        method: 'POST',
        path: schedulePath(namespace, name),
        json: { action: 'run' },
      } as const;
      const run = await clientFor(io, options).call(call, readRun);
      print(io.stdout, options.output, run, () => makeRunRows([run], namespace, io.clock.now()));
    });
}

export function addSchedule(program: Command, io: Io): void {
  program
    .command('schedule')
    .description('remove a schedule with its history; jobs that it began go on')
    .addArgument(new Argument('<action>', 'what to do').choices(['delete']))
    .argument('<name>', 'the schedule')
    .addHelpText('after', `\nExample: ${ROUSE} schedule delete nightly`)
    .action(async (_action: string, name: string, _options, command: Command) => {
      const options = command.optsWithGlobals<Common>();
      const path = schedulePath(namespaceOf(options), name);
      await clientFor(io, options).call({ method: 'DELETE', path }, () => undefined);
      io.stdout.write(`${name}  deleted\n`);
    });
}
