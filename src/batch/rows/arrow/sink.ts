import { open } from 'node:fs/promises';
import {
  type RecordBatch,
  RecordBatchFileWriter,
  RecordBatchReader,
  RecordBatchStreamWriter,
} from 'apache-arrow';
import { fileFault, makeDurable } from '../durable.ts';
import type { ColumnHead, RowSink } from '../rows.ts';
import { encodeBatch, openArrowFile, schemaOf } from './writer.ts';

/** A part is a stream: it can be read from front to back. */
export async function openArrowSink(part: string, heads: readonly ColumnHead[]): Promise<RowSink> {
  const handle = await open(part, 'w').catch((error: unknown) => {
    throw fileFault(error, part);
  });
  const schema = schemaOf(heads);
  const file = openArrowFile(new RecordBatchStreamWriter(), handle, schema);
  return {
    async write(batch) {
      await file.write(encodeBatch(schema, batch)).catch(async (error: unknown) => {
        await handle.close();
        throw fileFault(error, part);
      });
    },
    async close() {
      try {
        await file.end();
        await makeDurable(part);
      } catch (error) {
        throw fileFault(error, part);
      } finally {
        await handle.close();
      }
    },
  };
}

/** The parts, in order, as one file. */
export async function joinArrow(
  parts: readonly string[],
  to: string,
  heads: readonly ColumnHead[],
): Promise<void> {
  const handle = await open(to, 'w');
  try {
    const file = openArrowFile(new RecordBatchFileWriter(), handle, schemaOf(heads));
    for (const part of parts) {
      for await (const batch of batchesOf(part)) await file.write(batch);
    }
    await file.end();
  } finally {
    await handle.close();
  }
}

async function* batchesOf(part: string): AsyncGenerator<RecordBatch> {
  const handle = await open(part, 'r');
  try {
    const reader = await RecordBatchReader.from(handle);
    for await (const batch of reader) if (batch.numRows > 0) yield batch;
  } finally {
    await handle.close();
  }
}
