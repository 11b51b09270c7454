import { readFile as readBytes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import {
  compressionRegistry,
  CompressionType,
  Dictionary,
  Field,
  Float64,
  Int32,
  LargeList,
  List,
  makeData,
  Map_,
  RecordBatchFileWriter,
  Struct,
  Table,
  tableToIPC,
  TimestampMillisecond,
  Utf8,
  Vector,
  vectorFromArray,
} from 'apache-arrow';
import { compressFrameSync } from 'lz4-napi';
import { describe, expect, test } from 'vitest';
import { openRows } from '#batch/rows/open-rows.ts';
import { useTeardown } from '#test/teardown.ts';
import { inputOf, makeFolder, readAll, readFile, writeTable } from './row-files.ts';
import { countedTable, rowsOf } from './tables.ts';

/** Arrow as other programs write it. */

const end = useTeardown();

async function fileOf(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(await makeFolder(end), name);
  await writeFile(path, bytes);
  return path;
}

const ids = new Table({ id: vectorFromArray([1, 2, 3], new Int32()) });

test.each(['file', 'stream'] as const)('the %s form', async (form) => {
  const path = await fileOf('rows.arrow', tableToIPC(ids, form));
  expect(rowsOf(await readFile(path))).toEqual([[1], [2], [3]]);
});

test.each([
  ['gz', gzipSync],
  ['zst', zstdCompressSync],
] as const)('packed as .%s', async (ending, pack) => {
  const path = await fileOf(`rows.arrow.${ending}`, pack(tableToIPC(ids, 'file')));
  expect(rowsOf(await readFile(path))).toEqual([[1], [2], [3]]);
  await writeFile(path, (await readBytes(path)).subarray(0, 40));
  await expect(readFile(path)).rejects.toMatchObject({
    code: 'invalid',
    message: expect.stringContaining(`${path}: not readable as `),
  });
});

describe('batches that are compressed inside', () => {
  const COUNT = 20_000;
  const rows = Array.from({ length: COUNT }, (_, id) => [id, `word ${id}`] as const);
  const table = new Table({
    id: vectorFromArray(
      rows.map(([id]) => id),
      new Int32(),
    ),
    word: vectorFromArray(
      rows.map(([, word]) => word),
      new Utf8(),
    ),
  });

  async function write(
    compressionType: CompressionType,
    encode: (data: Uint8Array) => Uint8Array,
  ): Promise<Uint8Array> {
    compressionRegistry.set(compressionType, { encode });
    const writer = new RecordBatchFileWriter({ compressionType });
    return await writer.writeAll(table).finish().toUint8Array();
  }
  const packLz4 = (data: Uint8Array) => compressFrameSync(Buffer.from(data));

  test.each([
    ['zstd', CompressionType.ZSTD, (data: Uint8Array) => zstdCompressSync(data)],
    ['LZ4', CompressionType.LZ4_FRAME, packLz4],
  ] as const)('%s', async (_name, type, encode) => {
    const bytes = await write(type, encode);
    expect(bytes.length).toBeLessThan(tableToIPC(table, 'file').length * 0.75);
    expect(rowsOf(await readFile(await fileOf('rows.arrow', bytes)))).toEqual(rows);
  });

  test('LZ4 that is broken', async () => {
    const bytes = await write(CompressionType.LZ4_FRAME, packLz4);
    // In the texts, which come last.
    bytes.fill(0xff, bytes.length * 0.75, bytes.length * 0.85);
    await expect(readFile(await fileOf('rows.arrow', bytes))).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('rows.arrow: not readable as Arrow IPC, or not whole'),
    });
  });
});

test('texts by dictionary, times, lists of any length', async () => {
  const list = new List(new Field('item', new Float64()));
  const table = new Table({
    word: vectorFromArray(['a', 'b', 'a'], new Dictionary(new Utf8(), new Int32())),
    at: vectorFromArray([0, 1000, 2000], new TimestampMillisecond()),
    v: vectorFromArray([[1, 2], [3], [4, 5]], list),
  });
  const source = await openRows(inputOf(await fileOf('rows.arrow', tableToIPC(table, 'file'))));
  end(() => source.close());
  expect(source.columns).toEqual([
    { name: 'word', type: 'BYTES' },
    { name: 'at', type: 'BYTES' },
    { name: 'v', type: 'FP64', width: 2 },
  ]);
  const [batch] = await readAll(source);
  expect(batch && rowsOf([batch])).toEqual([
    ['a', '1970-01-01T00:00:00.000Z', [1, 2]],
    ['b', '1970-01-01T00:00:01.000Z', null],
    ['a', '1970-01-01T00:00:02.000Z', [4, 5]],
  ]);
  expect([...(batch?.bad ?? [])]).toEqual([
    [1, 'column "v": found a list of 1, expected a list of 2 FP64, none of them null'],
  ]);
});

test('maps, and lists with large offsets, which other programs write', async () => {
  const entry = new Struct<{ key: Utf8; value: Int32 }>([
    new Field('key', new Utf8()),
    new Field('value', new Int32(), true),
  ]);
  const lists = makeData({
    type: new LargeList(new Field('item', new Int32())),
    length: 3,
    valueOffsets: BigInt64Array.of(0n, 1n, 1n, 3n),
    child: makeData({ type: new Int32(), data: Int32Array.of(1, 2, 3) }),
  });
  const table = new Table({
    m: vectorFromArray([{ a: 1, b: 2 }, null, {}], new Map_(new Field('entries', entry))),
    l: new Vector([lists]),
    id: vectorFromArray([1, 2, 3], new Int32()),
  });
  const batches = await readFile(await fileOf('rows.arrow', tableToIPC(table, 'file')));
  expect(rowsOf(batches)).toEqual([
    ['{"a": 1, "b": 2}', '[1]', 1],
    [null, '[]', 2],
    ['{}', '[2,3]', 3],
  ]);
});

test('the output is a file that the library itself reads', async () => {
  const path = join(await makeFolder(end), 'rows.arrow');
  await writeTable(path, countedTable(5), { format: 'arrow', each: 2 });
  const bytes = await readBytes(path);
  expect(bytes.subarray(0, 6).toString()).toBe('ARROW1');
  expect(bytes.subarray(-6).toString()).toBe('ARROW1');
});

test('a batch that is too large to be held is refused before it is read', async () => {
  const numbers = new Float64Array(9 * 2 ** 20);
  const path = await fileOf(
    'rows.arrow',
    tableToIPC(new Table({ x: vectorFromArray(numbers) }), 'file'),
  );
  await expect(openRows(inputOf(path))).rejects.toMatchObject({
    code: 'too_large',
    message: expect.stringContaining('expected at most 67108864: write it in smaller ones'),
  });
});
