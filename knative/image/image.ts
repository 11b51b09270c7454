import { homedir } from 'node:os';
import { join } from 'node:path';
import { makeApplicationLayer, makePackagesLayer } from './application.ts';
import type { Image } from './archive.ts';
import { APP, makeSystemLayer, NODE, USER } from './system.ts';

/** Where layers are kept. */
export function imageCache(env: NodeJS.ProcessEnv): string {
  return join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'rouse', 'image');
}

/**
 * The image of Rouse: the model servers, and by other commands the activator, the ingress and the control plane.
 * `project`: the root of a clone; `cache` keeps what seldom changes, and may be lost; `folder`, an empty one, has to stay
 * for as long as the image is read.
 */
export async function makeRouseImage(options: {
  readonly name: string;
  readonly project: string;
  readonly cache: string;
  readonly folder: string;
}): Promise<Image> {
  const { name, project, cache, folder } = options;
  const layers = await Promise.all([
    makeSystemLayer(project, cache),
    makePackagesLayer(project, cache),
    makeApplicationLayer(project, folder),
  ]);
  return { name, layers, config: CONFIG };
}

/** By itself it is a model server, which the variables of its pod describe. */
const CONFIG = {
  Entrypoint: [NODE, '--no-warnings', `${APP}/src/serve/pod/entry.ts`],
  Env: [
    'PATH=/usr/local/bin:/usr/bin:/bin',
    'HOME=/tmp',
    'SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt',
  ],
  WorkingDir: APP,
  User: `${USER}:${USER}`,
};
