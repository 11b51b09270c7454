import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Image } from '#knative/image/archive.ts';
import { TAR_END, tarHeader, tarPadding } from '#knative/image/tar.ts';
import { imageName } from './image-name.ts';

/** Knative's pods must not run as root, and name no other user. It is `nonroot` of the usual base images. */
const USER = '65532:65532';
const PROGRAM_MODE = 0o755;
/** Anyone may write there. */
const SHARED_MODE = 0o1777;

/** A static program as an image: one layer with nothing else, which is packed as it is read, for programs are large. */
export async function makeProgramImage(name: string, program: string): Promise<Image> {
  const read = (): AsyncGenerator<Buffer> => packProgram(name, program);
  const hash = createHash('sha256');
  let size = 0;
  for await (const piece of read()) {
    hash.update(piece);
    size += piece.length;
  }
  return {
    name: imageName(name),
    layers: [{ digest: hash.digest('hex'), size, read }],
    config: {
      Entrypoint: [`/ko-app/${basename(name)}`],
      Env: ['PATH=/ko-app', 'KO_DATA_PATH=/var/run/ko'],
      User: USER,
    },
  };
}

async function* packProgram(name: string, program: string): AsyncGenerator<Buffer> {
  const { size } = await stat(program);
  yield tarHeader({ name: 'tmp/', mode: SHARED_MODE, size: 0 });
  yield tarHeader({ name: 'ko-app/', mode: PROGRAM_MODE, size: 0 });
  yield tarHeader({ name: `ko-app/${basename(name)}`, mode: PROGRAM_MODE, size });
  for await (const piece of createReadStream(program, { highWaterMark: 2 ** 20 })) yield piece;
  yield tarPadding(size);
  yield TAR_END;
}
