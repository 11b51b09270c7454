import { resolve } from 'node:path';
import { isRemote } from './upload.ts';

/** A file or folder of this machine that a document names. */
export interface LocalSource {
  /** Where the document names it, such as `spec.revision.source`. */
  readonly key: string;
  readonly given: string;
  /** Absolute. */
  readonly path: string;
}

/** All that can be read of a document, be the rest of it right or wrong. */
export function localSourcesIn(document: unknown, folder: string): LocalSource[] {
  const { revision, revisions } = fieldsOf(fieldsOf(document)['spec']);
  const listed: unknown[] = Array.isArray(revisions) ? revisions : [];
  const specs = [
    ['spec.revision', revision] as const,
    ...listed.map((spec, index) => [`spec.revisions[${index}]`, spec] as const),
  ];
  return specs.flatMap(([key, spec]) => {
    const given = fieldsOf(spec)['source'];
    const path = localSource(fieldsOf(spec), folder);
    if (path === undefined || typeof given !== 'string') return [];
    return [{ key: `${key}.source`, given, path }];
  });
}

/** Images and addresses are no content; a URI is fetched by the server. */
export function localSource(
  { source, runtime }: { readonly source?: unknown; readonly runtime?: unknown },
  folder: string,
): string | undefined {
  if (typeof source !== 'string' || runtime === 'image' || runtime === 'url') return undefined;
  return isRemote(source) ? undefined : resolve(folder, source);
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
