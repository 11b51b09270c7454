import { createReadStream } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { causeOf, Fault } from '#lib/fault.ts';
import { fileFault, moveInto, openFile } from './durable.ts';
import { type InputFile, versionOf } from './locate.ts';
import type { Compression } from './rows.ts';

function createInflater(compression: Compression) {
  return compression === 'gzip' ? createGunzip() : createZstdDecompress();
}

export function inflate(packed: Readable, compression: Compression): Readable {
  const unpacked = createInflater(compression);
  packed.on('error', (error) => unpacked.destroy(error));
  return packed.pipe(unpacked);
}

/** Unpacks a file whose format is read from its end. What a former run unpacked is used again. */
export async function unpack(
  file: InputFile,
  compression: Compression,
  folder: string,
): Promise<InputFile> {
  const path = join(folder, `${versionOf([file]).slice(0, 16)}.unpacked`);
  const partial = `${path}.partial`;
  if (!(await stat(path).catch(() => undefined))) {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await unpackInto(await openFile(partial), file, compression);
      await moveInto(partial, path, true);
    } catch (error) {
      await rm(partial, { force: true });
      throw fileFault(error, partial);
    }
  }
  return { ...file, path };
}

/**
 * Throws Fault `invalid` when a file is not whole: DuckDB takes what is there of it for all. Reads it once, which takes
 * as long as unpacking does; `see` is shown what is in it.
 */
export async function refuseBroken(
  file: InputFile,
  compression: Compression,
  see: (bytes: Uint8Array) => void,
): Promise<void> {
  const nowhere = new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      see(chunk);
      done();
    },
  });
  await unpackInto(nowhere, file, compression);
}

async function unpackInto(
  to: Writable,
  { path }: InputFile,
  compression: Compression,
): Promise<void> {
  const unpacked = createInflater(compression);
  try {
    await pipeline(createReadStream(path), unpacked, to);
  } catch (error) {
    if (!unpacked.errored || unpacked.errored !== error) throw error;
    throw new Fault('invalid', `${path}: not readable as ${compression}: ${causeOf(error)}`, {
      cause: error,
    });
  }
}
