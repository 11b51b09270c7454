import { hostOf, isLoopback } from '#domain/address.ts';

/**
 * An address that the server gave, as it is reached from here: a data plane on "this machine" is on the
 * machine of the server, which may be another one.
 */
export function reachableFrom(server: string, address: string): string {
  const url = new URL(address);
  if (!isLoopback(hostOf(url)) || isHere(server)) return address;
  url.hostname = new URL(server).hostname;
  return url.href;
}

/** Whether the server is on this machine. */
export function isHere(server: string): boolean {
  return isLoopback(hostOf(new URL(server)));
}
