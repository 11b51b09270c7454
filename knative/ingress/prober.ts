import { request } from 'node:http';
import type { Clock } from '#lib/clock.ts';
import type { BackendAddress } from './endpoints.ts';
import type { HostRules, PathRule, Routing } from './rules.ts';

/** A gateway that is there answers in a millisecond. */
const PATIENCE_MS = 1000;

/** A question to a gateway which rules it goes by. */
export interface Probe {
  readonly isPublic: boolean;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The answer of one that serves what is wanted. */
  readonly hash: string;
}

/** One is enough: a gateway takes all rules of an Ingress in one step. */
export function makeProbe({ hosts, hash }: Routing): Probe | undefined {
  for (const host of hosts) {
    const path = host.paths.find(({ probe }) => probe !== undefined);
    if (path) return { isPublic: host.isPublic, hash, ...makeRequest(host, path) };
  }
  return undefined;
}

function makeRequest(
  { names }: HostRules,
  { prefix, headers }: PathRule,
): Pick<Probe, 'path' | 'headers'> {
  return {
    path: prefix === '' ? '/' : prefix,
    headers: {
      ...Object.fromEntries(headers),
      host: names[0] ?? '',
      'user-agent': 'Knative-Ingress-Probe',
      'k-network-probe': 'probe',
    },
  };
}

/** Whether the gateway at this address shows the hash. */
export async function askGateway(
  { host, port }: BackendAddress,
  { path, headers, hash }: Probe,
  clock: Clock,
): Promise<boolean> {
  return await new Promise((resolve) => {
    const asked = request({ host, port, path, headers, agent: false }, (response) => {
      finish(response.statusCode === 200 && response.headers['k-network-hash'] === hash);
    });
    const timer = clock.after(PATIENCE_MS, () => finish(false));
    function finish(answer: boolean): void {
      timer.cancel();
      resolve(answer);
      asked.destroy();
    }
    asked.on('error', () => finish(false));
    asked.end();
  });
}
