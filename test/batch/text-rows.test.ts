import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { openRows } from '#batch/rows/open-rows.ts';
import type { ColumnHead, RowBatch } from '#batch/rows/rows.ts';
import { useTeardown } from '#test/teardown.ts';
import { inputOf, makeFolder, readAll } from './row-files.ts';
import { rowsOf } from './tables.ts';

/** Files as people and programs write them. */

const end = useTeardown();

async function opened(name: string, text: string | Buffer) {
  const path = join(await makeFolder(end), name);
  await writeFile(path, text);
  const source = await openRows(inputOf(path));
  end(() => source.close());
  return source;
}

const badOf = (batches: readonly RowBatch[]) =>
  batches.flatMap(({ first, bad }) =>
    [...(bad ?? [])].toSorted(([a], [b]) => a - b).map(([row, why]) => [first + row, why]),
  );

describe('types are guessed', () => {
  test.each([
    ['a.csv', 'i,f,b,t,d\n1,1.5,true,x,2024-01-02\n3,2,false,,2024-01-03\n'],
    ['a.tsv', 'i\tf\tb\tt\td\n1\t1.5\ttrue\tx\t2024-01-02\n3\t2\tfalse\t\t2024-01-03\n'],
    ['semicolons.csv', 'i;f;b;t;d\n1;1.5;true;x;2024-01-02\n3;2;false;;2024-01-03\n'],
    ['windows.csv', 'i,f,b,t,d\r\n1,1.5,true,x,2024-01-02\r\n3,2,false,,2024-01-03\r\n'],
    ['no-end.csv', 'i,f,b,t,d\n1,1.5,true,x,2024-01-02\n3,2,false,,2024-01-03'],
    [
      'a.jsonl',
      '{"i":1,"f":1.5,"b":true,"t":"x","d":"2024-01-02"}\n{"d":"2024-01-03","i":3,"f":2,"b":false,"t":null}\n',
    ],
  ])('%s', async (name, text) => {
    const source = await opened(name, text);
    expect(source.columns).toEqual([
      { name: 'i', type: 'INT64' },
      { name: 'f', type: 'FP64' },
      { name: 'b', type: 'BOOL' },
      { name: 't', type: 'BYTES' },
      { name: 'd', type: 'BYTES' },
    ]);
    expect(rowsOf(await readAll(source))).toEqual([
      [1n, 1.5, 1, 'x', '2024-01-02'],
      [3n, 2, 0, null, '2024-01-03'],
    ]);
  });

  test('lists and objects of JSON', async () => {
    const source = await opened('a.ndjson', '{"v":[1,2.5],"o":{"a":1},"s":["x","y, z"]}\n');
    expect(source.columns).toEqual([
      { name: 'v', type: 'FP64', width: 2 },
      { name: 'o', type: 'BYTES' },
      { name: 's', type: 'BYTES', width: 2 },
    ]);
    expect(rowsOf(await readAll(source))).toEqual([[[1, 2.5], '{"a":1}', ['x', 'y, z']]]);
  });

  test('a line of text is one column', async () => {
    const source = await opened('a.csv', 'text\n"good, really"\nbad\n');
    expect(source.columns).toEqual([{ name: 'text', type: 'BYTES' }]);
    expect(rowsOf(await readAll(source))).toEqual([['good, really'], ['bad']]);
  });

  test.each([
    ['zeros before a number', '007\n010\n'],
    ['a number and a word', '7\nseven\n'],
    ['nothing at all', '\n\n'],
  ])('text: %s', async (_what, lines) => {
    const source = await opened(
      'a.csv',
      `id,n\n${lines.replaceAll(/^/gm, '1,').replace(/1,$/, '')}`,
    );
    expect(source.columns).toEqual([
      { name: 'id', type: 'INT64' },
      { name: 'n', type: 'BYTES' },
    ]);
  });

  test('a head with quotes, a mark of its encoding, names that are missing', async () => {
    const source = await opened('a.csv', '\ufeff"a ""b""",\n1,2\n');
    expect(source.columns.map(({ name }) => name)).toEqual(['a "b"', 'column1']);
  });

  test('quotes that come late', async () => {
    const source = await opened('a.csv', `t,n\n${'x,1\n'.repeat(30_000)}"x, ""y""",2\n`);
    const rows = rowsOf(await readAll(source, { from: 30_000 }));
    expect(rows).toEqual([['x, "y"', 2n]]);
  });

  test('as is asked for: 007 is text, integers are floats, BOOL is a number', async () => {
    const source = await opened('a.csv', 'a,b,c\n007,1,true\n012,2,false\n');
    const as: ColumnHead[] = [
      { name: 'a', type: 'BYTES' },
      { name: 'b', type: 'FP32' },
      { name: 'c', type: 'FP32' },
    ];
    expect(rowsOf(await readAll(source, { as }))).toEqual([
      ['007', 1, 1],
      ['012', 2, 0],
    ]);
  });
});

