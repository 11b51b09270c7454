import { readFileSync } from 'node:fs';

/** The version in the package's manifest, beside the sources as beside the build. */
export function readVersion(): string {
  for (const path of ['../package.json', '../../package.json']) {
    const manifest = readManifest(new URL(path, import.meta.url));
    if (manifest?.name === 'rouse' && manifest.version) return manifest.version;
  }
  return '0.0.0';
}

function readManifest(url: URL): { name?: string; version?: string } | undefined {
  try {
    return JSON.parse(readFileSync(url, 'utf8')) as { name?: string; version?: string };
  } catch {
    return undefined;
  }
}
