import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** New rows for the sample `digits`, as its owner would have them. */

const HELD_OUT = resolve(import.meta.dirname, '../fixtures/digits/held-out.csv.gz');
const BLACK = 16;

/** Of the rows that were held out, those that are learned from; the others say how well. */
export const TRAINED = 340;

/** Pictures in white on black, which nobody has learned yet, with what they show. */
export function makeRows(): string[] {
  const [, ...lines] = gunzipSync(readFileSync(HELD_OUT)).toString().trim().split('\n');
  return lines.map((line) => {
    const cells = line.split(',').map(Number);
    return [...cells.slice(0, -1).map((pixel) => BLACK - pixel), cells.at(-1)].join(',');
  });
}

/** A folder as `retrain.mjs` reads it. */
export async function writeRows(
  folder: string,
  train: readonly string[],
  rest: readonly string[],
): Promise<void> {
  const head = [...Array.from({ length: 64 }, (_, pixel) => `p${pixel}`), 'label'].join(',');
  await mkdir(folder);
  const write = (file: string, rows: readonly string[]): Promise<void> =>
    writeFile(join(folder, file), `${[head, ...rows].join('\n')}\n`);
  await write('train.csv', train);
  await write('test.csv', rest);
}
