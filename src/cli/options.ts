import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_NAMESPACE } from '#domain/names.ts';
import { Fault } from '#lib/fault.ts';
import { type Client, createClient } from './client.ts';
import { reasonOf } from './documents.ts';
import type { Io } from './io.ts';
import { type Format, FORMATS } from './print.ts';

/** What every command takes. */
export interface Common {
  readonly namespace?: string;
  readonly output: Format;
  readonly server: string;
}

/** Where control listens when nothing else is said. */
export const DEFAULT_SERVER = 'http://127.0.0.1:8081';

/** No model fits into less than 1 MiB: whoever writes such a number without a unit means another one. */
const MIN_PLAIN_BYTES = 2 ** 20;

export function addCommonOptions(program: Command, io: Io): void {
  program
    .option('-n, --namespace <name>', `namespace (default: "${DEFAULT_NAMESPACE}")`)
    .addOption(
      new Option('-o, --output <format>', 'how to print: table, json or yaml').default('table'),
    )
    .addOption(
      new Option('--server <url>', "control's address, or ROUSE_SERVER")
        .argParser(parseUrl)
        .default(io.env['ROUSE_SERVER'] || DEFAULT_SERVER),
    )
    .hook('preAction', (_program, command) => checkFormat(command));
}

/** Of `batch` it is the file that is written. */
function checkFormat(command: Command): void {
  const { output } = command.optsWithGlobals<{ output: string }>();
  if (command.name() === 'batch' || FORMATS.some((format) => format === output)) return;
  const allowed = `Allowed choices are ${FORMATS.join(', ')}.`;
  command.error(
    `error: option '-o, --output <format>' argument '${output}' is invalid. ${allowed}`,
  );
}

/** A client for the server that the command names, with the key of the environment. */
export function clientFor(io: Io, { server }: Common): Client {
  const { clock, env, fetch } = io;
  const key = env['ROUSE_KEY'] || readKey(io.cwd, env['ROUSE_KEY_FILE']);
  return createClient({ server, key, fetch, clock });
}

function readKey(cwd: string, file: string | undefined): string | undefined {
  if (file === undefined || file === '') return undefined;
  try {
    return readFileSync(resolve(cwd, file), 'utf8').trim() || undefined;
  } catch (error) {
    throw new Fault('not_found', `ROUSE_KEY_FILE: ${file} cannot be read: ${reasonOf(error)}`);
  }
}

export function namespaceOf({ namespace }: Pick<Common, 'namespace'>): string {
  return namespace ?? DEFAULT_NAMESPACE;
}

/** A whole number that is not negative. */
export function parseCount(text: string): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected a whole number.');
}

/** Other sizes are looked at where the whole model is. */
export function parseMemory(text: string): string {
  const isPlain = /^[0-9.]+$/.test(text);
  if (!isPlain || Number(text) === 0 || Number(text) >= MIN_PLAIN_BYTES) return text;
  throw new InvalidArgumentError('Plain numbers are bytes. Expected a size such as 256Mi.');
}

function parseUrl(text: string): string {
  if (/^https?:\/\/[^/]/.test(text) && URL.canParse(text)) return text;
  throw new InvalidArgumentError('Expected an address such as http://127.0.0.1:8081.');
}
