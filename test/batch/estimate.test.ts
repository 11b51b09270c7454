import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { Int32, Table, tableToIPC, vectorFromArray } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRowCount } from '#batch/rows/estimate.ts';
import { openRows } from '#batch/rows/open-rows.ts';
import { useTeardown } from '#test/teardown.ts';
import { inputOf, makeFolder, writeTable } from './row-files.ts';
import { countedTable } from './tables.ts';

const end = useTeardown();

/** Files in one folder. */
async function estimateOf(files: Readonly<Record<string, string | Uint8Array>>) {
  const folder = await makeFolder(end);
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  const source = await openRows(inputOf(folder));
  end(() => source.close());
  return source.estimatedRows;
}

const numbers = (count: number): string =>
  Array.from({ length: count }, (_, row) => `${row},${row * 7}\n`).join('');

describe('files of lines that are small, or have to be unpacked, are counted', () => {
  test.each([
    ['one', { 'a.csv': `a,b\n${numbers(300)}` }, 300],
    ['the last line has no end', { 'a.csv': 'a,b\n1,2\n3,4' }, 2],
    ['line ends in quotes', { 'a.csv': 'a,b\n1,"x\n""y""\nz"\n3,4\n' }, 2],
    ['lines of Windows', { 'a.csv': 'a,b\r\n1,2\r\n3,4\r\n' }, 2],
    ['several, each with a head', { 'a.csv': 'a,b\n1,2\n', 'b.csv': 'a,b\n3,4\n5,6' }, 3],
    ['quotes mean nothing in JSON', { 'a.jsonl': '{"a":"\\""}\n{"a":"x"}\n' }, 2],
    ['gzip', { 'a.csv.gz': gzipSync(`a,b\n${numbers(300_000)}`) }, 300_000],
    ['zstd', { 'a.jsonl.zst': zstdCompressSync('{"a":1}\n'.repeat(400_000)) }, 400_000],
  ])('%s', async (_what, files, rows) => {
    expect(await estimateOf(files)).toBe(rows);
  });

  test('wherever its pieces begin', () => {
    const text = Buffer.from('a,b\n1,"x\n""y"", \nz"\n3,4\n5,"6\n"');
    fc.assert(
      fc.property(fc.array(fc.nat({ max: text.length })), (cuts) => {
        const count = createRowCount('csv');
        const ends = [...cuts.toSorted((a, b) => a - b), text.length];
        for (const [index, past] of ends.entries()) {
          count.add(text.subarray(ends[index - 1] ?? 0, past));
        }
        count.end();
        expect(count.rows).toBe(3);
      }),
    );
  });
});

describe('large files are estimated by samples of all of them', () => {
  const close = (found: number | undefined, rows: number): void => {
    expect(found).toBeGreaterThan(rows * 0.95);
    expect(found).toBeLessThan(rows * 1.05);
  };

  test('lines that become longer and longer', async () => {
    const rows = 20_000;
    const lines = Array.from({ length: rows }, (_, row) => `${row},${'x'.repeat(row / 50)}\n`);
    close(await estimateOf({ 'a.csv': `a,b\n${lines.join('')}` }), rows);
  });

  test('texts of several lines', async () => {
    const rows = 60_000;
    const lines = Array.from(
      { length: rows },
      (_, row) => `${row},"one\ntwo ""and""\nthree ${row}"\n`,
    );
    close(await estimateOf({ 'a.csv': `a,b\n${lines.join('')}` }), rows);
  });

  test('several files', async () => {
    const line = JSON.stringify({ text: 'x'.repeat(60) });
    const files = {
      'a.jsonl': `${line}\n`.repeat(10_000),
      'b.jsonl': '{"text":1}\n'.repeat(300_000),
    };
    close(await estimateOf(files), 310_000);
  });
});

describe('Arrow says how many rows a batch has', () => {
  const table = (rows: number) =>
    new Table({
      id: vectorFromArray(
        Array.from({ length: rows }, (_, id) => id),
        new Int32(),
      ),
    });

  test.each(['file', 'stream'] as const)('the %s form, in several files', async (form) => {
    const files = {
      'a.arrow': tableToIPC(table(70), form),
      'b.arrow': tableToIPC(table(5), form),
    };
    expect(await estimateOf(files)).toBe(75);
  });

  test('a file of more batches than are looked at', async () => {
    const batches = Array.from({ length: 1500 }, () => table(200).batches).flat();
    const estimated = await estimateOf({ 'a.arrow': tableToIPC(new Table(batches), 'file') });
    expect(estimated).toBeGreaterThan(290_000);
    expect(estimated).toBeLessThan(310_000);
  });
});

test('Parquet says how many rows it has, and nothing is estimated', async () => {
  const path = join(await makeFolder(end), 'rows.parquet');
  await writeTable(path, countedTable(30), { format: 'parquet' });
  const source = await openRows(inputOf(path));
  end(() => source.close());
  expect([source.rows, source.estimatedRows]).toEqual([30, undefined]);
});
