import { BlockList, isIP, isIPv4 } from 'node:net';

/** Networks that are somebody's own, or nobody's: from outside nothing is reached there. IANA's registries of special addresses. */
const NOT_PUBLIC = (
  '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 ' +
  '192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4'
).split(' ');
/** Of IPv6 what is given out is in here; the rest is special, and so is a part of it. */
const GLOBAL_V6 = '2000::/3';
/** Teredo, ORCHID and documentation; 6to4 and NAT64 lead to IPv4 addresses of any kind. */
const NOT_PUBLIC_V6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

/** May something be sent to this address? */
export type Allows = (address: string) => boolean;

/** @param networks that are allowed though they are not public: addresses, and networks such as `10.0.0.0/8`. */
export function createAddressPolicy(networks: readonly string[]): {
  readonly isPublic: Allows;
  /** Public or not, the operator has named it. */
  readonly isNamed: Allows;
} {
  const special = listOf([...NOT_PUBLIC, ...NOT_PUBLIC_V6]);
  const global = listOf([GLOBAL_V6]);
  const named = listOf(networks);
  return {
    isPublic(text) {
      const address = plain(text);
      if (isIPv4(address)) return !special.check(address);
      return (
        isIP(address) === 6 && global.check(address, 'ipv6') && !special.check(address, 'ipv6')
      );
    },
    isNamed(text) {
      const address = plain(text);
      return isIP(address) !== 0 && named.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
    },
  };
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

/** Without its zone; an IPv4 address that is written as an IPv6 one is what it is. */
function plain(text: string): string {
  const address = text.replace(/%.*$/, '');
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
}
