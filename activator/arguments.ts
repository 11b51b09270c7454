import { randomBytes } from 'node:crypto';
import { hostname, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import type { StreamAddress } from '#bus/stream.ts';
import { address, type HostPort } from '#domain/address.ts';
import { SERVER_FIELDS } from '#domain/server.ts';
import { parseServer } from '#domain/server-sources.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import type { DataPlaneStart } from './process-messages.ts';

const FIELDS = SERVER_FIELDS.filter(({ scope }) => scope === 'data plane');

const OWN = {
  bus: { type: 'string' },
  name: { type: 'string' },
  admin: { type: 'string' },
  'share-port': { type: 'boolean' },
} as const;

export const USAGE = `usage: main --bus <path or host:port> [--name <unique>] [--admin <host:port>] [--share-port]
  ${FIELDS.map(({ flag }) => `[${flag} …]`).join(' ')}
The other settings are those of \`rouse serve\`, environment variables included.
`;

/** How a stand-alone data plane was called. Throws Fault `invalid`. */
export function parseStart(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  version: string,
): DataPlaneStart {
  const values = read(argv);
  const flags: Record<string, string | true> = {};
  for (const { flag } of FIELDS) {
    const value = values.get(flag);
    if (value !== undefined) flags[flag] = value;
  }
  const [bus, name, admin] = ['--bus', '--name', '--admin'].map((flag) => values.get(flag));
  if (typeof bus !== 'string') throw new Fault('invalid', '--bus is missing: where control is');
  const settings = parseServer({ env, flags, totalMemory: totalmem() });
  if (values.has('--share-port') && settings.listen.port === 0) {
    throw new Fault(
      'invalid',
      '--share-port with port 0: others can share only a port that is named',
    );
  }
  return {
    settings,
    bus: bus.includes('/') ? { path: bus } : parseAddress('--bus', bus),
    dataPlane: typeof name === 'string' ? name : makeName(),
    processes: 1,
    sharePort: values.has('--share-port'),
    version,
    ...(typeof admin === 'string' && { admin: parseAddress('--admin', admin) }),
  };
}

/** What was said, by flag. */
function read(argv: readonly string[]): Map<string, string | true> {
  const ofServer = FIELDS.map(({ flag, kind }) => [
    flag.slice(2),
    { type: kind === 'boolean' ? ('boolean' as const) : ('string' as const) },
  ]);
  try {
    const options = { ...Object.fromEntries(ofServer), ...OWN };
    const { values } = parseArgs({ args: [...argv], options });
    const said = new Map<string, string | true>();
    for (const [name, value] of Object.entries(values)) {
      if (typeof value === 'string' || value === true) said.set(`--${name}`, value);
    }
    return said;
  } catch (error) {
    throw new Fault('invalid', messageOf(error));
  }
}

function parseAddress(flag: string, text: string): HostPort & StreamAddress {
  const found = address.safeParse(text);
  if (found.success) return found.data;
  const problem = found.error.issues[0]?.message;
  throw new Fault('invalid', `${flag} ${JSON.stringify(text)}: expected ${problem}`);
}

/** A process that comes after this one is another data plane: it must not be taken for this one. */
function makeName(): string {
  return `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
}
