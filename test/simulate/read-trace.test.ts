import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readTrace } from '#simulate/read-trace.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rouse-traces-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, name.endsWith('.gz') ? gzipSync(text) : text);
  return file;
}

const arrivalsOf = ({ at, end, model }: Awaited<ReturnType<typeof readTrace>>): number[][] =>
  Array.from(at, (time, index) => [time, end[index]!, model[index]!]);

const COUNTS =
  'HashOwner,HashApp,HashFunction,Trigger,481,482,483\no,a,f,http,0,7,1\no,a,g,timer,2,0,0\n';

describe('per-minute counts', () => {
  test.each(['counts.csv', 'counts.csv.gz'])(
    '%s: a minute with invocations is one arrival',
    async (name) => {
      const trace = await readTrace(write(name, COUNTS));
      expect(trace.models).toEqual([
        { name: 'o/a/f', memory: 1, coldCost: 1 },
        { name: 'o/a/g', memory: 1, coldCost: 1 },
      ]);
      const eight = 8 * 3_600_000;
      expect(arrivalsOf(trace)).toEqual([
        [eight, eight, 1],
        [eight + 60_000, eight + 60_000, 0],
        [eight + 120_000, eight + 120_000, 0],
      ]);
      expect([trace.from, trace.to]).toEqual([eight, eight + 180_000]);
    },
  );

  test('columns in another order, minutes with another name, memory from another file', async () => {
    const counts = 'HashFunction,HashOwner,HashApp,minute_1,minute_2\r\nf,o,a,1,0\r\ng,o,a,0,1';
    const memory = 'HashFunction,HashOwner,SampleCount,AverageAllocatedMb\nf,o,3,198.5\n';
    const trace = await readTrace(write('named.csv', counts), write('memory.csv', memory));
    expect(trace.models.map((model) => model.memory)).toEqual([198.5, 1]);
    expect(arrivalsOf(trace)).toEqual([
      [0, 0, 0],
      [60_000, 60_000, 1],
    ]);
  });
});

describe('request logs', () => {
  test('are sorted by time; times are seconds, milliseconds or dates; cost and memory are optional', async () => {
    const log = [
      'timestamp,model,duration,cold_cost,memory',
      '1700000060,b,0.5,,',
      '1700000000000,a,2,3.5,512',
      '2023-11-14T22:13:30Z,b,,4,64',
    ].join('\n');
    const trace = await readTrace(write('requests.csv.gz', log));
    expect(arrivalsOf(trace)).toEqual([
      [1_700_000_000_000, 1_700_000_002_000, 1],
      [1_700_000_010_000, 1_700_000_010_000, 0],
      [1_700_000_060_000, 1_700_000_060_500, 0],
    ]);
    expect(trace.models).toEqual([
      { name: 'b', memory: 64, coldCost: 4 },
      { name: 'a', memory: 512, coldCost: 3.5 },
    ]);
  });

  test('many rows come through whole, whatever the pieces of the file', async () => {
    const rows = Array.from(
      { length: 200_000 },
      (_, row) => `${1_700_000_000 + row},model-${row % 7},0.1`,
    );
    const trace = await readTrace(
      write('many.csv.gz', ['timestamp,model,duration', ...rows].join('\n')),
    );
    expect(trace.at).toHaveLength(200_000);
    expect(trace.models).toHaveLength(7);
    expect(trace.to - trace.from).toBe(199_999_000);
  });
});

test.each([
  ['another format', 'a,b\n1,2\n', /unknown format/],
  ['an empty file', '', /unknown format/],
  ['a header only', 'timestamp,model,duration\n', /no arrivals/],
  [
    'a date that is none',
    'timestamp,model,duration\nyesterday,a,1\n',
    /row 2: timestamp "yesterday"/,
  ],
  ['no date', 'timestamp,model,duration\n,a,1\n', /row 2: timestamp ""/],
  [
    'a negative duration',
    'timestamp,model,duration\n1,a,-1\n',
    /row 2: duration "-1", expected a number from 0/,
  ],
  ['no model', 'timestamp,model,duration\n1,,1\n', /row 2: no model/],
  ['a count that is none', `${COUNTS}o,a,h,http,0,x,0\n`, /row 4: "x" is no count/],
  [
    'a timestamp that is none',
    'timestamp,model,duration\n0,m,1\n1e300,m,1\n',
    /from 0 to 1e\+297, in seconds: expected at most 3650d; is a timestamp wrong\?/,
  ],
  ['a short row', `${COUNTS}o,a,h,http,0\n`, /row 4: 5 columns, expected 7/],
  ['no minutes', 'HashFunction,Trigger\nf,http\n', /no column of a minute/],
])('%s is refused with what is wrong', async (name, text, message) => {
  await expect(readTrace(write(`${name}.csv`, text))).rejects.toThrow(message);
});

test('a file that is not there is told by name', async () => {
  await expect(readTrace(join(folder, 'gone.csv'))).rejects.toThrow(/cannot read .*gone\.csv/);
});
