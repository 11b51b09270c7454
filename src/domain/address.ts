import { z } from 'zod';
import type { RevisionSpec } from './model.ts';
import type { Address } from './routing.ts';

const MAX_PORT = 65_535;

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

const HOST_PORT = 'host:port, such as 127.0.0.1:8080';

/** `host:port` in the file; both apart inside. */
export const address = z
  .string({ error: HOST_PORT })
  .regex(/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$/, { error: HOST_PORT, abort: true })
  .refine((text) => portOf(text) <= MAX_PORT, `a port of at most ${MAX_PORT}`)
  .transform(splitAddress);

/** As it stands in the file. */
export function formatAddress({ host, port }: HostPort): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Of what is known to be one, as `formatAddress` writes it. */
export function splitAddress(text: string): HostPort {
  const host = text.slice(0, text.lastIndexOf(':'));
  return { host: host.replace(/^\[|\]$/g, ''), port: portOf(text) };
}

/** The host of a URL; an IPv6 address without its brackets. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}

/** The address as a caller on this machine writes it: "all addresses" is none that can be called. */
export function urlOf(address: HostPort, scheme: 'http' | 'https' = 'http'): string {
  const host =
    address.host === '0.0.0.0' ? '127.0.0.1' : address.host === '::' ? '::1' : address.host;
  return `${scheme}://${formatAddress({ host, port: address.port })}`;
}

/** An address that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^(::ffff:)?127(\.[0-9]{1,3}){3}$/.test(host);
}

/** Where a `url` revision points to. */
export function addressOf(
  { runtime, source }: Pick<RevisionSpec, 'runtime' | 'source'>,
  node: string,
): Extract<Address, { readonly host: string }> | undefined {
  if (runtime !== 'url' || source === undefined) return undefined;
  const url = new URL(source);
  const isTls = url.protocol === 'https:';
  return {
    node,
    host: hostOf(url),
    port: Number(url.port === '' ? (isTls ? 443 : 80) : url.port),
    tls: isTls,
    authority: url.host,
    basePath: url.pathname.replace(/\/$/, ''),
  };
}

function portOf(text: string): number {
  return Number(text.slice(text.lastIndexOf(':') + 1));
}
