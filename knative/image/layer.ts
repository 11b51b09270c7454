import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { runCommand } from './command.ts';

/** A layer of an image: an archive in the form of tar, known by its content. */
export interface Layer {
  /** SHA-256 of the archive, in hexadecimal. */
  readonly digest: string;
  /** In bytes. */
  readonly size: number;
  read(): AsyncIterable<Buffer>;
}

/** The same content gives the same bytes, whoever packs it and when. */
const SAME = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
const PIECE_BYTES = 2 ** 20;

/** Packs all below the folder `root` as a layer, whose archive is then the file `path`. */
export async function packLayer(root: string, path: string): Promise<Layer> {
  await runCommand('tar', [...SAME, '-cf', path, '-C', root, '.']);
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: PIECE_BYTES }), hash);
  return openLayer(path, { digest: hash.digest('hex'), size: (await stat(path)).size });
}

/**
 * A layer that is only made when the folder `cache` has none for what goes into it. `inputs` is all of that; `fill` puts
 * the content into the folder `root`, an empty one, and may use the folder `work`.
 */
export async function keepLayer(
  cache: string,
  name: string,
  inputs: readonly string[],
  fill: (root: string, work: string) => Promise<void>,
): Promise<Layer> {
  const key = createHash('sha256').update(JSON.stringify(inputs)).digest('hex').slice(0, 16);
  const kept = join(cache, `${name}-${key}`);
  const found = await readFile(join(kept, 'layer.json'), 'utf8').catch(() => undefined);
  if (found !== undefined) return openLayer(join(kept, 'layer.tar'), JSON.parse(found));
  await mkdir(cache, { recursive: true });
  const made = await mkdtemp(join(cache, `${name}-`));
  try {
    return await makeLayer(made, kept, fill);
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}

async function makeLayer(
  made: string,
  kept: string,
  fill: (root: string, work: string) => Promise<void>,
): Promise<Layer> {
  const [root, work, whole] = ['root', 'work', 'whole'].map((part) => join(made, part));
  if (!root || !work || !whole) throw new Error('no folders');
  for (const folder of [root, work, whole]) await mkdir(folder, { mode: 0o755 });
  await fill(root, work);
  const { digest, size } = await packLayer(root, join(whole, 'layer.tar'));
  await writeFile(join(whole, 'layer.json'), JSON.stringify({ digest, size }));
  // Whole or not at all; another one may have been quicker, with the same.
  await rename(whole, kept).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  });
  return openLayer(join(kept, 'layer.tar'), { digest, size });
}

function openLayer(path: string, { digest, size }: Omit<Layer, 'read'>): Layer {
  return { digest, size, read: () => createReadStream(path, { highWaterMark: PIECE_BYTES }) };
}
