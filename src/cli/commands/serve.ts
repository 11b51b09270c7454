import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { SERVER_FIELDS, type ServerField, type ServerSettings } from '#domain/server.ts';
import { parseServer, type ServerSources } from '#domain/server-sources.ts';
import { Fault } from '#lib/fault.ts';
import { parseYaml } from '#lib/yaml.ts';
import { reasonOf } from '../documents.ts';
import type { Io } from '../io.ts';

/** What `rouse serve` was asked to do. */
export interface ServeRequest {
  readonly settings: ServerSettings;
  /** A folder of model files to apply at the start. */
  readonly apply?: string;
  /** Follow edits of that folder. */
  readonly watch: boolean;
}

export type Serve = (request: ServeRequest) => Promise<number>;

/** Read when it is there; nothing is missing when it is not. */
const DEFAULT_CONFIG = 'rouse.yaml';
const PLACEHOLDERS = {
  text: ' <value>',
  number: ' <number>',
  list: ' <a,b>',
  budgets: ' <a=4Gi,b=12>',
  boolean: '',
} as const;

export function addServe(
  program: Command,
  io: Io & { totalMemory: number; serve: Serve },
  exit: { status: number },
): void {
  const command = program
    .command('serve')
    .description('run the server: data plane, control and instances')
    .option('--config <file>', `a kind: Server file (default: "${DEFAULT_CONFIG}", if it is there)`)
    .option('--apply <folder>', 'apply the model files of a folder at the start')
    .option('--watch', 'follow edits of that folder');
  for (const row of SERVER_FIELDS) {
    command.addOption(new Option(row.flag + PLACEHOLDERS[row.kind], describe(row)));
  }
  command.action(async () => {
    const options = command.opts<{ config?: string; apply?: string; watch?: boolean }>();
    if (options.watch && options.apply === undefined) {
      command.error('error: --watch needs a folder to watch: --apply <folder>');
    }
    const file = await readConfig(io, options.config);
    const flags = flagsOf(command);
    const { env, totalMemory } = io;
    const settings = readSettings(command, { ...(file && { file }), env, flags, totalMemory });
    const apply = options.apply === undefined ? {} : { apply: resolve(io.cwd, options.apply) };
    exit.status = await io.serve({ settings, ...apply, watch: options.watch ?? false });
  });
}

/** A setting that is none is wrong usage, wherever it was said. */
function readSettings(command: Command, sources: ServerSources): ServerSettings {
  try {
    return parseServer(sources);
  } catch (error) {
    if (error instanceof Fault) command.error(`error: ${error.message}`);
    throw error;
  }
}

function describe({ env, description, byDefault }: ServerField): string {
  return `${description} (${env}${byDefault === '' ? '' : `, default: ${byDefault}`})`;
}

async function readConfig(io: Io, named: string | undefined): Promise<ServerSources['file']> {
  const name = named ?? DEFAULT_CONFIG;
  const text = await readFile(resolve(io.cwd, name), 'utf8').catch((error: unknown) => {
    if (named === undefined) return undefined;
    throw new Fault('not_found', `${name} cannot be read: ${reasonOf(error)}`);
  });
  if (text === undefined) return undefined;
  const documents = parseYaml(text, name);
  if (documents.length !== 1) {
    throw new Fault('invalid', `${name} has ${documents.length} documents, expected one`);
  }
  return { name, value: documents[0]?.value };
}

function flagsOf(command: Command): Record<string, string | true> {
  const values = command.opts<Record<string, string | true | undefined>>();
  const flags: Record<string, string | true> = {};
  for (const option of command.options) {
    const value = values[option.attributeName()];
    if (option.long && value !== undefined) flags[option.long] = value;
  }
  return flags;
}
