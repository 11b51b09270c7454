import { type FileHandle, open } from 'node:fs/promises';
import { zstdDecompressSync } from 'node:zlib';
import {
  type AsyncRecordBatchFileReader,
  type AsyncRecordBatchStreamReader,
  compressionRegistry,
  CompressionType,
  type RecordBatch,
  RecordBatchReader,
} from 'apache-arrow';
import { decompressFrameSync } from 'lz4-napi';
import { Fault, messageOf } from '#lib/fault.ts';
import { regroup } from '../batches.ts';
import { convertColumn } from '../convert.ts';
import { type InputFile, versionOf } from '../locate.ts';
import { type Reading, readingsOf, refuseOthers } from '../readings.ts';
import type { ColumnHead, RowBatch, RowSource } from '../rows.ts';
import { createWeaver, unweave, type Weaver } from '../weave.ts';
import { decodeColumn, headOf } from './decode.ts';
import { estimateArrowRows } from './estimate.ts';

/** A record batch is read as a whole, and a job has 300 MiB. */
const MAX_BATCH_BYTES = 64 * 2 ** 20;
/** At both ends of a file; a stream has none. */
const MAGIC = 'ARROW1';

type Reader = AsyncRecordBatchFileReader | AsyncRecordBatchStreamReader;

/** Arrow IPC, both forms: the file and the stream. */
export async function openArrowSource(files: readonly InputFile[]): Promise<RowSource> {
  compressionRegistry.set(CompressionType.LZ4_FRAME, {
    decode: (data) => decompressFrameSync(Buffer.from(data.buffer, data.byteOffset, data.length)),
  });
  compressionRegistry.set(CompressionType.ZSTD, { decode: (data) => zstdDecompressSync(data) });
  const columns = await readHeads(files);
  const estimatedRows = await estimateArrowRows(files);
  return {
    columns,
    estimatedRows,
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    version: versionOf(files),
    read(from, size, as = columns) {
      return regroup(chunksOf(files, columns, as, from), as, from, size);
    },
    async close() {
      // A read closes its file itself.
    },
  };
}

/** Of the first file; the others must have the same columns. Throws when there is no row in any. */
async function readHeads(files: readonly InputFile[]): Promise<readonly ColumnHead[]> {
  let found: { readonly path: string; readonly heads: readonly ColumnHead[] } | undefined;
  for (const { path } of files) {
    for await (const batch of batchesOf(path)) {
      const heads = batch.schema.fields.map(({ name }) => headOf(name, childOf(batch, name)));
      found ??= { path, heads };
      refuseOthers(path, heads, found.path, found.heads);
      break;
    }
  }
  if (found) return found.heads;
  throw new Fault(
    'invalid',
    `${files.map(({ path }) => path).join(', ')}: there are no rows; expected at least one`,
  );
}

async function* chunksOf(
  files: readonly InputFile[],
  columns: readonly ColumnHead[],
  as: readonly ColumnHead[],
  from: number,
): AsyncGenerator<RowBatch> {
  const readings = readingsOf(columns, unweave(as), 'types');
  const weave = createWeaver(as);
  let passed = 0;
  for (const { path } of files) {
    for await (const batch of batchesOf(path)) {
      const skip = Math.max(0, from - passed);
      passed += batch.numRows;
      if (skip < batch.numRows)
        yield decodeBatch(skip > 0 ? batch.slice(skip) : batch, readings, weave);
    }
  }
}

function decodeBatch(batch: RecordBatch, readings: readonly Reading[], weave: Weaver): RowBatch {
  const bad = new Map<number, string>();
  const parts = readings.map(({ from, to }) => {
    const column = decodeColumn(childOf(batch, from.name), from, bad);
    return convertColumn(column, to, bad);
  });
  const columns = weave(parts, batch.numRows);
  return { first: 0, length: batch.numRows, columns, ...(bad.size > 0 && { bad }) };
}

function childOf(batch: RecordBatch, name: string) {
  const child = batch.getChild(name);
  if (!child) throw new Fault('internal', `column "${name}" is not in this batch`);
  return child;
}

/** Those with rows. */
async function* batchesOf(path: string): AsyncGenerator<RecordBatch> {
  const handle = await open(path, 'r');
  try {
    await refuseCut(path, handle);
    const reader = await openReader(path, handle);
    for await (const batch of reader) if (batch.numRows > 0) yield batch;
  } catch (error) {
    if (error instanceof Fault) throw error;
    const message = `${path}: not readable as Arrow IPC, or not whole: ${messageOf(error)}`;
    throw new Fault('invalid', message, { cause: error });
  } finally {
    await handle.close();
  }
}

/** The library takes what stands at the end of a file that was cut for its table of contents. */
async function refuseCut(path: string, handle: FileHandle): Promise<void> {
  const { size } = await handle.stat();
  const at = async (position: number) => {
    const { buffer } = await handle.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, position);
    return buffer.toString('latin1');
  };
  if ((await at(0)) !== MAGIC || (await at(Math.max(0, size - MAGIC.length))) === MAGIC) return;
  throw new Fault('invalid', `${path}: an Arrow file that is cut off: its end is missing`);
}

async function openReader(path: string, handle: FileHandle): Promise<Reader> {
  const reader: Reader = await RecordBatchReader.from(handle);
  await reader.open({ autoDestroy: false });
  if (!reader.schema) throw new Fault('invalid', `${path}: not readable as Arrow IPC`);
  for (const block of reader.footer?.recordBatches() ?? []) {
    if (block.bodyLength <= MAX_BATCH_BYTES) continue;
    throw new Fault(
      'too_large',
      `${path}: a record batch of ${block.bodyLength} bytes; expected at most ${MAX_BATCH_BYTES}: write it in smaller ones`,
    );
  }
  return reader;
}
