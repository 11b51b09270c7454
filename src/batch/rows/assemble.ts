import { constants, createReadStream } from 'node:fs';
import { access, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip, createZstdCompress } from 'node:zlib';
import { Fault } from '#lib/fault.ts';
import { checkFree, fileFault, moveInto, openFile, partialOf } from './durable.ts';
import { joinParquet } from './duckdb/join.ts';
import type { ColumnHead, OutputSpec } from './rows.ts';

/** What can be known before work starts: Faults `conflict` for an output that is there, `invalid` for one that cannot be. */
export async function checkOutput(output: OutputSpec): Promise<void> {
  const { path, format, compression, columns, replace = false } = output;
  if (compression && (format === 'parquet' || format === 'arrow')) {
    const wrong = `${path}: ${format} is read from its end; expected a name without .gz or .zst`;
    throw new Fault('invalid', wrong);
  }
  const names = columns.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new Fault('invalid', `${path}: two columns "${twice}"; expected each name once`);
  }
  await access(dirname(path), constants.W_OK).catch((error: unknown) => {
    throw fileFault(error, path);
  });
  await checkFree(path, replace);
}

/**
 * Parts, in order, as one file, which then gets its name: nobody sees half of it. When this fails, nothing is
 * left beside the output either.
 */
export async function assemble(parts: readonly string[], output: OutputSpec): Promise<void> {
  const { path, replace = false } = output;
  await checkOutput(output);
  const partial = partialOf(path);
  try {
    await joinParts(parts, partial, output);
    await moveInto(partial, path, replace);
  } catch (error) {
    await rm(partial, { force: true });
    throw fileFault(error, path);
  }
}

async function joinParts(
  parts: readonly string[],
  to: string,
  { format, compression, columns }: OutputSpec,
): Promise<void> {
  if (format === 'arrow') {
    const { joinArrow } = await import('./arrow/sink.ts');
    return await joinArrow(parts, to, columns);
  }
  if (format === 'parquet') return await joinParquet(parts, to, columns);
  const text = textOf(parts, format === 'csv' ? csvHead(columns) : '');
  const file = await openFile(to);
  if (compression === 'gzip') await pipeline(text, createGzip(), file);
  else if (compression === 'zstd') await pipeline(text, createZstdCompress(), file);
  else await pipeline(text, file);
}

async function* textOf(parts: readonly string[], head: string): AsyncGenerator<Uint8Array> {
  if (head !== '') yield Buffer.from(head);
  for (const part of parts) yield* createReadStream(part);
}

function csvHead(columns: readonly ColumnHead[]): string {
  const names = columns.map(({ name }) =>
    /[",\r\n]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name,
  );
  return `${names.join(',')}\n`;
}
