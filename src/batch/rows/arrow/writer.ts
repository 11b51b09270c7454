import type { FileHandle } from 'node:fs/promises';
import {
  AsyncByteQueue,
  Data,
  type DataType,
  Field,
  makeData,
  RecordBatch,
  type RecordBatchWriter,
  Schema,
  Struct,
  vectorFromArray,
} from 'apache-arrow';
import type { Column, ColumnHead, RowBatch } from '../rows.ts';
import { isTexts } from '../batches.ts';
import { arrowTypeOf } from './types.ts';

/** Arrow's writers, with a file behind them. */

/** What a writer made and nobody wrote yet: its own queue does not say when it is empty, and grows without end. */
class Pieces extends AsyncByteQueue {
  made: Uint8Array[] = [];

  override write(piece: Uint8Array): void {
    this.made.push(piece);
  }
}

export interface ArrowFile {
  /** Resolves when the file system has it. */
  write(batch: RecordBatch): Promise<void>;
  /** Writes the end; the file stays open. */
  end(): Promise<void>;
}

export function openArrowFile(
  writer: RecordBatchWriter,
  handle: FileHandle,
  schema: Schema,
): ArrowFile {
  const pieces = new Pieces();
  writer.reset(pieces, schema);
  const flush = async () => {
    for (const piece of pieces.made.splice(0)) await handle.writeFile(piece);
  };
  return {
    async write(batch) {
      writer.write(batch);
      await flush();
    },
    async end() {
      writer.close();
      await flush();
    },
  };
}

export function schemaOf(heads: readonly ColumnHead[]): Schema {
  return new Schema(heads.map((head) => new Field(head.name, arrowTypeOf(head), true)));
}

export function encodeBatch(schema: Schema, { length, columns }: RowBatch): RecordBatch {
  const children = columns.map((column) => encodeColumn(column, length));
  const type = new Struct(schema.fields);
  return new RecordBatch(schema, makeData({ type, length, nullCount: 0, children }));
}

function encodeColumn(column: Column, length: number): Data {
  const type = arrowTypeOf(column);
  const nullBitmap = column.nulls && bitsOf(column.nulls, (isNull) => isNull === 0);
  if (column.width === undefined) return encodeValues(type, column, length, nullBitmap);
  const { nulls: none, width: items, ...flat } = column;
  const child = encodeValues(arrowTypeOf(flat), flat, length * items, undefined);
  return new Data(type, 0, length, none ? -1 : 0, [undefined, undefined, nullBitmap], [child]);
}

function encodeValues(
  type: DataType,
  { type: columnType, values }: Pick<Column, 'type' | 'values'>,
  length: number,
  nullBitmap: Uint8Array | undefined,
): Data {
  if (isTexts(values)) {
    const { data } = vectorFromArray(values, type);
    const [texts] = data;
    if (!texts) throw new Error('a vector without data');
    return nullBitmap
      ? texts.clone(type, 0, length, -1, [
          texts.valueOffsets,
          texts.values,
          nullBitmap,
          texts.typeIds,
        ])
      : texts;
  }
  const held =
    columnType === 'BOOL' && values instanceof Uint8Array
      ? bitsOf(values, (value) => value !== 0)
      : values;
  return new Data(type, 0, length, nullBitmap ? -1 : 0, [undefined, held, nullBitmap]);
}

function bitsOf(flags: Uint8Array, isSet: (flag: number) => boolean): Uint8Array {
  const bits = new Uint8Array(Math.ceil(flags.length / 64) * 8);
  for (const [index, flag] of flags.entries()) {
    if (isSet(flag)) bits[index >> 3] = (bits[index >> 3] ?? 0) | (1 << (index & 7));
  }
  return bits;
}
