import { imageName } from './image-name.ts';

/** Text of Knative's manifests made ready for a cluster, without a look at more of it than has to be known. */

export interface Phases {
  /** Namespaces, and the definitions of kinds: these must be there before objects of them are. */
  readonly first: string;
  readonly rest: string;
}

const FIRST = new Set(['Namespace', 'CustomResourceDefinition']);

/** Sorts the documents of several files. Documents without a kind are only comments and are left out. */
export function splitPhases(files: readonly string[]): Phases {
  const documents = files.flatMap((text) => text.split(/^---.*$/m));
  const kinds = documents.map((text) => ({ text, kind: /^kind: *(\w+)/m.exec(text)?.[1] }));
  const join = (wanted: (kind: string) => boolean): string =>
    kinds
      .filter(({ kind }) => kind !== undefined && wanted(kind))
      .map(({ text }) => `---\n${text.trim()}\n`)
      .join('');
  return { first: join((kind) => FIRST.has(kind)), rest: join((kind) => !FIRST.has(kind)) };
}

/** In the modules an image is the path of the Go package that is to be built. */
export function nameImages(text: string): string {
  return text.replaceAll(/ko:\/\/[\w./-]+\/([\w-]+)/g, (_, name: string) => imageName(name));
}
