import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseYaml } from '#lib/yaml.ts';

/** The files of the install, as kustomize finds them. */

export const INSTALL = join(import.meta.dirname, '../../../knative/install');
const NO_OBJECTS = new Set(['kustomization.yaml', 'images.yaml']);

/** What of an object the tests look at. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** Names of the files in a part that hold objects. */
export function filesOf(part: string): string[] {
  const names = readdirSync(join(INSTALL, part));
  return names.filter((name) => name.endsWith('.yaml') && !NO_OBJECTS.has(name));
}

/** What its `kustomization.yaml` names: files, and folders. */
export function resourcesOf(part: string): string[] {
  const [document] = parseYaml(readInstall(`${part}/kustomization.yaml`), part);
  const kustomization: { resources?: string[] } = Object(document?.value);
  return kustomization.resources ?? [];
}

export function readInstall(path: string): string {
  return readFileSync(join(INSTALL, path), 'utf8');
}

export function readManifests(text: string, what: string): Manifest[] {
  return parseYaml(text, what).map(({ value }) => value as Manifest);
}

/** All objects of a part. */
export function manifestsOf(part: string): Manifest[] {
  return filesOf(part).flatMap((name) => {
    const path = `${part}/${name}`;
    return readManifests(readInstall(path), path);
  });
}
