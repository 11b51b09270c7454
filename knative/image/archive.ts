import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { runCommand } from './command.ts';
import { APP, NODE, USER } from './root.ts';

/** The same content gives the same bytes, whoever packs it and when. */
const SAME = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];

/** Packs `root` as the one layer of an image, in the form that `docker save` writes. `folder`: for what comes between. */
export async function packImage(
  root: string,
  { name, out, folder }: { name: string; out: string; folder: string },
): Promise<void> {
  const parts = join(folder, 'image');
  await mkdir(parts);
  const packed = join(parts, 'layer');
  await runCommand('tar', [...SAME, '-cf', packed, '-C', root, '.']);
  const digest = createHash('sha256');
  await pipeline(createReadStream(packed), digest);
  const layer = digest.digest('hex');
  await rename(packed, join(parts, `${layer}.tar`));
  await writeFile(join(parts, 'config.json'), JSON.stringify(makeConfig(layer)));
  const manifest = [{ Config: 'config.json', RepoTags: [name], Layers: [`${layer}.tar`] }];
  await writeFile(join(parts, 'manifest.json'), JSON.stringify(manifest));
  const temporary = `${out}.part`;
  await runCommand('tar', [...SAME, '-cf', temporary, '-C', parts, '.']);
  await rename(temporary, out);
}

/** By itself it is a model server, which the variables of its pod describe. */
function makeConfig(layer: string) {
  return {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: {
      Entrypoint: [NODE, '--no-warnings', `${APP}/src/serve/pod/entry.ts`],
      Env: [
        'PATH=/usr/local/bin:/usr/bin:/bin',
        'HOME=/tmp',
        'SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt',
      ],
      WorkingDir: APP,
      User: `${USER}:${USER}`,
    },
    rootfs: { type: 'layers', diff_ids: [`sha256:${layer}`] },
  };
}
