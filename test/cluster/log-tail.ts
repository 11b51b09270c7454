import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Enough to see what went wrong, and still one screen. */
const LINES = 15;
const MAX_LINE = 400;

/** The last lines of a component's log, indented; for the end of a message. */
export async function readLogTail(folder: string, name: string): Promise<string> {
  const text = await readFile(join(folder, `${name}.log`), 'utf8').catch(() => '');
  return lastLines(text);
}

export function lastLines(text: string): string {
  const lines = text.trimEnd().split('\n').slice(-LINES);
  if (lines.join('') === '') return '    (it wrote nothing)';
  return lines.map((line) => `    ${line.slice(0, MAX_LINE)}`).join('\n');
}
