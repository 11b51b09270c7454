import type { Address } from '#domain/routing.ts';
import type { HeadEdits } from '../http/head-edits.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { Upstream } from './upstream.ts';

/** How a request goes to an instance. */
export interface Way {
  /** What goes to the instance as its target. */
  readonly path: string;
  /** What its way changes in the head. */
  readonly edits: HeadEdits | undefined;
}

/** `.` or `..` between slashes, in any of the ways that servers read them. */
const DOT_SEGMENT = /^[^?]*?(?:[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:[/\\;?]|%2f|%5c|$)/i;

/** Where a model is a part of a server, the rest of that server is not published. */
export function leavesBase(address: Address, path: string): boolean {
  return 'host' in address && Boolean(address.basePath) && DOT_SEGMENT.test(path);
}

/** What goes before the body: the caller's head, for this hop and this way. `added`: field lines of our own. */
export function writeRequest(
  upstream: Upstream,
  address: Address,
  head: RequestHead,
  { path, edits }: Way,
  added: string,
): void {
  const inner = 'host' in address ? address : undefined;
  const given = head.host === '' ? 'localhost' : head.host;
  const host = inner?.authority ?? edits?.host ?? given;
  const target = inner?.basePath ? inner.basePath + path : path;
  head.cutForWay(edits?.cut);
  upstream.writeHead(head, target, host, edits ? added + edits.lines : added);
}
