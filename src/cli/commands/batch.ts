import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { type BatchRequest, batchSpec } from '#domain/job.ts';
import { parseDocument } from '#domain/parse.ts';
import { type JobCheckAnswer, readJobCheck } from '#domain/read-views.ts';
import { formatDuration } from '#domain/units.ts';
import { formatSize } from '#domain/format-size.ts';
import { ROUSE } from '#lib/command.ts';
import type { Io } from '../io.ts';
import { jobPath } from '../jobs.ts';
import { modelClientFor } from '../models.ts';
import { type Common, namespaceOf, parseCount } from '../options.ts';
import { formatTable } from '../print.ts';
import { runJob } from '../run-job.ts';

interface Options extends Omit<Common, 'output'> {
  readonly output: string;
  readonly revision?: string;
  readonly map?: Readonly<Record<string, string[]>>;
  readonly columns?: string;
  readonly format?: 'csv';
  readonly outputFormat?: 'csv';
  readonly batchSize?: number;
  readonly shards?: number;
  readonly maxFailed?: string;
  readonly deadline?: string;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly detach?: boolean;
  readonly json?: boolean;
}

export function addBatch(program: Command, io: Io, exit: { status: number }): void {
  program
    .command('batch')
    .description('score all rows of a file with a model, from zero and back to zero')
    .argument('<model>', 'the model')
    .argument('<input>', 'a file, folder, glob or http(s) address: CSV, JSON lines, Parquet, Arrow')
    .option('--revision <name>', 'instead of that with most of the traffic')
    .option(
      '--map <input=column,…>',
      'columns for an input of the model; a * stands for anything',
      parseMap,
    )
    .option('--columns <column,…>', 'columns of the input that stand in the output, such as an id')
    .option('--format <format>', 'of the input: csv, jsonl, parquet or arrow')
    .option('--output-format <format>', 'of the output: csv, jsonl, parquet or arrow')
    .option('--batch-size <rows>', 'rows of a request; found while it runs by default', parseCount)
    .option('--shards <pods>', 'on Kubernetes: pods that score it side by side', parseCount)
    .option('--max-failed <rows>', 'stop when more rows have failed, such as 100 or 5%')
    .option('--deadline <duration>', 'stop when it has taken longer, such as 2h')
    .option('--force', 'replace an output that is there')
    .option('--dry-run', 'only show the mapping, the first five answers, and how long it takes')
    .option('--detach', 'do not wait for its end')
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      `
-o FILE says where the output goes. Rows that failed are in FILE.failed.jsonl. The server reads and writes the files.
Ctrl-C ends the looking only; the job goes on.
Example: ${ROUSE} batch digits pixels.csv -o labels.csv --columns id --map 'image=p*'`,
    )
    .action(async (model: string, input: string, _options, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      if (command.parent?.getOptionValueSource('output') !== 'cli') {
        command.error('error: expected -o FILE, where the output goes');
      }
      const request = makeRequest(model, input, options, io.cwd);
      parseDocument(batchSpec, request, 'job');
      if (options.dryRun === true) await dryRun(request, options, io, exit);
      else await runJob(request, options, io, exit);
    });
}

/** Ends with 1 when the model took none of the rows that were tried. */
async function dryRun(
  request: BatchRequest,
  options: Options,
  io: Io,
  exit: { status: number },
): Promise<void> {
  const client = modelClientFor(io, { ...options, output: 'table' }, request.model);
  const path = jobPath(namespaceOf(options));
  const call = { method: 'POST', path, query: { dryRun: 'true' }, json: request } as const;
  const check = await client.call(call, readJobCheck);
  if (options.json === true) io.stdout.write(`${JSON.stringify(check, undefined, 2)}\n`);
  else io.stdout.write(formatCheck(check));
  if (haveAllFailed(check)) exit.status = 1;
}

function haveAllFailed({ answers, failures }: JobCheckAnswer): boolean {
  return answers.length === 0 && failures.length > 0;
}

function formatCheck(check: JobCheckAnswer): string {
  const { mapping, answers, failures } = check;
  const names = Object.keys(answers[0] ?? {});
  const table = answers.map((answer) => names.map((name) => formatCell(answer[name])));
  return [
    ...mapping.map((line) => `${line}\n`),
    ...(names.length > 0 ? [formatTable([names, ...table])] : []),
    ...failures.map((line) => `${line}\n`),
    ...(haveAllFailed(check)
      ? [`none of the first ${failures.length} rows could be scored\n`]
      : []),
    `${formatCost(check)}\n`,
  ].join('');
}

/** `about 20000 rows, 3Mi, about 2.4s and 2.4 instance-seconds at 8251 rows/s of one request at a time`. */
function formatCost({ rows, estimatedRows, bytes, rowsPerSecond }: JobCheckAnswer): string {
  const all = rows ?? estimatedRows;
  if (all === undefined) return formatSize(bytes);
  const much = `${rows === undefined ? 'about ' : ''}${all} rows, ${formatSize(bytes)}`;
  if (rowsPerSecond === undefined) return much;
  const seconds = all / rowsPerSecond;
  return (
    `${much}, about ${formatDuration(seconds * 1000)} and ${seconds.toFixed(1)} instance-seconds ` +
    `at ${Math.round(rowsPerSecond)} rows/s of one request at a time`
  );
}

/** Lists of probabilities are long, and a table is to look at. */
function formatCell(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}

function makeRequest(model: string, input: string, options: Options, cwd: string): BatchRequest {
  const { revision, map, columns, format, outputFormat } = options;
  const { batchSize, shards, maxFailed, deadline, force } = options;
  const isAddress = /^https?:\/\//.test(input);
  return {
    model,
    ...(revision !== undefined && { revision }),
    input: { location: isAddress ? input : resolve(cwd, input), ...(format && { format }) },
    output: {
      path: resolve(cwd, options.output),
      ...(outputFormat && { format: outputFormat }),
      ...(columns !== undefined && { columns: columns.split(',') }),
      ...(force === true && { replace: true }),
    },
    ...(map !== undefined && { map }),
    ...(batchSize !== undefined && { batchSize }),
    ...(shards !== undefined && { shards }),
    ...(maxFailed !== undefined && { maxFailed }),
    ...(deadline !== undefined && { deadline }),
  };
}

function parseMap(text: string, before: Record<string, string[]> = {}): Record<string, string[]> {
  const [, name = '', columns = ''] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (name === '') throw new InvalidArgumentError('Expected input=column,…, such as image=p0,p1.');
  return { ...before, [name]: columns.split(',') };
}
