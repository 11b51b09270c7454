import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { imageName } from './image-name.ts';
import { TAR_END, tarFile, tarHeader, tarPadding } from './tar.ts';

/** Packs static programs as images, in the form that `docker save` writes. */

/** Knative's pods must not run as root, and name no other user. It is `nonroot` of the usual base images. */
const USER = '65532:65532';
const PROGRAM_MODE = 0o755;
/** Anyone may write there. */
const SHARED_MODE = 0o1777;

/** An archive with one image of one layer that holds the program, piece by piece: programs are large. */
export async function* makeImage(name: string, program: string): AsyncGenerator<Buffer> {
  const digest = createHash('sha256');
  let size = 0;
  for await (const piece of makeLayer(name, program)) {
    digest.update(piece);
    size += piece.length;
  }
  const layer = digest.digest('hex');
  const { config, manifest } = describeImage(name, layer);
  yield tarFile('config.json', config);
  yield tarFile('manifest.json', manifest);
  yield tarHeader({ name: `${layer}.tar`, mode: 0o644, size });
  yield* makeLayer(name, program);
  yield tarPadding(size);
  yield TAR_END;
}

async function* makeLayer(name: string, program: string): AsyncGenerator<Buffer> {
  const { size } = await stat(program);
  yield tarHeader({ name: 'tmp/', mode: SHARED_MODE, size: 0 });
  yield tarHeader({ name: 'ko-app/', mode: PROGRAM_MODE, size: 0 });
  yield tarHeader({ name: `ko-app/${basename(name)}`, mode: PROGRAM_MODE, size });
  for await (const piece of createReadStream(program, { highWaterMark: 2 ** 20 })) yield piece;
  yield tarPadding(size);
  yield TAR_END;
}

/** The two JSON files of an archive. `layer` is the SHA-256 of the layer's own archive. */
function describeImage(name: string, layer: string): { config: string; manifest: string } {
  const config = {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: {
      Entrypoint: [`/ko-app/${basename(name)}`],
      Env: ['PATH=/ko-app', 'KO_DATA_PATH=/var/run/ko'],
      User: USER,
    },
    rootfs: { type: 'layers', diff_ids: [`sha256:${layer}`] },
  };
  const manifest = [
    { Config: 'config.json', RepoTags: [imageName(name)], Layers: [`${layer}.tar`] },
  ];
  return { config: JSON.stringify(config), manifest: JSON.stringify(manifest) };
}
