import { type Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_NAMESPACE } from '#domain/names.ts';
import { type Client, createClient } from './client.ts';
import type { Io } from './io.ts';
import type { Format } from './print.ts';

/** What every command takes. */
export interface Common {
  readonly namespace?: string;
  readonly output: Format;
  readonly server: string;
}

/** Where control listens when nothing else is said. */
export const DEFAULT_SERVER = 'http://127.0.0.1:8081';

export function addCommonOptions(program: Command, io: Io): void {
  program
    .option('-n, --namespace <name>', `namespace (default: "${DEFAULT_NAMESPACE}")`)
    .addOption(
      new Option('-o, --output <format>', 'how to print')
        .choices(['table', 'json', 'yaml'])
        .default('table'),
    )
    .addOption(
      new Option('--server <url>', "control's address, or ROUSE_SERVER")
        .argParser(parseUrl)
        .default(io.env['ROUSE_SERVER'] || DEFAULT_SERVER),
    );
}

/** A client for the server that the command names, with the key of the environment. */
export function clientFor(io: Io, { server }: Common): Client {
  const { clock, env, fetch } = io;
  return createClient({ server, key: env['ROUSE_KEY'] || undefined, fetch, clock });
}

export function namespaceOf({ namespace }: Common): string {
  return namespace ?? DEFAULT_NAMESPACE;
}

/** A whole number that is not negative. */
export function parseCount(text: string): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected a whole number.');
}

function parseUrl(text: string): string {
  if (/^https?:\/\/[^/]/.test(text) && URL.canParse(text)) return text;
  throw new InvalidArgumentError('Expected an address such as http://127.0.0.1:8081.');
}
