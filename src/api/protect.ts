import type { MiddlewareHandler } from 'hono';
import { isLoopback } from '#domain/address.ts';
import { Fault } from '#lib/fault.ts';
import type { ApiContext, ApiEnv } from './context.ts';

/**
 * Loopback is no protection: any page in a browser on this machine can send requests to it. Each of these
 * checks closes one way; together a page can neither read an answer nor cause a write.
 *
 * - Host: a page whose name was rebound to 127.0.0.1 still sends its own name.
 * - Origin and Sec-Fetch-Site: a page from elsewhere says so, and cannot lie.
 * - No CORS header: what a browser sends after asking is never allowed, and nothing can be read.
 * - Media types (see `route.ts`): a form or a "simple" request cannot carry those that writes need.
 */
export function createProtection(allowedHosts: readonly string[]): MiddlewareHandler<ApiEnv> {
  return async (context, next) => {
    for (const [name, value] of SAFE_HEADERS) context.header(name, value);
    if (context.env.localActor === undefined) {
      checkHost(context, allowedHosts);
      checkOrigin(context);
    }
    await next();
  };
}

const SAFE_HEADERS = [
  ['x-content-type-options', 'nosniff'],
  ['cache-control', 'no-store'],
  ['cross-origin-resource-policy', 'same-origin'],
  ['content-security-policy', "frame-ancestors 'none'"],
] as const;

/** Short enough for a message. */
const MAX_SHOWN = 100;

function checkHost(context: ApiContext, allowedHosts: readonly string[]): void {
  const host = context.req.header('host')?.toLowerCase() ?? '';
  if (ownHosts(context).has(host)) return;
  const name = host.replace(/:[0-9]+$/, '');
  if (host !== '' && allowedHosts.some((allowed) => allowed === host || allowed === name)) return;
  const shown = JSON.stringify(host.slice(0, MAX_SHOWN));
  throw new Fault(
    'misdirected',
    `control does not answer to the host ${shown}. Use its own address, or start it with --control-hosts`,
  );
}

/** Loopback's names, and the address that this connection came in on: no page can be named like that. */
function ownHosts(context: ApiContext): ReadonlySet<string> {
  const socket = context.env.incoming?.socket;
  const port = socket?.localPort;
  if (port === undefined) return new Set();
  const local = (socket?.localAddress ?? '127.0.0.1').replace(/^::ffff:/, '');
  const names = ['localhost', '127.0.0.1', '[::1]', local.includes(':') ? `[${local}]` : local];
  return new Set(
    names.flatMap((name) => (port === 80 ? [name, `${name}:80`] : [`${name}:${port}`])),
  );
}

function checkOrigin(context: ApiContext): void {
  const origin = context.req.header('origin');
  const host = context.req.header('host')?.toLowerCase();
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
    const shown = JSON.stringify(origin.slice(0, MAX_SHOWN));
    throw new Fault('forbidden', `requests of pages from ${shown} are refused`);
  }
  const site = context.req.header('sec-fetch-site');
  if (site === 'cross-site' || site === 'same-site') {
    throw new Fault('forbidden', 'requests of pages from another origin are refused');
  }
}

/** Did this request come in on an address that only this machine reaches? */
export function isLocal(context: ApiContext): boolean {
  const address = context.env.incoming?.socket.localAddress;
  return address !== undefined && isLoopback(address);
}
