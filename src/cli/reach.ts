import { isLoopback } from '#domain/address.ts';

/**
 * An address that the server gave, as it is reached from here: a data plane on "this machine" is on the
 * machine of the server, which may be another one.
 */
export function reachableFrom(server: string, address: string): string {
  const url = new URL(address);
  const host = new URL(server).hostname;
  if (!isLoopback(bare(url.hostname)) || isLoopback(bare(host))) return address;
  url.hostname = host;
  return url.href;
}

function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}
