import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { assemble } from '#batch/rows/assemble.ts';
import { openRows } from '#batch/rows/open-rows.ts';
import { openSink } from '#batch/rows/open-sink.ts';
import type { ColumnHead } from '#batch/rows/rows.ts';

/** Tables of very many columns: images and genes come so. */

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rouse-wide-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

async function put(name: string, columns: number, rows: number, line: (row: string) => string) {
  const location = join(folder, name);
  const lines = Array.from({ length: rows }, (_, row) => line(String(row)));
  const names = Array.from({ length: columns }, (_, at) => `p${at}`);
  await writeFile(location, `${names.join(',')}\n${lines.join('\n')}\n`);
  return { location, folder, fetch: { maxBytes: 0, privateHosts: false } };
}

// Far more than it takes: a busy machine reads so many cells slowly.
test(
  'a CSV file of images, a column for each pixel, is read whole',
  { timeout: 240_000 },
  async () => {
    const [columns, rows] = [785, 2100];
    const rest = Array.from({ length: columns - 1 }, (_, at) => at % 256).join(',');
    const source = await openRows(
      await put('images.csv', columns, rows, (row) => `${row},${rest}`),
    );
    expect(source.columns).toHaveLength(columns);
    expect(new Set(source.columns.map(({ type }) => type))).toEqual(new Set(['INT64']));
    let seen = 0;
    for await (const batch of source.read(0, 512)) seen += batch.length;
    await source.close();
    expect(seen).toBe(rows);
  },
);

test('more columns than are read are refused before the rows are looked at', async () => {
  const input = await put('genes.csv', 20_000, 1, () => '1,'.repeat(20_000).slice(0, -1));
  await expect(openRows(input)).rejects.toThrow(
    `${input.location}: 20000 columns; at most 1024 are read: put what belongs together into one column of lists`,
  );
});

async function countRows(location: string): Promise<number> {
  const source = await openRows({ location, folder, fetch: { maxBytes: 0, privateHosts: false } });
  const { rows } = source;
  await source.close();
  return rows ?? 0;
}

const heads = {
  'a column for each number': Array.from({ length: 512 }, (_, at): ColumnHead => ({
    name: `p${at}`,
    type: 'FP32',
  })),
  'a list of numbers': [{ name: 'p', type: 'FP32', width: 1024 }] satisfies ColumnHead[],
};

describe.each(['csv', 'jsonl', 'parquet'] as const)('written as %s', (format) => {
  test.each(Object.entries(heads))('%s', { timeout: 240_000 }, async (name, columns) => {
    // What a part has at most, and the batch that was one too many.
    const [parts, rows, batch] = [3, 2304, 256];
    const paths: string[] = [];
    for (let part = 0; part < parts; part++) {
      const path = join(folder, `${part}.part`);
      const sink = await openSink(path, { format, columns });
      for (let first = 0; first < rows; first += batch) {
        const values = (count: number): Float32Array =>
          Float32Array.from({ length: batch * count }, (_, at) => (first + at) / 8);
        const filled = columns.map((head) =>
          Object.assign({}, head, { values: values(head.width ?? 1) }),
        );
        await sink.write({ first, length: batch, columns: filled });
      }
      await sink.close();
      paths.push(path);
    }
    const path = join(folder, `${name}.${format}`);
    await assemble(paths, { path, format, columns });
    if (format === 'parquet') expect(await countRows(path)).toBe(parts * rows);
    else expect((await stat(path)).size).toBeGreaterThan(parts * rows * 512);
  });
});

test.each([64, 65, 192, 256, 1024])(
  'rows of %i columns are written as JSON Lines in order',
  { timeout: 240_000 },
  async (width) => {
    const columns = Array.from({ length: width }, (_, at): ColumnHead => ({
      name: `p${at}`,
      type: 'FP32',
    }));
    const [rows, batch] = [2304, 256];
    const path = join(folder, 'ordered.part');
    const sink = await openSink(path, { format: 'jsonl', columns });
    for (let first = 0; first < rows; first += batch) {
      const values = Float32Array.from({ length: batch }, (_, at) => first + at);
      const filled = columns.map((head) => Object.assign({}, head, { values }));
      await sink.write({ first, length: batch, columns: filled });
    }
    await sink.close();
    const firsts = (await readFile(path, 'utf8')).matchAll(/"p0":(\d+)/g);
    expect(Array.from(firsts, ([, value]) => Number(value))).toEqual(
      Array.from({ length: rows }, (_, at) => at),
    );
  },
);
