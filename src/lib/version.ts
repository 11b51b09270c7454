import { readFileSync } from 'node:fs';

/** The version in the package's manifest, which is two folders above the sources and three above the build. */
export function readVersion(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    const found = readJson(new URL(path, import.meta.url));
    if (isManifest(found) && found.name === 'rouse') return found.version;
  }
  throw new Error('The manifest of this package, package.json, is missing.');
}

function isManifest(value: unknown): value is { name: string; version: string } {
  if (typeof value !== 'object' || value === null) return false;
  return 'name' in value && 'version' in value && typeof value.version === 'string';
}

function readJson(url: URL): unknown {
  try {
    return JSON.parse(readFileSync(url, 'utf8'));
  } catch {
    return undefined;
  }
}
