import { Command, CommanderError } from 'commander';
import { ROUSE } from '#lib/command.ts';
import { WRONG_USAGE } from '#lib/exit-status.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import { addApply } from './commands/apply.ts';
import { addBatch } from './commands/batch.ts';
import { addDelete } from './commands/delete.ts';
import { addDeploy } from './commands/deploy.ts';
import { addGc } from './commands/gc.ts';
import { addGet } from './commands/get.ts';
import { addInvoke } from './commands/invoke.ts';
import { addJob } from './commands/job.ts';
import { addKey } from './commands/key.ts';
import { addLogs } from './commands/logs.ts';
import { addMeasure } from './commands/measure.ts';
import { addProgram } from './commands/program.ts';
import { addPush } from './commands/push.ts';
import { addRequest } from './commands/request.ts';
import { addRestore } from './commands/restore.ts';
import { addRollout } from './commands/rollout.ts';
import { addRun, addSchedule } from './commands/schedule.ts';
import { addSelect } from './commands/select.ts';
import { addServe, type Serve } from './commands/serve.ts';
import { addSimulate, type Simulate } from './commands/simulate.ts';
import { addTraffic } from './commands/traffic.ts';
import { addWebhookSecret } from './commands/webhook-secret.ts';
import { addWhy } from './commands/why.ts';
import type { Io } from './io.ts';
import { addCommonOptions } from './options.ts';

export interface ProgramOptions extends Io {
  readonly version: string;
  /** Bytes of memory that the machine has. */
  readonly totalMemory: number;
  /** Runs the server; resolves with the exit status when it has ended. */
  readonly serve: Serve;
  readonly simulate: Simulate;
}

export interface Program {
  /** `args` without the names of Node and of the script. Resolves with the exit status. */
  run(args: readonly string[]): Promise<number>;
}

/** Exit status: it was refused or failed. */
const FAILED = 1;

export function createProgram(options: ProgramOptions): Program {
  return {
    async run(args) {
      // A command sets it when it has told by itself what went wrong.
      const exit = { status: 0 };
      try {
        await makeCommand(options, exit).parseAsync([...args], { from: 'user' });
        return exit.status;
      } catch (error) {
        return statusOf(error, options);
      }
    },
  };
}

/** What a command may change about how the program ends. */
export interface Exit {
  status: number;
}

function makeCommand(options: ProgramOptions, exit: Exit): Command {
  const program = new Command('rouse');
  program
    .description('Models sleep at zero replicas; the first request rouses them.')
    .version(options.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => options.stdout.write(text),
      writeErr: (text) => options.stderr.write(text),
    });
  addCommonOptions(program, options);
  addServe(program, options, exit);
  addApply(program, options, exit);
  addDeploy(program, options, exit);
  addPush(program, options);
  addGet(program, options);
  addInvoke(program, options, exit);
  addRequest(program, options);
  addWebhookSecret(program, options);
  addBatch(program, options, exit);
  addProgram(program, options, exit);
  addJob(program, options, exit);
  addSchedule(program, options);
  addRun(program, options);
  addTraffic(program, options);
  addRollout(program, options);
  addLogs(program, options);
  addWhy(program, options);
  addMeasure(program, options);
  addSelect(program, options);
  addSimulate(program, options);
  addDelete(program, options);
  addRestore(program, options);
  addGc(program, options);
  addKey(program, options);
  nameHelp(program, ROUSE);
  return program;
}

/** Each command names its own help when it was used in a wrong way. */
function nameHelp(command: Command, words: string): void {
  command.showHelpAfterError(`(see: ${words} --help)`);
  for (const below of command.commands) nameHelp(below, `${words} ${below.name()}`);
}

function statusOf(error: unknown, io: Io): number {
  if (error instanceof CommanderError) {
    // Help and version were asked for; commander has written them, or what was wrong.
    return error.exitCode === 0 ? 0 : WRONG_USAGE;
  }
  const what = error instanceof Fault ? '' : 'internal error: ';
  io.stderr.write(`rouse: ${what}${messageOf(error)}\n`);
  return FAILED;
}
