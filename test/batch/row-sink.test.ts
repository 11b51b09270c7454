import { existsSync } from 'node:fs';
import { readdir, readFile as readBytes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assemble, checkOutput } from '#batch/rows/assemble.ts';
import { openSink } from '#batch/rows/open-sink.ts';
import { FORMATS } from '#batch/rows/rows.ts';
import { withTinyDisk } from '#test/store/tiny-disk.ts';
import { useTeardown } from '#test/teardown.ts';
import { makeFolder, readFile, writeTable } from './row-files.ts';
import { batchOf, countedTable, rowsOf, tables } from './tables.ts';

const end = useTeardown();

describe.each(FORMATS)('%s', (format) => {
  test('rows are the same however they were split into batches and parts', async () => {
    const folder = await makeFolder(end);
    let files = 0;
    await fc.assert(
      fc.asyncProperty(
        tables({ lists: format !== 'csv', plain: format === 'jsonl' }),
        fc.integer({ min: 1, max: 40 }),
        async (table, each) => {
          const at = files++;
          await writeTable(join(folder, `${at}.whole`), table, { format });
          await writeTable(join(folder, `${at}.parts.${format}`), table, { format, each });
          const whole = await readBytes(join(folder, `${at}.whole`));
          if (format === 'csv' || format === 'jsonl') {
            expect(await readBytes(join(folder, `${at}.parts.${format}`))).toEqual(whole);
          } else {
            const rows = await readFile(join(folder, `${at}.parts.${format}`), { as: table.heads });
            expect(rowsOf(rows)).toEqual(table.rows);
          }
        },
      ),
      { numRuns: 15 },
    );
  });

  test('batches of a part are written one after the other', async () => {
    const path = join(await makeFolder(end), `rows.${format}`);
    const table = countedTable(9000);
    const sink = await openSink(`${path}.part`, { format, columns: table.heads });
    for (let at = 0; at < 9000; at += 3000) await sink.write(batchOf(table, at, at + 3000));
    await sink.close();
    await assemble([`${path}.part`], { path, format, columns: table.heads });
    expect(rowsOf(await readFile(path, { as: table.heads }))).toEqual(table.rows);
  });

  test('a part without rows is one', async () => {
    const folder = await makeFolder(end);
    const path = join(folder, `rows.${format}`);
    const table = countedTable(2);
    const parts = ['a', 'b', 'c'].map((name) => join(folder, name));
    for (const part of parts) {
      const sink = await openSink(part, { format, columns: table.heads });
      if (part === parts[1]) await sink.write(batchOf(table));
      await sink.close();
    }
    await assemble(parts, { path, format, columns: table.heads });
    expect(rowsOf(await readFile(path, { as: table.heads }))).toEqual(table.rows);
  });

  test('an output that is there is not touched, unless it may be replaced', async () => {
    const folder = await makeFolder(end);
    const path = join(folder, `rows.${format}`);
    await writeFile(path, 'mine');
    const written = writeTable(path, countedTable(3), { format });
    await expect(written).rejects.toMatchObject({
      code: 'conflict',
      message: `${path} exists already; expected a name that is free, or --force to replace it`,
    });
    expect(await readBytes(path, 'utf8')).toBe('mine');
    await writeTable(path, countedTable(3), { format, replace: true });
    expect(rowsOf(await readFile(path, { as: countedTable(0).heads }))).toHaveLength(3);
    expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  test('a full disk while a part is written, and while parts are put together', async (context) => {
    const folder = await makeFolder(end);
    const table = countedTable(200_000);
    const part = join(folder, 'part');
    const sink = await openSink(part, { format, columns: table.heads });
    await sink.write(batchOf(table));
    await sink.close();
    await withTinyDisk(context, async (disk) => {
      await writeFile(join(disk, 'filler'), Buffer.alloc(3.8 * 2 ** 20));
      const full = await openSink(join(disk, 'part'), { format, columns: table.heads });
      const filling = full.write(batchOf(table)).then(() => full.close());
      await expect(filling).rejects.toMatchObject({ code: 'storage_full' });
      const path = join(disk, `rows.${format}`);
      const assembling = assemble([part], { path, format, columns: table.heads });
      await expect(assembling).rejects.toMatchObject({ code: 'storage_full' });
      expect(existsSync(path)).toBe(false);
      expect((await readdir(disk)).filter((name) => name.startsWith('.'))).toEqual([]);
    });
  });

  test('an output in a folder that is not there', async () => {
    const folder = await makeFolder(end);
    const sink = await openSink(join(folder, 'part'), { format, columns: countedTable(0).heads });
    await sink.close();
    const path = join(folder, 'gone', 'rows');
    const assembling = assemble([join(folder, 'part')], { path, format, columns: [] });
    await expect(assembling).rejects.toThrow(path);
    expect(existsSync(path)).toBe(false);
  });
});

test('texts keep what CSV has signs for, and nothing is not the empty text', async () => {
  const path = join(await makeFolder(end), 'rows.csv');
  const heads = [
    { name: 'a,"b"', type: 'BYTES' },
    { name: 'p', type: 'FP32', width: 2 },
  ] as const;
  const rows = [
    ['x,"y"\nz', [0.1, 1e30]],
    ['', null],
    [null, [1, -0.5]],
  ];
  await writeTable(path, { heads, rows }, { format: 'csv' });
  expect(await readBytes(path, 'utf8')).toBe(
    '"a,""b""",p\n"x,""y""\nz","[0.1, 1e+30]"\n"",\n,"[1.0, -0.5]"\n',
  );
});

test('JSON Lines has lists, null, and text for what is no JSON number', async () => {
  const path = join(await makeFolder(end), 'rows.jsonl');
  const heads = [
    { name: 'a', type: 'BOOL' },
    { name: 'p', type: 'FP32', width: 2 },
  ] as const;
  const rows = [
    [1, [0.1, Number.NaN]],
    [0, null],
    [null, [Number.POSITIVE_INFINITY, 2]],
  ];
  await writeTable(path, { heads, rows }, { format: 'jsonl' });
  const lines = (await readBytes(path, 'utf8')).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { a: true, p: [0.1, 'NaN'] },
    { a: false, p: null },
    { a: null, p: ['Infinity', 2] },
  ]);
});

test.each([
  ['parquet', 'gzip', 'rows.parquet.gz: parquet is read from its end; expected a name without .gz'],
  ['arrow', 'zstd', 'rows.parquet.gz: arrow is read from its end; expected a name without .gz'],
  ['csv', undefined, 'two columns "a"; expected each name once'],
] as const)(
  'what no output can be is told before work starts: %s',
  async (format, compression, message) => {
    const path = join(await makeFolder(end), 'rows.parquet.gz');
    const columns = [
      { name: 'a', type: 'FP32' },
      { name: 'a', type: 'INT8' },
    ] as const;
    const output = { path, format, columns, ...(compression && { compression }) };
    await expect(checkOutput(output)).rejects.toThrow(message);
  },
);
