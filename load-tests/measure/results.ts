import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { usage } from './options.ts';

/** Where a benchmark's figures go unless it is told otherwise. */
export function resultFile(benchmark: string): string {
  return resolve(import.meta.dirname, `../results/${benchmark}.json`);
}

/** Prints the table and writes the file. */
export async function writeResult(file: string, report: object, table: string): Promise<void> {
  process.stdout.write(`${table}\n`);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(report, undefined, 2)}\n`);
}

/** Progress, apart from the table. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Those that are named, separated by commas; a name that is none is told together with all that are. */
export function choose<T>(all: readonly T[], wanted: string, nameOf: (one: T) => string): T[] {
  return wanted.split(',').map((name) => {
    const found = all.find((one) => nameOf(one) === name);
    if (found === undefined) {
      usage(`${name} is unknown; there are ${all.map(nameOf).join(', ')}`);
    }
    return found;
  });
}
