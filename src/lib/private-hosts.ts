import { lookup as lookupHost, type LookupAddress, type LookupOptions } from 'node:dns';
import { isIP } from 'node:net';
import { createAddressPolicy } from './addresses.ts';
import { Fault } from './fault.ts';

/** Hosts of this machine or its network, where strangers must not send a server. */

const { isPublic } = createAddressPolicy([]);

/** Throws Fault `forbidden` when the host of an address is a private number. Names are for `publicLookup`. */
export function refusePrivate(url: URL): void {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(host) !== 0 && !isPublic(host)) throw refusal(host, host);
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
    const wrong = found.find(({ address }) => !isPublic(address));
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
