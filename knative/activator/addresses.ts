import { formatAddress } from '#domain/address.ts';
import type { Endpoints } from './objects.ts';

/** Where a pod listens: `ip:port`, and whether Kubernetes takes it for ready. */
export type Addresses = ReadonlyMap<string, boolean>;

/** Name of the port of a revision's Services. */
export type PortName = 'http' | 'http2';

/** The pods' addresses at the port of this name. One that is said to be both is ready. */
export function readAddresses({ subsets = [] }: Endpoints, portName: PortName): Addresses {
  const found = new Map<string, boolean>();
  for (const { addresses = [], notReadyAddresses = [], ports = [] } of subsets) {
    const port = ports.find(({ name }) => name === portName)?.port;
    if (port === undefined) continue;
    for (const { ip } of notReadyAddresses) {
      const to = formatAddress({ host: ip, port });
      if (!found.has(to)) found.set(to, false);
    }
    for (const { ip } of addresses) found.set(formatAddress({ host: ip, port }), true);
  }
  return found;
}

/** The addresses that take requests at the port of this name, in an order that is the same for everybody. */
export function readIps({ subsets = [] }: Endpoints, portName: PortName): string[] {
  const ips = subsets
    .filter(({ ports = [] }) => ports.some(({ name }) => name === portName))
    .flatMap(({ addresses = [] }) => addresses.map(({ ip }) => ip));
  return [...new Set(ips)].toSorted();
}
