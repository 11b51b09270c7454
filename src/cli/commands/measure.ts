import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { Command } from 'commander';
import { type Measure, measure } from '#domain/measures.ts';
import { parseDocument } from '#domain/parse.ts';
import { readMeasuresAdded } from '#domain/read-views.ts';
import { ROUSE } from '#lib/command.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import { jsonOf } from '#lib/json.ts';
import { type Client, modelPath } from '../client.ts';
import { reasonOf } from '../documents.ts';
import type { Io } from '../io.ts';
import { modelClientFor } from '../models.ts';
import { type Common, namespaceOf } from '../options.ts';

/** Of one call: also the largest ones are well below what control reads. */
const BATCH = 500;
/** Names that say something of the measures; any other one is what was measured. */
const TEXTS = new Set(['revision', 'label', 'prediction', 'id']);
const NUMBERS = new Set(['count', 'deviation', 'at']);

interface Options extends Common {
  readonly file?: string;
}

export function addMeasure(program: Command, io: Io): void {
  program
    .command('measure')
    .description('tell what was measured of a model: scores, labels, values of its inputs')
    .argument('<name>', 'the model')
    .argument('[name=number...]', 'such as revision=v2 accuracy=0.93 count=1000')
    .option('-f, --file <file>', 'JSON lines, each a measure; - for what comes in')
    .addHelpText(
      'after',
      `\nWith label=… prediction=… the accuracy is counted. What has an id counts once, however often it is told.
Examples: ${ROUSE} measure digits revision=v2 accuracy=0.93 count=1000
          ${ROUSE} measure digits revision=v2 -f labels.jsonl     # {"id": "a1", "label": 3, "prediction": 5}`,
    )
    .action(async (name: string, pairs: string[], _options, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { about, rows } = parsePairs(pairs, (problem) => command.error(`error: ${problem}`));
      const client = modelClientFor(io, options, name);
      const path = `${modelPath(namespaceOf(options), name)}/measures`;
      const { file } = options;
      const given =
        file === undefined
          ? rows.map((row) => parseDocument(measure, row, 'measure'))
          : readLines(io, file, about);
      const told = await send(client, path, given);
      const again = told.repeated === 0 ? '' : ` · ${told.repeated} counted before`;
      io.stdout.write(`${name}  ${told.added} added${again}\n`);
    });
}

type Fields = Readonly<Record<string, unknown>>;

/** `about`: what all have in common; `rows`: a measure for each name, or one for the label. */
function parsePairs(
  pairs: readonly string[],
  fail: (problem: string) => never,
): { about: Fields; rows: readonly Fields[] } {
  const about: Record<string, unknown> = {};
  const numbers: [string, unknown][] = [];
  for (const pair of pairs) {
    const [, name = '', text = ''] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
    if (name === '') fail(`${pair}: expected name=number, such as accuracy=0.93`);
    const value = TEXTS.has(name) ? text : Number(text || Number.NaN);
    if (Number.isNaN(value)) fail(`${pair}: expected a number, such as ${name}=0.93`);
    if (TEXTS.has(name) || NUMBERS.has(name)) about[name] = value;
    else numbers.push([name, value]);
  }
  const rows =
    numbers.length === 0
      ? [about]
      : numbers.map(([name, value]) => Object.assign({}, about, { name, value }));
  return { about, rows };
}

async function* readLines(io: Io, file: string, about: Fields): AsyncGenerator<Measure> {
  const input = file === '-' ? Readable.from(io.stdin) : createReadStream(resolve(io.cwd, file));
  let line = 0;
  // Errors of a file that is not there do not come out of the lines.
  const failed = new Promise<never>((_, reject) => input.once('error', reject));
  failed.catch(() => undefined);
  const lines = createInterface({ input })[Symbol.asyncIterator]();
  for (;;) {
    const next = await Promise.race([lines.next(), failed]).catch((error: unknown) => {
      throw new Fault('not_found', `${file} cannot be read: ${reasonOf(error)}`);
    });
    if (next.done === true) return;
    line += 1;
    if (next.value.trim() === '') continue;
    yield parseLine(next.value, about, `${file}:${line}`);
  }
}

function parseLine(text: string, about: Fields, where: string): Measure {
  const value = jsonOf(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Fault(
      'invalid',
      `${where}: expected a JSON object, such as {"name": "accuracy", "value": 0.93}`,
    );
  }
  return parseDocument(measure, { ...about, ...value }, where);
}

async function send(
  client: Client,
  path: string,
  given: Iterable<Measure> | AsyncIterable<Measure>,
): Promise<{ added: number; repeated: number }> {
  const told = { added: 0, repeated: 0 };
  let batch: Measure[] = [];

  async function flush(): Promise<void> {
    const call = { method: 'POST', path, json: { measures: batch } } as const;
    const { added, repeated } = await client.call(call, readMeasuresAdded);
    told.added += added;
    told.repeated += repeated;
    batch = [];
  }

  try {
    for await (const each of given) {
      batch.push(each);
      if (batch.length === BATCH) await flush();
    }
    if (batch.length > 0) await flush();
    return told;
  } catch (error) {
    if (!(error instanceof Fault) || told.added + told.repeated === 0) throw error;
    const done = `${told.added} added before: `;
    throw new Fault(error.code, done + messageOf(error), { problems: error.problems });
  }
}
