import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '#lib/fault.ts';
import { readVersion } from '#lib/version.ts';
import { packImage } from './archive.ts';
import { makeRoot } from './root.ts';

/** `npm run image -- --out FILE`: the image of the model servers as an archive, made without Docker. */

const PROJECT = resolve(import.meta.dirname, '../..');

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: 'rouse-image.tar' },
      name: { type: 'string', default: `rouse:${readVersion()}` },
    },
  });
  const folder = await mkdtemp(join(tmpdir(), 'rouse-image-'));
  try {
    const root = join(folder, 'root');
    await mkdir(root);
    await makeRoot(root, PROJECT, join(folder, 'packages'));
    await packImage(root, { name: values.name, out: resolve(values.out), folder });
    process.stdout.write(`${values.name} in ${values.out}\n`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`image: ${messageOf(error)}\n`);
  process.exitCode = 1;
});
