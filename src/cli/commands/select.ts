import type { Command } from 'commander';
import { readSelection } from '#domain/read-views.ts';
import type { SelectionView } from '#domain/selection.ts';
import { formatTime } from '#domain/units.ts';
import { ROUSE } from '#lib/command.ts';
import { modelPath } from '../client.ts';
import type { Io } from '../io.ts';
import { modelClientFor } from '../models.ts';
import { type Common, namespaceOf } from '../options.ts';
import { print } from '../print.ts';

interface Options extends Common {
  readonly whenQuiet?: boolean;
}

export function addSelect(program: Command, io: Io): void {
  program
    .command('select')
    .description('choose the revision that serves, or show which one was chosen and why')
    .argument('<name>', 'the model; its file has selection')
    .argument('[revision]', 'the revision that shall serve')
    .option('--when-quiet', "in the model's quiet time, not at once")
    .addHelpText('after', `\nExample: ${ROUSE} select digits v2`)
    .action(async (name: string, revision: string | undefined, _options, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const client = modelClientFor(io, options, name);
      const path = `${modelPath(namespaceOf(options), name)}/selection`;
      const change = options.whenQuiet === true ? 'lowTraffic' : 'now';
      const call =
        revision === undefined
          ? { path }
          : ({ method: 'POST', path, json: { revision, change } } as const);
      const view = await client.call(call, readSelection);
      print(io.stdout, options.output, view, () => makeRows(name, view));
    });
}

function makeRows(name: string, view: SelectionView): string[][] {
  const { strategy, serving = '-', wanted, rollingOut, decided, lookedAt, nextLookAt } = view;
  const next = nextLookAt === undefined ? '' : `, next at ${formatTime(nextLookAt)}`;
  return [
    ['MODEL', name],
    ['STRATEGY', strategy],
    ['SERVING', serving],
    ...(wanted && rollingOut === undefined
      ? [['WANTED', `${wanted.revision} since ${formatTime(wanted.since)}`]]
      : []),
    ...(rollingOut === undefined ? [] : [['ROLLING OUT', rollingOut]]),
    ...(lookedAt === 0 ? [] : [['LOOKED', `${formatTime(lookedAt)}${next}`]]),
    ...(decided ? [['WHY', decided.why]] : []),
  ];
}
