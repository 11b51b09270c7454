import type { Command } from 'commander';
import { readModel } from '#domain/read-views.ts';
import { formatTraffic } from '#domain/traffic-text.ts';
import { modelPath } from '../client.ts';
import type { Io } from '../io.ts';
import { clientFor, type Common, namespaceOf } from '../options.ts';

export function addRestore(program: Command, io: Io): void {
  program
    .command('restore')
    .description('bring back a model that was deleted, or one revision of a model')
    .argument('<name>', 'the model')
    .argument('[revision]', 'one that was deleted by itself')
    .action(async (name: string, revision: string | undefined, _options, command: Command) => {
      const options = command.optsWithGlobals<Common>();
      const path = modelPath(namespaceOf(options), name, 'restore');
      const json = revision === undefined ? {} : { revision };
      const call = { method: 'POST', path, json } as const;
      const { status } = await clientFor(io, options).call(call, readModel);
      const what = revision === undefined ? formatTraffic(status.traffic) : revision;
      io.stdout.write(`${name}  restored  ${what}\n`);
    });
}
