import { readFileSync } from 'node:fs';
import { z } from 'zod';

const manifest = z.looseObject({ name: z.string(), version: z.string() });

/** The version in the package's manifest, which is one folder above the sources and two above the build. */
export function readVersion(): string {
  for (const path of ['../package.json', '../../package.json']) {
    const found = manifest.safeParse(readJson(new URL(path, import.meta.url)));
    if (found.success && found.data.name === 'rouse') return found.data.version;
  }
  throw new Error('The manifest of this package, package.json, is missing.');
}

function readJson(url: URL): unknown {
  try {
    return JSON.parse(readFileSync(url, 'utf8'));
  } catch {
    return undefined;
  }
}
