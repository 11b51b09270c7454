import { Fault } from '#lib/fault.ts';
import type { ApiContext } from './context.ts';

const LIST = /^\s*((W\/)?"[^"]{0,64}"\s*(,\s*|$))+$/;

/** A record's version as `ETag`: it is what `If-Match` compares, not a hash of the representation. */
export function etagOf(version: number): string {
  return `"${version}"`;
}

/**
 * The version that must be stored for a write to happen: 0 = must not exist, undefined = whatever is there.
 * `current` reads the version that is stored, for the forms that need it.
 */
export async function expectedVersion(
  context: ApiContext,
  current: () => Promise<number | undefined>,
): Promise<number | undefined> {
  const match = context.req.header('if-match');
  const noneMatch = context.req.header('if-none-match');
  if (noneMatch !== undefined) {
    if (noneMatch.trim() === '*' && match === undefined) return 0;
    throw new Fault('bad_request', 'If-None-Match on a write: expected * alone, without If-Match');
  }
  if (match === undefined) return undefined;
  const versions = match.trim() === '*' ? undefined : versionsOf(match);
  if (versions?.length === 1) return versions[0];
  const stored = await current();
  if (stored !== undefined && (versions?.includes(stored) ?? true)) return stored;
  throw new Fault('precondition_failed', `If-Match ${match} does not hold: read it again`);
}

/** The version of what is there, for `If-Match: *`; undefined where `read` finds nothing. */
export function versionFound(
  read: () => Promise<{ readonly version: number }>,
): () => Promise<number | undefined> {
  return async () => {
    try {
      return (await read()).version;
    } catch (error) {
      if (error instanceof Fault && error.code === 'not_found') return undefined;
      throw error;
    }
  };
}

/** Versions of an If-Match list. Weak or foreign tags never match, and are left out. */
function versionsOf(header: string): number[] {
  if (!LIST.test(header)) {
    throw new Fault('bad_request', `If-Match: expected the ETag of a read, such as "12", or *`);
  }
  return header
    .split(',')
    .map((tag) => /^"([1-9][0-9]{0,15})"$/.exec(tag.trim())?.[1])
    .filter((version) => version !== undefined)
    .map(Number);
}
