import { BlockList, isIP } from 'node:net';

/** An IPv4 caller of a socket that takes both families has an address such as `::ffff:192.0.2.1`. */
const MAPPED = '::ffff:';

/** The one way in which an address is written here. */
export function plainAddress(address: string): string {
  const rest = address.slice(MAPPED.length);
  return address.startsWith(MAPPED) && isIP(rest) === 4 ? rest : address;
}

/** Whether what comes from this address, a plain one, is believed. */
export type Trust = (address: string) => boolean;

/** @param networks addresses and networks, such as `10.0.0.0/8`. */
export function createTrust(networks: readonly string[]): Trust {
  if (networks.length === 0) return () => false;
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    const family = familyOf(address);
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return (address) => isIP(address) !== 0 && list.check(address, familyOf(address));
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4';
}

/**
 * Who counts as one caller: of IPv6 everybody has at least a /64, and with it more addresses than there are places
 * in any queue. What is no address stays as it is.
 */
export function networkOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [before = '', after] = address.toLowerCase().split('::');
  const first = groupsOf(before);
  const missing = after === undefined ? 0 : 8 - first.length - groupsOf(after).length;
  const all = [...first, ...Array<string>(missing).fill('0'), ...groupsOf(after ?? '')];
  const network = all.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ''));
  return `${network.join(':')}::/64`;
}

/** An IPv4 address at the end, and a zone, stand beyond the first half: only their number counts. */
function groupsOf(part: string): string[] {
  return part === ''
    ? []
    : part.split(':').flatMap((group) => (group.includes('.') ? ['', ''] : [group]));
}
