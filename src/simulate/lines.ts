import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Fault } from '#lib/fault.ts';

/** A row of per-minute counts of a fortnight has 20,160 of them. */
const MOST_LINE = 2 ** 20;
const GZIP_MAGIC = 0x1f8b;

/** The lines of a text file, plain or gzip, without their ends; empty ones are left out. */
export async function* readLines(file: string): AsyncGenerator<string> {
  let rest = '';
  for await (const piece of await openText(file)) {
    const lines = (rest + String(piece)).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MOST_LINE) throw tooLong(file);
    for (const line of lines) {
      const text = line.endsWith('\r') ? line.slice(0, -1) : line;
      if (text !== '') yield text;
    }
  }
  if (rest !== '') yield rest;
}

async function openText(file: string): Promise<Readable> {
  const zipped = await isGzip(file);
  const bytes = createReadStream(file);
  if (!zipped) return bytes.setEncoding('utf8');
  const text = createGunzip().setEncoding('utf8');
  bytes.on('error', (error) => text.destroy(error));
  return bytes.pipe(text);
}

async function isGzip(file: string): Promise<boolean> {
  const handle = await open(file).catch((cause: unknown) => {
    throw new Fault('not_found', `cannot read ${file}`, { cause });
  });
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer.readUInt16BE(0) === GZIP_MAGIC;
  } finally {
    await handle.close();
  }
}

function tooLong(file: string): Fault {
  return new Fault('too_large', `${file}: a line is longer than ${MOST_LINE} characters`);
}
