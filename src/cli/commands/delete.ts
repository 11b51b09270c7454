import type { Command } from 'commander';
import { modelPath } from '../client.ts';
import type { Io } from '../io.ts';
import { modelClientFor } from '../models.ts';
import { type Common, namespaceOf } from '../options.ts';

export function addDelete(program: Command, io: Io): void {
  program
    .command('delete')
    .description('remove a model with its revisions; "restore" brings it back')
    .argument('<name>', 'the model')
    .option('--now', 'for good: it cannot be restored')
    .action(async (name: string, _options, command: Command) => {
      const options = command.optsWithGlobals<Common & { now?: boolean }>();
      const path = modelPath(namespaceOf(options), name);
      const query = options.now === true ? { now: 'true' } : {};
      const call = { method: 'DELETE', path, query } as const;
      await modelClientFor(io, options, name).call(call, () => undefined);
      io.stdout.write(`${name}  deleted\n`);
    });
}
