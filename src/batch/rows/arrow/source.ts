import { type FileHandle, open } from 'node:fs/promises';
import {
  type AsyncRecordBatchFileReader,
  type AsyncRecordBatchStreamReader,
  type RecordBatch,
  RecordBatchReader,
} from 'apache-arrow';
import { Fault, messageOf } from '#lib/fault.ts';
import { regroup } from '../batches.ts';
import { convertColumn } from '../convert.ts';
import { type InputFile, versionOf } from '../locate.ts';
import { type Reading, readingsOf, refuseOthers } from '../readings.ts';
import type { ColumnHead, RowBatch, RowSource } from '../rows.ts';
import { createWeaver, unweave, type Weaver } from '../weave.ts';
import { boundReads, refuseLarge, setCodecs } from './bounds.ts';
import { decodeColumn, headOf } from './decode.ts';
import { estimateArrowRows } from './estimate.ts';
import { checkWhole } from './whole.ts';

/** At both ends of a file; a stream has none. */
const MAGIC = 'ARROW1';

type Reader = AsyncRecordBatchFileReader | AsyncRecordBatchStreamReader;

/** Arrow IPC, both forms: the file and the stream. */
export async function openArrowSource(files: readonly InputFile[]): Promise<RowSource> {
  setCodecs();
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
  const { handle, advanced } = boundReads(await open(path, 'r'));
  try {
    await refuseCut(handle);
    for await (const batch of await openReader(handle)) {
      advanced();
      checkWhole(batch);
      if (batch.numRows > 0) yield batch;
    }
  } catch (error) {
    throw readFault(error, path);
  } finally {
    await handle.close();
  }
}

function readFault(error: unknown, path: string): Fault {
  const message = messageOf(error);
  if (error instanceof Fault) return new Fault(error.code, `${path}: ${message}`);
  const what = `${path}: not readable as Arrow IPC, or not whole: ${message}`;
  return new Fault('invalid', what, { cause: error });
}

/** The library takes what stands at the end of a file that was cut for its table of contents. */
async function refuseCut(handle: FileHandle): Promise<void> {
  const { size } = await handle.stat();
  if (size < MAGIC.length) return;
  const at = async (position: number) => {
    const { buffer } = await handle.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, position);
    return buffer.toString('latin1');
  };
  if ((await at(0)) !== MAGIC || (await at(size - MAGIC.length)) === MAGIC) return;
  throw new Fault('invalid', 'an Arrow file that is cut off: its end is missing');
}

async function openReader(handle: FileHandle): Promise<Reader> {
  const reader: Reader = await RecordBatchReader.from(handle);
  await reader.open({ autoDestroy: false });
  if (!reader.schema) throw new Fault('invalid', 'not readable as Arrow IPC');
  // Before any of them is read.
  for (const block of reader.footer?.recordBatches() ?? []) refuseLarge(block.bodyLength);
  return reader;
}
