import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { address, type HostPort } from '#domain/address.ts';
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
    http: parseAddress('http', said.http),
    https: parseAddress('https', said.https),
    inside: parseAddress('inside', said.inside),
    admin: parseAddress('admin', said.admin),
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

function parseAddress(flag: string, text: string): HostPort {
  const found = address.safeParse(text);
  if (found.success) return found.data;
  const problem = found.error.issues[0]?.message;
  throw new Fault('invalid', `--${flag} ${JSON.stringify(text)}: expected ${problem}`);
}
