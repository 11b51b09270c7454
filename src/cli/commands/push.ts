import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Io } from '../io.ts';
import { clientFor, type Common } from '../options.ts';
import { checkSource, upload } from '../upload.ts';

export function addPush(program: Command, io: Io): void {
  program
    .command('push')
    .description('store a file or a folder, and print the digest that a source can be')
    .argument('<path>', 'a file or a folder')
    .action(async (given: string, _options, command: Command) => {
      const path = resolve(io.cwd, given);
      await checkSource(path);
      const client = clientFor(io, command.optsWithGlobals<Common>());
      io.stdout.write(`${await upload(client, path, io.stderr)}\n`);
    });
}
