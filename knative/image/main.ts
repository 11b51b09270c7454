import { createWriteStream } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { messageOf } from '#lib/fault.ts';
import { readVersion } from '#lib/version.ts';
import { makeArchive } from './archive.ts';
import { imageCache, makeRouseImages } from './image.ts';

/** `npm run image -- --out FILE`: the images of Rouse as an archive, made without Docker. */

const USAGE = `npm run image -- [--name NAME] [--out FILE]

  --name  what the image is called, such as registry.example/rouse:1; default: rouse and the version
  --out   the archive that is written, with a second image for the activator; default: rouse-image.tar
`;
const PROJECT = resolve(import.meta.dirname, '../..');

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: 'rouse-image.tar' },
      name: { type: 'string', default: `rouse:${readVersion()}` },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'rouse-image-'));
  try {
    const cache = imageCache(process.env);
    const images = await makeRouseImages({ name: values.name, project: PROJECT, cache, folder });
    const out = resolve(values.out);
    await pipeline(makeArchive(images), createWriteStream(`${out}.part`));
    await rename(`${out}.part`, out);
    const names = images.map(({ name }) => name).join(' and ');
    process.stdout.write(`${names} in ${values.out}\n`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`image: ${messageOf(error)}\n`);
  process.exitCode = 1;
});