describe('a value that does not fit makes its row bad, and the others stay', () => {
  /** More rows than types are guessed from. */
  const MANY = 30_000;

  test('a word among numbers, far down', async () => {
    const lines = Array.from({ length: MANY }, (_, row) => (row === 25_000 ? 'oops' : `${row}`));
    const source = await opened('a.csv', `n\n${lines.join('\n')}\n`);
    const batches = await readAll(source, { size: 7000 });
    expect(badOf(batches)).toEqual([[25_000, 'column "n": found oops, expected INT64']]);
    const rows = rowsOf(batches).map(([n]) => n);
    expect(rows).toEqual(lines.map((line) => (line === 'oops' ? null : BigInt(line))));
  });

  test('lines that are no JSON, and lists of another length', async () => {
    const lines = [
      '{"id":0,"v":[1,2]}',
      '{"id":1,"v":[1,2,3]}',
      '{"id":2,"v":[1,nul',
      '{"id":3,"v":[1,null]}',
      '{"id":4}',
      '{"id":"five","v":[1,2]}',
      '[6]',
      '{"id":7,"v":[3,4]}',
    ];
    const source = await opened('a.jsonl', `${lines.join('\n')}\n`);
    const as: ColumnHead[] = [
      { name: 'id', type: 'INT64' },
      { name: 'v', type: 'FP32', width: 2 },
    ];
    const batches = await readAll(source, { as });
    const list = 'expected a list of 2 FP32, none of them null';
    const none = 'the line is no JSON object with any of the columns';
    expect(badOf(batches)).toEqual([
      [1, `column "v": found [1,2,3], ${list}`],
      [2, none],
      [3, `column "v": found a list with null in it, ${list}`],
      [5, 'column "id": found five, expected INT64'],
      [6, none],
    ]);
    expect(rowsOf(batches)).toEqual([
      [0n, [1, 2]],
      [1n, null],
      [null, null],
      [3n, null],
      [4n, null],
      [null, [1, 2]],
      [null, null],
      [7n, [3, 4]],
    ]);
  });
});

describe('refused, with file and line', () => {
  test.each([
    [
      'a row with too many cells',
      'a,b\n1,2\n1,2,3\n',
      /a\.csv: CSV Error on Line: 3.*Expected Number of Columns: 2 Found: 3/,
    ],
    [
      'a row with too few',
      'a,b\n1,2\n1\n3,4\n',
      /a\.csv: CSV Error on Line: 3.*Expected Number of Columns: 2 Found: 1/,
    ],
    ['a quote that is not closed', 'a,b\n1,2\n"1,2\n3,4\n', /a\.csv: .*unterminated quote/i],
    [
      'what is no UTF-8',
      Buffer.from('a,b\n1,caf\xe9\n', 'latin1'),
      /a\.csv: CSV Error on Line: 2.*is not utf-8 encoded\.$/,
    ],
    ['a name twice', 'a,b,A\n1,2,3\n', /a\.csv: two columns "A"; expected each name once/],
    [
      'NUL bytes, as UTF-16 has them',
      'a\0,\0b\0\n\0',
      /a\.csv: .*NUL bytes.*expected text in UTF-8/,
    ],
    [
      'a last line that the library would pass over',
      `a,b\n1,2\n1,${'x'.repeat(3_000_000)}\n`,
      /a\.csv: its last line has more than 1048576 bytes/,
    ],
    ['only a head', 'a,b\n', /a\.csv: there are no rows; expected at least one/],
  ])('%s', async (_what, text, message) => {
    await expect(opened('a.csv', text)).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(message),
    });
  });

  test('a ragged row far down, when it is read', async () => {
    const text = `a,b\n${'1,2\n'.repeat(50_000)}1,2,3\n`;
    const source = await opened('a.csv', text);
    await expect(readAll(source)).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(/a\.csv: CSV Error on Line: 50002/),
    });
  });

  test('a packed file with such a last line', async () => {
    const path = join(await makeFolder(end), 'a.csv.gz');
    await writeFile(path, gzipSync(`a,b\n1,2\n1,${'x'.repeat(9_000_000)}\n\n`));
    await expect(openRows(inputOf(path))).rejects.toThrow('its last line has more than');
  });

  test('a name that tells no format', async () => {
    await expect(opened('data.xlsx', 'x')).rejects.toThrow(
      /data\.xlsx: cannot tell its format by its name; expected one that ends with \.csv, /,
    );
  });

  test('what is not there', async () => {
    const folder = await makeFolder(end);
    await expect(openRows(inputOf(join(folder, 'gone.csv')))).rejects.toThrow(
      'gone.csv: there is no such file',
    );
    await expect(openRows(inputOf(join(folder, '*.csv')))).rejects.toThrow('there is no such file');
    await expect(openRows(inputOf(folder))).rejects.toThrow('no file is in this folder');
  });

  test('files of two formats', async () => {
    const folder = await makeFolder(end);
    await writeFile(join(folder, 'a.csv'), 'a\n1\n');
    await writeFile(join(folder, 'b.jsonl'), '{"a":1}\n');
    await expect(openRows(inputOf(folder))).rejects.toThrow(
      /b\.jsonl is written otherwise than .*a\.csv: .*, or a glob .*, such as '.*\/\*\.csv'/,
    );
  });

  test('a file beside the rows that is none of them', async () => {
    const folder = await makeFolder(end);
    await writeFile(join(folder, 'README.txt'), 'what this is\n');
    await writeFile(join(folder, 'a.csv.gz'), gzipSync('a\n1\n'));
    await expect(openRows(inputOf(folder))).rejects.toThrow(
      /README\.txt stands beside .*a\.csv\.gz, .* such as '.*\/\*\.csv\.gz'$/,
    );
  });
});
