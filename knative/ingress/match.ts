import type { PathRule } from './rules.ts';

/** Fields of a request, by their names in lower case: all values, or ''. */
export interface RequestFields {
  findAll(name: string): string;
}

/** The way that a request takes among those of its host; undefined: none. */
export function findPath<P extends Pick<PathRule, 'prefix' | 'headers'>>(
  paths: readonly P[],
  target: string,
  fields: RequestFields,
): P | undefined {
  for (const path of paths) {
    // A target begins with its path, and a prefix has no `?`.
    if (target.startsWith(path.prefix) && hasAll(fields, path.headers)) return path;
  }
  return undefined;
}

function hasAll(fields: RequestFields, headers: PathRule['headers']): boolean {
  for (const [name, value] of headers) if (fields.findAll(name) !== value) return false;
  return true;
}
