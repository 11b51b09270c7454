import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { address, type HostPort, splitAddress } from '#domain/address.ts';
import { readClusterDomain } from '#knative/api/cluster-domain.ts';
import { Fault, messageOf } from '#lib/fault.ts';

export interface IngressSettings {
  /** For callers from outside, without TLS and with it, and for those in the cluster. */
  readonly http: HostPort;
  readonly https: HostPort;
  readonly inside: HostPort;
  /** Metrics and health. */
  readonly admin: HostPort;
  /** Of the cluster, such as `cluster.local`. */
  readonly domain: string;
  /** Where the Services and the Lease of the ingress are. */
  readonly namespace: string;
  /** Of this one among its replicas. */
  readonly identity: string;
}

const DEFAULTS = {
  http: '0.0.0.0:8080',
  https: '0.0.0.0:8443',
  inside: '0.0.0.0:8081',
  admin: '0.0.0.0:9090',
  'cluster-domain': '',
};

const PORTS = ['http', 'https', 'inside', 'admin'] as const;
type Port = (typeof PORTS)[number];

export const USAGE = `usage: ingress [--http HOST:PORT] [--https HOST:PORT] [--inside HOST:PORT] [--admin HOST:PORT]
               [--cluster-domain DOMAIN]
The environment says which pod it is: POD_NAME, POD_NAMESPACE. KUBECONFIG or the pod's account leads to the cluster.
`;

/** @param resolvConf the file that says where names are looked for. Throws Fault `invalid`. */
export function parseIngressSettings(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  resolvConf: string,
): IngressSettings {
  const said = { ...DEFAULTS, ...read(argv) };
  return {
    ...parseAddresses(said),
    domain: readClusterDomain(said['cluster-domain'], resolvConf),
    namespace: env['POD_NAMESPACE'] ?? 'rouse-system',
    identity: env['POD_NAME'] ?? hostname(),
  };
}

function read(argv: readonly string[]): Partial<typeof DEFAULTS> {
  const options = Object.fromEntries(
    Object.keys(DEFAULTS).map((name) => [name, { type: 'string' as const }]),
  );
  try {
    return parseArgs({ args: [...argv], options }).values;
  } catch (error) {
    throw new Fault('invalid', messageOf(error));
  }
}

/** Throws Fault `invalid` that names all that are none. */
function parseAddresses(said: Record<Port, string>): Record<Port, HostPort> {
  const problems = PORTS.flatMap((port) => {
    const problem = address.safeParse(said[port]).error?.issues[0]?.message;
    if (problem === undefined) return [];
    return `--${port} ${JSON.stringify(said[port])}: expected ${problem}`;
  });
  if (problems.length > 0) throw new Fault('invalid', problems.join('\n'));
  const { http, https, inside, admin } = said;
  return {
    http: splitAddress(http),
    https: splitAddress(https),
    inside: splitAddress(inside),
    admin: splitAddress(admin),
  };
}
