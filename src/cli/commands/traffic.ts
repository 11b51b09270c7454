import type { Command } from 'commander';
import { type ModelAnswer, readModel } from '#domain/read-views.ts';
import type { TrafficTarget } from '#domain/model.ts';
import { ROUSE } from '#lib/command.ts';
import { modelPath } from '../client.ts';
import type { Io } from '../io.ts';
import { modelClientFor } from '../models.ts';
import { type Common, namespaceOf } from '../options.ts';

export function addTraffic(program: Command, io: Io): void {
  program
    .command('traffic')
    .description('split requests over revisions')
    .argument('<name>', 'the model')
    .argument('<revision=percent...>', 'such as v1=90 v2=10, or latest=100')
    .addHelpText(
      'after',
      `\nTags and rows with a match stay with their revisions.\nExample: ${ROUSE} traffic digits v1=90 v2=10`,
    )
    .action(async (name: string, rows: string[], _options, command: Command) => {
      const options = command.optsWithGlobals<Common>();
      const wanted = rows.map((row) => parseRow(row) ?? command.error(describe(row)));
      const wrong = problemOf(wanted);
      if (wrong !== undefined) command.error(`error: ${wrong}`);
      const client = modelClientFor(io, options, name);
      const path = modelPath(namespaceOf(options), name);
      const { status } = await client.call({ path }, readModel);
      const traffic = withNamed(wanted, status.traffic);
      const headers = { 'if-match': `"${status.version}"` };
      const call = { method: 'PUT', path: `${path}/traffic`, json: { traffic }, headers } as const;
      await client.call(call, () => undefined);
      const split = wanted.map(({ revision, percent }) => `${revision ?? 'latest'} ${percent} %`);
      io.stdout.write(`${name}  ${split.join(' · ')}\n`);
    });
}

function parseRow(text: string): TrafficTarget | undefined {
  const [, revision = '', percent = ''] = /^([^=]+)=([0-9]{1,3})$/.exec(text) ?? [];
  if (revision === '') return undefined;
  return revision === 'latest'
    ? { latest: true, percent: Number(percent) }
    : { revision, percent: Number(percent) };
}

function describe(row: string): string {
  return `error: ${row}: expected revision=percent, percent a whole number from 0 to 100, such as v1=90`;
}

function problemOf(rows: readonly TrafficTarget[]): string | undefined {
  const names = rows.map(({ revision }) => revision ?? 'latest');
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) return `${twice} is named twice, expected one percentage for each`;
  const sum = rows.reduce((all, { percent }) => all + percent, 0);
  return sum === 100 ? undefined : `percentages sum to ${sum}, expected 100`;
}

type Shown = ModelAnswer['status']['traffic'];

/** What somebody may use stays with its revision: a tag, at 0 % if need be, and a match. */
function withNamed(wanted: readonly TrafficTarget[], now: Shown): TrafficTarget[] {
  const matched = now.filter(({ match }) => match !== undefined);
  const tags = now.flatMap(({ revision, tag, match }) =>
    tag === undefined || match ? [] : [{ revision, tag }],
  );
  const used = new Set<string>();
  const rows = wanted.map((row) => {
    const found = tags.find(({ revision, tag }) => revision === row.revision && !used.has(tag));
    if (!found) return row;
    used.add(found.tag);
    return Object.assign({}, row, { tag: found.tag });
  });
  const rest = tags.filter(({ tag }) => !used.has(tag));
  return [...rows, ...rest.map(({ revision, tag }) => ({ revision, percent: 0, tag })), ...matched];
}
