import type { Command } from 'commander';
import { readWebhookSecret } from '#domain/read-views.ts';
import { ROUSE } from '#lib/command.ts';
import { namespacePath } from '../client.ts';
import type { Io } from '../io.ts';
import { clientFor, type Common, namespaceOf } from '../options.ts';
import { print } from '../print.ts';

export function addWebhookSecret(program: Command, io: Io): void {
  program
    .command('webhook-secret')
    .description('what webhooks of a namespace are signed with, for who receives them')
    .addHelpText(
      'after',
      `\nReceivers check by it that a webhook is from here, as Standard Webhooks has it.
Example: ${ROUSE} webhook-secret -n lab`,
    )
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<Common>();
      const path = namespacePath(namespaceOf(options), 'webhook-secret');
      const shown = await clientFor(io, options).call({ path }, readWebhookSecret);
      print(io.stdout, options.output, shown, () => [[shown.secret]]);
    });
}
