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
 * The images of Rouse, which have the same layers. One runs by itself as a model server, and by other commands as the
 * activator, the ingress and the control plane. The other one, named as `nameActivator` says, runs by itself as the
 * activator: what has Knative's image and no command becomes ours by its image alone, and its own again by that.
 * `project`: the root of a clone; `cache` keeps what seldom changes, and may be lost; `folder`, an empty one, has to stay
 * for as long as the image is read.
 */
export async function makeRouseImages(options: {
  readonly name: string;
  readonly project: string;
  readonly cache: string;
  readonly folder: string;
}): Promise<Image[]> {
  const { name, project, cache, folder } = options;
  const layers = await Promise.all([
    makeSystemLayer(project, cache),
    makePackagesLayer(project, cache),
    makeApplicationLayer(project, folder),
  ]);
  return [
    { name, layers, config: start('src/serve/pod/entry.ts') },
    { name: nameActivator(name), layers, config: start('src/activator.ts') },
  ];
}

/** `registry.example/team/rouse:1`: `registry.example/team/rouse-activator:1`. */
export function nameActivator(name: string): string {
  return name.replace(/(:[^/:]*)?$/, '-activator$1');
}

const start = (program: string): Image['config'] => ({
  Entrypoint: [NODE, '--no-warnings', `${APP}/${program}`],
  Env: [
    'PATH=/usr/local/bin:/usr/bin:/bin',
    'HOME=/tmp',
    'SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt',
  ],
  WorkingDir: APP,
  User: `${USER}:${USER}`,
});
