import type { Command } from 'commander';
import { readLogs } from '#domain/read-views.ts';
import type { LogLineView } from '#domain/views.ts';
import { formatYaml } from '#lib/yaml.ts';
import { type Client, modelPath } from '../client.ts';
import { type Io, pause } from '../io.ts';
import { modelClientFor } from '../models.ts';
import { type Common, namespaceOf, parseCount } from '../options.ts';
import { suggest } from '../suggest.ts';
import { type Format } from '../print.ts';
import { formatTime } from '#domain/units.ts';

const FOLLOW_MS = 1000;
/** What one answer may hold, so that a burst between two looks is seen whole. */
const FOLLOW_LINES = 1000;

export function addLogs(program: Command, io: Io): void {
  program
    .command('logs')
    .description('the last lines that instances of a model wrote')
    .argument('<name>', 'the model')
    .option('-f, --follow', 'go on with new lines')
    .option('--limit <count>', 'how many lines', parseCount, 200)
    .action(async (name: string, _options, command: Command) => {
      const options = command.optsWithGlobals<Common & { follow?: boolean; limit: number }>();
      const client = modelClientFor(io, options, name);
      const path = modelPath(namespaceOf(options), name, 'logs');
      const query = { limit: options.limit };
      const { items } = await client.call({ path, query }, readLogs);
      printLines(io, options.output, items);
      if (!options.follow) {
        const target = { server: client.server, namespace: namespaceOf(options) };
        if (items.length === 0)
          io.stderr.write(`no lines; see: ${suggest(['why', name], target)}\n`);
        return;
      }
      const show = (lines: readonly LogLineView[]): void => printLines(io, options.output, lines);
      await follow(client, path, io, items, show);
    });
}

/** Lines have no number: those of the last millisecond that was seen are counted. */
async function follow(
  client: Client,
  path: string,
  io: Io,
  shown: readonly LogLineView[],
  show: (lines: readonly LogLineView[]) => void,
): Promise<void> {
  let last = shown.at(-1)?.at ?? 0;
  let seen = shown.filter(({ at }) => at === last).length;
  while (!io.signal.aborted) {
    await pause(io, FOLLOW_MS);
    if (io.signal.aborted) return;
    const query = { after: last, limit: FOLLOW_LINES };
    const { items } = await client.call({ path, query }, readLogs);
    const fresh = items.slice(seen);
    if (fresh.length === 0) continue;
    show(fresh);
    last = fresh.at(-1)?.at ?? last;
    seen = items.filter(({ at }) => at === last).length;
  }
}

/** A line each, in JSON too: a reader of a stream takes them one by one. */
export function printLines(io: Io, format: Format, lines: readonly LogLineView[]): void {
  for (const line of lines) {
    if (format === 'json') io.stdout.write(`${JSON.stringify(line)}\n`);
    else if (format === 'yaml') io.stdout.write(formatYaml([line]));
    else io.stdout.write(`${formatTime(line.at)}  ${line.instance}  ${line.text}\n`);
  }
}
