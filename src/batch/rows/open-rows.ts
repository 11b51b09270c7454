import { basename, dirname, join } from 'node:path';
import { Fault } from '#lib/fault.ts';
import { LONG_END, refuseLongEnd } from './duckdb/csv-end.ts';
import { openDatabaseSource } from './duckdb/source.ts';
import { createEnd, readEnd } from './end.ts';
import { createRowCount, estimateRows } from './estimate.ts';
import { fetchInput } from './fetch.ts';
import { type Encoding, encodingOf, guessEncoding } from './formats.ts';
import { areUnchanged, type InputFile, locate } from './locate.ts';
import type { Compression, Format, InputSpec, OpenInput, RowSource } from './rows.ts';
import { refuseBroken, unpack } from './unpack.ts';

/**
 * Opens what an input names, and looks into it. Throws Faults: `not_found`, `forbidden`, `too_large`, `unavailable`
 * (an address that did not answer), `storage_full`, and `invalid` for what cannot be read or has no rows.
 */
export async function openRows(input: InputSpec): Promise<OpenInput> {
  const remote = /^https?:\/\//.test(input.location);
  const files = await locate(remote ? await fetchInput(input) : input.location);
  const source = await openSource(files, input);
  return { ...source, isUnchanged: () => areUnchanged(files) };
}

async function openSource(files: readonly InputFile[], input: InputSpec): Promise<RowSource> {
  const encoding = commonEncoding(files, input.format);
  const { format, compression } = encoding;
  if (format === 'parquet') return await openDatabaseSource(files, encoding);
  if (format !== 'arrow') {
    if (!compression && format === 'csv') {
      for (const file of files) refuseLongEnd(file.path, await readEnd(file, LONG_END));
    }
    const estimatedRows = compression
      ? await countPacked(files, format, compression)
      : await estimateRows(files, format);
    return { ...(await openDatabaseSource(files, encoding)), estimatedRows };
  }
  // 20 MiB of code that most jobs do not need.
  const { openArrowSource } = await import('./arrow/source.ts');
  if (!compression) return await openArrowSource(files);
  const unpacked: InputFile[] = [];
  for (const file of files) unpacked.push(await unpack(file, compression, input.folder));
  return await openArrowSource(unpacked);
}

/** They have to be unpacked in any case, to know that they are whole. */
async function countPacked(
  files: readonly InputFile[],
  format: Format,
  compression: Compression,
): Promise<number> {
  const count = createRowCount(format);
  for (const file of files) {
    const end = createEnd(LONG_END);
    await refuseBroken(file, compression, (bytes) => {
      count.add(bytes);
      end.add(bytes);
    });
    count.end();
    if (format === 'csv') refuseLongEnd(file.path, end.bytes());
  }
  return count.rows;
}

function commonEncoding(files: readonly InputFile[], format: Format | undefined): Encoding {
  if (!format) refuseStray(files);
  const [first, ...others] = files.map(({ path }) => ({ path, ...encodingOf(path, format) }));
  if (!first) throw new Fault('not_found', 'there is no file');
  const other = others.find(
    (one) => one.format !== first.format || one.compression !== first.compression,
  );
  if (!other) return first;
  throw new Fault(
    'invalid',
    `${other.path} is written otherwise than ${first.path}: expected one format, ${orGlob(first)}`,
  );
}

/** Such as a README beside the rows. */
function refuseStray(files: readonly InputFile[]): void {
  const stray = files.find((file) => !hasFormat(file));
  const other = files.find(hasFormat);
  if (!stray || !other) return;
  const what = `${stray.path} stands beside ${other.path}, and its name says no format`;
  throw new Fault('invalid', `${what}: expected files of one format, ${orGlob(other)}`);
}

function hasFormat({ path }: InputFile): boolean {
  return guessEncoding(path).format !== undefined;
}

function orGlob({ path }: Pick<InputFile, 'path'>): string {
  const [ending = ''] = /\.[^.]+(\.(gz|zst))?$/i.exec(basename(path)) ?? [];
  return `or a glob that names only those to be read, such as '${join(dirname(path), `*${ending}`)}'`;
}
