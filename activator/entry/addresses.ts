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
