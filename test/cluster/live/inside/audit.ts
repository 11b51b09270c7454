import { readFileSync } from 'node:fs';
import { AUDIT_LOG } from '#test/cluster/folders.ts';

interface Deed {
  readonly user: { readonly username: string };
  readonly verb: string;
  readonly requestURI: string;
  readonly stageTimestamp: string;
  readonly objectRef?: {
    readonly resource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
}

const READING = new Set(['get', 'list', 'watch']);

/** What the API server has refused since then for want of a right, as `user: verb path`. */
export function findForbidden(since: string): string[] {
  return deedsSince(since)
    .filter(({ responseStatus: { code } = {} }) => code === 403)
    .map(({ user, verb, requestURI }) => `${user.username}: ${verb} ${requestURI}`);
}

/** What a service account of Rouse has written to since then, as `resource namespace/name`, each once. */
export function findWritten(since: string, account: string): string[] {
  const written = deedsSince(since)
    .filter(({ user, verb }) => user.username.endsWith(`:${account}`) && !READING.has(verb))
    .map(({ objectRef }) => `${objectRef?.resource} ${objectRef?.namespace}/${objectRef?.name}`);
  return [...new Set(written)].toSorted((a, b) => a.localeCompare(b));
}

function deedsSince(since: string): Deed[] {
  const text = readFileSync(AUDIT_LOG, 'utf8');
  // What stands behind the last end of a line is being written.
  return text
    .slice(0, text.lastIndexOf('\n'))
    .split('\n')
    .map((line): Deed => JSON.parse(line))
    .filter(({ stageTimestamp }) => stageTimestamp > since);
}
