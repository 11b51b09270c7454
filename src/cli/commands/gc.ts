import type { Command } from 'commander';
import { readCollection } from '#domain/read-views.ts';
import type { CollectionRowView } from '#domain/views.ts';
import { formatTime } from '#domain/units.ts';
import { formatSize } from '#domain/format-size.ts';
import type { Client } from '../client.ts';
import type { Io } from '../io.ts';
import { clientFor, type Common } from '../options.ts';
import { listAll } from '../pages.ts';
import { print } from '../print.ts';

const PATH = '/api/v1/gc';

export function addGc(program: Command, io: Io): void {
  program
    .command('gc')
    .description('clear away now what nobody has asked for longer than its retention allows')
    .option('--dry-run', 'only show what would go, and why')
    .option('--all', 'with --dry-run: also what stays, and why')
    .addHelpText(
      'after',
      '\nWith -n only models and jobs of that namespace; without it of all, and stored content.\n' +
        'Rouse does the same by itself, a little later.',
    )
    .action(async (_options, command: Command) => {
      const options = command.optsWithGlobals<Common & { dryRun?: boolean; all?: boolean }>();
      const client = clientFor(io, options);
      const { dryRun: isDry = false, all = false, namespace, output } = options;
      if (all && !isDry) command.error('error: --all needs --dry-run');
      const rows = isDry ? await plan(client, namespace) : await collect(client, namespace);
      // What a program reads it filters by itself.
      const shown = isDry && !all && output === 'table' ? rows.filter(isRemoved) : rows;
      if (shown.length > 0 || output !== 'table') {
        print(io.stdout, output, shown, () => makeRows(shown, isDry));
      } else io.stderr.write('nothing to clear away\n');
      const kept = rows.length - shown.length;
      if (kept > 0) io.stderr.write(`${kept} ${kept === 1 ? 'is' : 'are'} kept: --all shows why\n`);
    });
}

async function plan(client: Client, namespace: string | undefined): Promise<CollectionRowView[]> {
  const rows = await listAll(client, { path: PATH, query: { namespace } }, readCollection);
  // What goes is what is looked for.
  return rows.toSorted((a, b) => Number(isRemoved(b)) - Number(isRemoved(a)));
}

function isRemoved({ action }: CollectionRowView): boolean {
  return action === 'remove';
}

async function collect(
  client: Client,
  namespace: string | undefined,
): Promise<CollectionRowView[]> {
  const json = namespace === undefined ? {} : { namespace };
  const { items } = await client.call({ method: 'POST', path: PATH, json }, readCollection);
  return items;
}

function makeRows(rows: readonly CollectionRowView[], isDry: boolean): string[][] {
  const words = isDry ? { keep: 'keep', remove: 'remove' } : { keep: 'kept', remove: 'removed' };
  const lines = rows.map(({ action, kind, name, goesAt, bytes, why }) => [
    words[action],
    kind,
    bytes === undefined ? name : `${name.slice(0, SHOWN_DIGEST)} ${formatSize(bytes)}`,
    goesAt === undefined ? '-' : formatTime(goesAt),
    why,
  ]);
  return [['ACTION', 'KIND', 'NAME', 'GOES AT', 'WHY'], ...lines];
}

/** `sha256:` and enough of the digest to tell it from others. */
const SHOWN_DIGEST = 'sha256:'.length + 12;
