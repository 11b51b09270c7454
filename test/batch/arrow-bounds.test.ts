import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import {
  compressionRegistry,
  CompressionType,
  Field,
  Int32,
  Map_,
  RecordBatchFileWriter,
  RecordBatchReader,
  RecordBatchStreamWriter,
  Struct,
  Table,
  tableToIPC,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import { compressFrameSync } from 'lz4-napi';
import { describe, expect, test } from 'vitest';
import { useTeardown } from '#test/teardown.ts';
import { makeFolder, readFile } from './row-files.ts';

/** Arrow files that declare, or unpack to, more than they hold. */

const end = useTeardown();

async function fileOf(bytes: Uint8Array): Promise<string> {
  const path = join(await makeFolder(end), 'rows.arrow');
  await writeFile(path, bytes);
  return path;
}

/** So many columns of so many zeros. */
function zeros(columns: number, count: number): Table {
  const column = vectorFromArray(new Float64Array(count));
  return new Table(
    Object.fromEntries(Array.from({ length: columns }, (_, at) => [`z${at}`, column])),
  );
}

describe.each([
  ['zstd', CompressionType.ZSTD, (data: Uint8Array) => zstdCompressSync(data)],
  ['LZ4', CompressionType.LZ4_FRAME, (data: Uint8Array) => compressFrameSync(Buffer.from(data))],
] as const)('%s', (_name, compressionType, encode) => {
  test.each([
    ['one buffer', 1, 9],
    ['several buffers together', 3, 3],
  ])('a small file whose batch unpacks to more than is read: %s', async (_case, columns, mi) => {
    compressionRegistry.set(compressionType, { encode });
    const writer = new RecordBatchFileWriter({ compressionType });
    const packed = await writer
      .writeAll(zeros(columns, mi * 2 ** 20))
      .finish()
      .toUint8Array();
    expect(packed.length).toBeLessThan(2 ** 20);
    const path = await fileOf(packed);
    await expect(readFile(path)).rejects.toMatchObject({
      code: 'too_large',
      message: `${path}: a batch that is larger when it is unpacked; expected at most 67108864: write it in smaller ones`,
    });
  });

  test('as much as is read', async () => {
    compressionRegistry.set(compressionType, { encode });
    const writer = new RecordBatchStreamWriter({ compressionType });
    const packed = await writer
      .writeAll(zeros(2, 3 * 2 ** 20))
      .finish()
      .toUint8Array();
    const batches = await readFile(await fileOf(packed));
    expect(batches.reduce((sum, { length }) => sum + length, 0)).toBe(3 * 2 ** 20);
  });
});

test('a stream with a batch that is too large to be held', async () => {
  const path = await fileOf(tableToIPC(zeros(1, 9 * 2 ** 20), 'stream'));
  await expect(readFile(path)).rejects.toMatchObject({
    code: 'too_large',
    message: expect.stringMatching(/rows\.arrow: a batch of \d+ bytes; expected at most 67108864/),
  });
});

/** The number stands in the head of the batch, and once for each column. */
function declare(bytes: Uint8Array, rows: number, instead: bigint): Uint8Array {
  const view = Buffer.from(bytes);
  const [found, other] = [Buffer.alloc(8), Buffer.alloc(8)];
  found.writeBigInt64LE(BigInt(rows));
  other.writeBigInt64LE(instead);
  let places = 0;
  for (let at = view.indexOf(found); at >= 0; at = view.indexOf(found, at + 8)) {
    other.copy(view, at);
    places++;
  }
  expect(places).toBeGreaterThanOrEqual(2);
  return view;
}

const MAP = new Map_(
  new Field(
    'entries',
    new Struct<{ key: Utf8; value: Int32 }>([
      new Field('key', new Utf8()),
      new Field('value', new Int32()),
    ]),
  ),
);

test.each([
  ['numbers', vectorFromArray(new Int8Array(12_345).fill(7))],
  [
    'texts',
    vectorFromArray(
      Array.from({ length: 12_345 }, () => 'a'),
      new Utf8(),
    ),
  ],
  ['truth values', vectorFromArray(Array.from({ length: 12_345 }, () => true))],
  ['lists', vectorFromArray(Array.from({ length: 12_345 }, () => [1.5]))],
  [
    'maps',
    vectorFromArray(
      Array.from({ length: 12_345 }, () => ({ a: 1 })),
      MAP,
    ),
  ],
])('a batch that declares more rows than it holds: %s', async (_name, column) => {
  const bytes = tableToIPC(new Table({ x: column }), 'stream');
  const more = await fileOf(declare(bytes, 12_345, 1_234_500n));
  await expect(readFile(more)).rejects.toMatchObject({
    code: 'invalid',
    message: `${more}: a batch of 1234500 rows does not hold as many`,
  });
  const most = await fileOf(declare(bytes, 12_345, 2n ** 50n));
  await expect(readFile(most)).rejects.toMatchObject({ code: 'too_large' });
});

test('a table of contents that leads to what is no batch', async () => {
  const table = new Table({ id: vectorFromArray([1, 2, 3], new Int32()) });
  const bytes = Buffer.from(tableToIPC(table, 'file'));
  const [block] = RecordBatchReader.from(bytes).open().footer?.recordBatches() ?? [];
  if (!block) throw new Error('no batch');
  // Its length is a negative one now.
  bytes[block.offset] = 0;
  const path = await fileOf(bytes);
  await expect(readFile(path)).rejects.toMatchObject({
    code: 'invalid',
    message: `${path}: not readable as Arrow IPC, or not whole: there is no batch where one should be`,
  });
});
