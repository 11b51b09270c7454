import { lookup as lookupHost, type LookupAddress, type LookupOptions } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import { Fault } from './fault.ts';

/** Addresses that lead to this machine or its network, where strangers must not send a server. */

const PRIVATE = makeBlockList();

function makeBlockList(): BlockList {
  const list = new BlockList();
  // The registries of special-purpose addresses, RFC 6890, as far as they are not reached from everywhere.
  const ranges4: readonly (readonly [string, number])[] = [
    ['0.0.0.0', 8],
    ['10.0.0.0', 8],
    ['100.64.0.0', 10],
    ['127.0.0.0', 8],
    ['169.254.0.0', 16],
    ['172.16.0.0', 12],
    ['192.0.0.0', 24],
    ['192.0.2.0', 24],
    ['192.168.0.0', 16],
    ['198.18.0.0', 15],
    ['198.51.100.0', 24],
    ['203.0.113.0', 24],
    ['224.0.0.0', 4],
    ['240.0.0.0', 4],
  ];
  const ranges6: readonly (readonly [string, number])[] = [
    ['::', 127],
    ['64:ff9b:1::', 48],
    ['100::', 64],
    ['2001:db8::', 32],
    ['fc00::', 7],
    ['fe80::', 10],
    ['ff00::', 8],
  ];
  for (const [network, prefix] of ranges4) list.addSubnet(network, prefix, 'ipv4');
  for (const [network, prefix] of ranges6) list.addSubnet(network, prefix, 'ipv6');
  return list;
}

/** Also of an IPv4 address in the form of an IPv6 one. */
export function isPrivate(address: string): boolean {
  const family = isIP(address);
  return family === 0 || PRIVATE.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** Throws Fault `forbidden` when the host of an address is a private number. Names are for `publicLookup`. */
export function refusePrivate(url: URL): void {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(host) !== 0 && isPrivate(host)) throw refusal(host, host);
}

type Callback = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;

/**
 * For `lookup` of a request: as `dns.lookup`, and a name that leads to a private address is refused. It is looked up
 * once, for the connection itself: a name server cannot give another answer in between.
 */
export function publicLookup(hostname: string, options: LookupOptions, callback: Callback): void {
  lookupHost(hostname, { ...options, all: true }, (error, found) => {
    if (error) return callback(error, []);
    const wrong = found.find(({ address }) => isPrivate(address));
    if (wrong) return callback(refusal(hostname, wrong.address), []);
    if (options.all) return callback(null, found);
    const [first] = found;
    return callback(null, first?.address ?? '', first?.family);
  });
}

function refusal(host: string, address: string): Fault {
  const leads = host === address ? 'is' : `leads to ${address},`;
  return new Fault('forbidden', `${host} ${leads} a private address: expected a public one`);
}
