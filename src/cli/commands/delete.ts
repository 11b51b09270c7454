import type { Command } from 'commander';
import { modelPath } from '../client.ts';
import type { Io } from '../io.ts';
import { modelClientFor } from '../models.ts';
import { type Common, namespaceOf } from '../options.ts';

export function addDelete(program: Command, io: Io): void {
  program
    .command('delete')
    .description('remove a model with its revisions')
    .argument('<name>', 'the model')
    .action(async (name: string, _options, command: Command) => {
      const options = command.optsWithGlobals<Common>();
      const path = modelPath(namespaceOf(options), name);
      await modelClientFor(io, options, name).call({ method: 'DELETE', path }, () => undefined);
      io.stdout.write(`${name}  deleted\n`);
    });
}
