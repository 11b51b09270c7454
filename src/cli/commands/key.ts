import { type Command, Option } from 'commander';
import { PRIORITIES } from '#domain/priority.ts';
import { ROLES } from '#domain/records.ts';
import { readKeys, readNewKey } from '#domain/read-views.ts';
import type { KeyView } from '#domain/views.ts';
import type { Io } from '../io.ts';
import { clientFor, type Common } from '../options.ts';
import { print } from '../print.ts';
import { formatTime } from '#domain/units.ts';

export const KEYS_PATH = '/api/v1/keys';

export function addKey(program: Command, io: Io): void {
  const key = program
    .command('key')
    .description('keys: for the control API, and to be known as a caller of models');
  addCreate(key, io);
  key
    .command('list')
    .description('list keys, without their secrets')
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<Common>();
      const keys = await clientFor(io, options).call({ path: KEYS_PATH }, readKeys);
      print(io.stdout, options.output, keys.items, () => makeKeyRows(keys.items));
    });
  key
    .command('delete')
    .description('remove a key: it opens nothing from now on')
    .argument('<id>', 'its id')
    .action(async (id: string, _options, command: Command) => {
      const client = clientFor(io, command.optsWithGlobals<Common>());
      const path = `${KEYS_PATH}/${encodeURIComponent(id)}`;
      await client.call({ method: 'DELETE', path }, () => undefined);
      io.stdout.write(`${id}  deleted\n`);
    });
}

export function makeKeyRows(keys: readonly KeyView[]): string[][] {
  const rows = keys.map(({ id, role, priority, createdAt, createdBy, note }) => [
    id,
    role,
    priority ?? 'normal',
    formatTime(createdAt),
    createdBy.id,
    note,
  ]);
  return [['ID', 'ROLE', 'PRIORITY', 'CREATED', 'BY', 'NOTE'], ...rows];
}

function addCreate(key: Command, io: Io): void {
  key
    .command('create')
    .description('make a key and print its secret, once')
    .addOption(
      new Option(`--role <${ROLES.join('|')}>`, 'what it may do')
        .choices(ROLES)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option(
        '--priority <priority>',
        'the highest that requests to models may have, and have when they ask for none',
      )
        .choices(PRIORITIES)
        .default('normal'),
    )
    .option('--note <text>', 'what it is for', '')
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<
        Common & { role: string; priority: string; note: string }
      >();
      const { role, priority, note } = options;
      const json = { role, priority, note };
      const client = clientFor(io, options);
      const made = await client.call({ method: 'POST', path: KEYS_PATH, json }, readNewKey);
      if (options.output !== 'table') return print(io.stdout, options.output, made, () => []);
      io.stderr.write('Keep it: it is not shown again. Commands take it from ROUSE_KEY.\n');
      io.stdout.write(`${made.secret}\n`);
    });
}
