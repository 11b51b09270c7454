import { createInterface } from 'node:readline';
import { takeDataFolder } from '#serve/data-folder.ts';

/**
 * Wants a data folder, named by its argument, at each time (in ms since the epoch) that it reads, and prints
 * `taken` or why not. It keeps what it took until it is killed, and ends with its input.
 */
const [path = ''] = process.argv.slice(2);
const kept: unknown[] = [];

process.stdout.write('here\n');
for await (const line of createInterface({ input: process.stdin })) {
  while (Date.now() < Number(line));
  try {
    kept.push(takeDataFolder(path));
    process.stdout.write('taken\n');
  } catch (error) {
    process.stdout.write(`${error instanceof Error ? error.message : 'failed'}\n`);
  }
}
