import { mkdir, open, readFile as readBytes, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rowOf } from '#batch/rows/batches.ts';
import { openRows } from '#batch/rows/open-rows.ts';
import type { Compression, Format, RowBatch } from '#batch/rows/rows.ts';
import { useTeardown } from '#test/teardown.ts';
import { inputOf, makeFolder, readAll, readFile, writeTable } from './row-files.ts';
import { countedTable, rowsOf, tables } from './tables.ts';

export interface SourceSetting {
  readonly format: Format;
  readonly compression?: Compression;
  /** As it stands at the end of names. */
  readonly ending: string;
  /** Whether lists are more than text in it. */
  readonly lists: boolean;
  /** Whether it says of which type a column is. */
  readonly typed: boolean;
  /** Whether NaN and the infinities can be written in it. */
  readonly specials: boolean;
}

/** A JSON object without any value is taken for a line that is none. */
function isEmpty(row: readonly unknown[] | undefined): boolean {
  return row?.every((cell) => cell === null) === true;
}

/** What every source of rows does, whatever the format. Files are written by the sink of the format. */
export function describeRowSource(setting: SourceSetting): void {
  const { format, compression, ending, lists, typed, specials } = setting;
  const end = useTeardown();
  const how = { format, ...(compression && { compression }) };

  test('rows that were written are read, with their types', async () => {
    const folder = await makeFolder(end);
    let files = 0;
    await fc.assert(
      fc.asyncProperty(tables({ lists, plain: !specials }), async (table) => {
        const path = join(folder, `${files++}.${ending}`);
        await writeTable(path, table, how);
        const batches = await readFile(path, { as: table.heads });
        expect(rowsOf(batches)).toEqual(table.rows);
        for (const { bad } of batches) {
          for (const row of bad?.keys() ?? []) {
            expect(format === 'jsonl' && isEmpty(table.rows[row])).toBe(true);
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  test('reading from any row gives the rest, in batches of any size', async () => {
    const table = countedTable(5000);
    const path = join(await makeFolder(end), `rows.${ending}`);
    await writeTable(path, table, { ...how, each: 1700 });
    const source = await openRows(inputOf(path));
    end(() => source.close());
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 5001 }),
        fc.integer({ min: 1, max: 6000 }),
        async (from, size) => {
          const batches = await readAll(source, { from, size, as: table.heads });
          expect(rowsOf(batches)).toEqual(table.rows.slice(from));
          expect(batches.map(({ first }) => first)).toEqual(
            batches.map((_, at) => from + at * size),
          );
          expect(batches.slice(0, -1).every(({ length }) => length === size)).toBe(true);
        },
      ),
      { numRuns: 10 },
    );
  });

  test('a batch that is recycled lends its arrays to a later one, and to no other', async () => {
    const table = countedTable(5000);
    const path = join(await makeFolder(end), `rows.${ending}`);
    await writeTable(path, table, how);
    const source = await openRows(inputOf(path));
    end(() => source.close());
    const kept: RowBatch[] = [];
    const arrays = new Set<unknown>();
    for await (const batch of source.read(0, 300, table.heads)) {
      const [{ values } = {}] = batch.columns;
      arrays.add(values);
      expect(rowsOf([batch])).toEqual(table.rows.slice(batch.first, batch.first + batch.length));
      if (batch.first % 900 === 0) kept.push(batch);
      else {
        batch.recycle?.();
        // What was given back is not given back again.
        batch.recycle?.();
      }
    }
    expect(rowsOf(kept)).toEqual(
      kept.flatMap(({ first, length }) => table.rows.slice(first, first + length)),
    );
    expect(kept.length).toBe(6);
    // Those that were kept, those between them, one that was being filled, and the short one at the end.
    expect(arrays.size).toBeLessThanOrEqual(kept.length + 3);
  });

  test('only the columns that are asked for, in the order and types asked for', async () => {
    const path = join(await makeFolder(end), `rows.${ending}`);
    await writeTable(path, countedTable(3), how);
    const as = [
      { name: 'x', type: 'FP32' },
      { name: 'id', type: 'INT16' },
      { name: 'id', type: 'BYTES' },
    ] as const;
    expect(rowsOf(await readFile(path, { as }))).toEqual([
      [0.25, 0, '0'],
      [1.25, 1, '1'],
      [2.25, 2, '2'],
    ]);
  });

  test('columns woven into one lie row by row, with what they do not have', async () => {
    const path = join(await makeFolder(end), `rows.${ending}`);
    const { heads, rows } = countedTable(5000);
    const holes = new Set([1, 2047, 2048, 4999]);
    const some = rows.map(([id = null, x = null], row) => [holes.has(row) ? null : id, x]);
    await writeTable(path, { heads, rows: some }, how);
    const as = [
      { name: 'id', type: 'INT64' },
      { name: 'both', type: 'FP32', width: 3, of: ['x', 'id', 'x'] },
    ] as const;
    const batches = await readFile(path, { as, size: 1700 });
    const read = batches.flatMap((batch) =>
      Array.from({ length: batch.length }, (_, row) => rowOf(batch, row)),
    );
    expect(read).toEqual(
      Array.from(rows, (_, row) => ({ id: holes.has(row) ? null : row, x: row + 0.25 })),
    );
    const [first] = batches;
    expect([...(first?.columns[1]?.values ?? [])].slice(0, 3)).toEqual([0.25, 0, 0.25]);
    expect(batches.map(({ columns }) => columns[1]?.values.length)).toEqual([5100, 5100, 4800]);
  });

  test('a value of a woven column that cannot be what was asked for makes its row bad', async () => {
    const path = join(await makeFolder(end), `rows.${ending}`);
    await writeTable(path, countedTable(300), how);
    const as = [
      { name: 'both', type: 'UINT8', width: 2, of: ['id', 'id'] },
      { name: 'id', type: 'INT8' },
    ] as const;
    const [batch] = await readFile(path, { as });
    expect(batch?.bad?.get(255)).toBe('column "id": found 255, expected INT8');
    expect(batch?.bad?.get(256)).toBe('column "id": found 256, expected UINT8');
    expect(batch?.bad?.has(127)).toBe(false);
  });

  test('a value that the type asked for cannot hold makes its row bad, and no other', async () => {
    const path = join(await makeFolder(end), `rows.${ending}`);
    await writeTable(path, countedTable(300), how);
    const as = [
      { name: 'id', type: 'UINT8' },
      { name: 'x', type: 'FP64' },
    ] as const;
    const batches = await readFile(path, { as });
    expect(rowsOf(batches).map(([id]) => id)).toEqual(
      Array.from({ length: 300 }, (_, row) => (row < 256 ? row : null)),
    );
    const bad = [...(batches[0]?.bad ?? [])];
    expect(bad.map(([row]) => row)).toEqual(Array.from({ length: 44 }, (_, row) => 256 + row));
    expect(bad[0]?.[1]).toBe('column "id": found 256, expected UINT8');
  });

  test('a fraction is no integer: it is not rounded', async () => {
    const path = join(await makeFolder(end), `rows.${ending}`);
    await writeTable(path, countedTable(2), how);
    const [batch] = await readFile(path, { as: [{ name: 'x', type: 'INT32' }] });
    expect([...(batch?.bad ?? [])]).toEqual([
      [0, 'column "x": found 0.25, expected INT32'],
      [1, 'column "x": found 1.25, expected INT32'],
    ]);
  });

  test('files of a folder or glob are one input, in the order of their names', async () => {
    const folder = join(await makeFolder(end), 'a [b]');
    await mkdir(folder);
    const table = countedTable(30);
    for (const [name, at] of [
      ['b', 10],
      ['a', 0],
      ['c', 20],
    ] as const) {
      const part = { ...table, rows: table.rows.slice(at, at + 10) };
      await writeTable(join(folder, `${name}.${ending}`), part, how);
    }
    await writeFile(join(folder, '_SUCCESS'), '');
    const one = { as: table.heads, size: 7 };
    expect(rowsOf(await readFile(folder, one))).toEqual(table.rows);
    expect(rowsOf(await readFile(folder, { ...one, from: 13 }))).toEqual(table.rows.slice(13));
    const glob = join(folder.replace('[', '[[]'), `[ab].${ending}`);
    expect(rowsOf(await readFile(glob, one))).toEqual(table.rows.slice(0, 20));
  });

  test('a file with other columns than the first is refused before anything is read', async () => {
    const folder = await makeFolder(end);
    await writeTable(join(folder, `a.${ending}`), countedTable(3), how);
    const other = countedTable(3);
    const heads = other.heads.map((head) => ({ ...head, name: `${head.name}2` }));
    await writeTable(join(folder, `b.${ending}`), { ...other, heads }, how);
    await expect(openRows(inputOf(folder))).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining(`b.${ending} has the columns id2, x2; expected`),
    });
  });

  test('a column that is not there, or cannot be read as that', async () => {
    const path = join(await makeFolder(end), `rows.${ending}`);
    await writeTable(
      path,
      {
        heads: [
          { name: 'words', type: 'BYTES' },
          { name: 'n', type: 'INT8' },
        ],
        rows: [['a', 1]],
      },
      how,
    );
    const source = await openRows(inputOf(path));
    end(() => source.close());
    await expect(readAll(source, { as: [{ name: 'wordz', type: 'BYTES' }] })).rejects.toThrow(
      'column "wordz": found no such column, expected "words"',
    );
    const numbers = readAll(source, { as: [{ name: 'words', type: 'FP32' }] });
    if (typed) await expect(numbers).rejects.toThrow('column "words": found BYTES, expected FP32');
    else expect((await numbers)[0]?.bad?.get(0)).toBe('column "words": found a, expected FP32');
  });

  test('an empty file, and one that is cut off', async () => {
    const path = join(await makeFolder(end), `rows.${ending}`);
    await writeTable(path, countedTable(20_000), how);
    const whole = await readBytes(path);
    await writeFile(path, '');
    await expect(openRows(inputOf(path))).rejects.toMatchObject({
      code: 'invalid',
      message: `${path}: the file is empty; expected rows`,
    });
    // Where its lines end, a text looks whole.
    if (format === 'csv' && !compression) return;
    await writeFile(path, whole.subarray(0, Math.floor(whole.length / 2)));
    const fault = await readFile(path, { as: countedTable(0).heads }).then(
      (batches) => batches.flatMap(({ bad }) => [...(bad?.values() ?? [])]),
      (error: unknown) => error,
    );
    if (format === 'jsonl' && !compression) {
      expect(fault).toEqual(['the line is no JSON object with any of the columns']);
    } else expect(fault).toMatchObject({ code: 'invalid', message: expect.stringContaining(path) });
  });

  test('what is no file of the format at all', async () => {
    const path = join(await makeFolder(end), `rows.${ending}`);
    await writeFile(path, Buffer.from('\u0000\u0001garbage\u0002\n'.repeat(100)));
    await expect(readFile(path, { as: countedTable(0).heads })).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining(path),
    });
  });

  test('batches stay what they are when reading goes on and when the source is closed', async () => {
    const table = countedTable(9000);
    const path = join(await makeFolder(end), `rows.${ending}`);
    await writeTable(path, table, how);
    const batches = await readFile(path, { size: 1024, as: table.heads });
    expect(rowsOf(batches)).toEqual(table.rows);
  });

  test('reading that was left begins anew elsewhere', async () => {
    const table = countedTable(9000);
    const path = join(await makeFolder(end), `rows.${ending}`);
    await writeTable(path, table, how);
    const source = await openRows(inputOf(path));
    end(() => source.close());
    for await (const batch of source.read(10, 100, table.heads)) {
      expect(rowsOf([batch])).toEqual(table.rows.slice(10, 110));
      break;
    }
    const rest = await readAll(source, { from: 5000, as: table.heads });
    expect(rowsOf(rest)).toEqual(table.rows.slice(5000));
  });

  test('its version changes with the file, its size is that of the file', async () => {
    const path = join(await makeFolder(end), `rows.${ending}`);
    await writeTable(path, countedTable(3), how);
    const before = await openRows(inputOf(path));
    await before.close();
    const again = await openRows(inputOf(path));
    await again.close();
    expect(again.version).toBe(before.version);
    expect(before.bytes).toBe((await stat(path)).size);
    const handle = await open(path, 'r+');
    await handle.utimes(1, 1);
    await handle.close();
    const after = await openRows(inputOf(path));
    await after.close();
    expect(after.version).not.toBe(before.version);
  });
}
