import { readFileSync } from 'node:fs';
import { AUDIT_LOG } from '#test/cluster/folders.ts';

interface Deed {
  readonly user: { readonly username: string };
  readonly verb: string;
  readonly requestURI: string;
  readonly stageTimestamp: string;
  readonly responseStatus?: { readonly code?: number };
}

/** What the API server has refused since then for want of a right, as `user: verb path`. */
export function findForbidden(since: string): string[] {
  const lines = readFileSync(AUDIT_LOG, 'utf8').trimEnd().split('\n');
  const deeds = lines.map((line): Deed => JSON.parse(line));
  return deeds
    .filter(
      ({ stageTimestamp, responseStatus: { code } = {} }) => code === 403 && stageTimestamp > since,
    )
    .map(({ user, verb, requestURI }) => `${user.username}: ${verb} ${requestURI}`);
}
