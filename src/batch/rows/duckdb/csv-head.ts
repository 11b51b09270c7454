import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { Fault } from '#lib/fault.ts';
import type { Compression } from '../rows.ts';
import { inflate } from '../unpack.ts';

/** The first line of a CSV file. What separates its names separates cells, too. */
export interface CsvHead {
  readonly delimiter: string;
  readonly names: readonly string[];
}

/** The first of those that occur most often. */
const DELIMITERS = [',', ';', '\t', '|'];

/** Throws Fault `invalid` when there is no such line within `limit` bytes, or a name stands there twice. */
export async function readCsvHead(
  path: string,
  compression: Compression | undefined,
  limit: number,
): Promise<CsvHead> {
  const line = await firstLine(path, compression, limit);
  if (line.includes('\0')) {
    throw new Fault(
      'invalid',
      `${path}: not readable as CSV: NUL bytes in it; expected text in UTF-8`,
    );
  }
  const found = DELIMITERS.map((delimiter) => ({ delimiter, names: splitLine(line, delimiter) }));
  const head = found.toSorted((a, b) => b.names.length - a.names.length)[0];
  if (!head) throw new Fault('internal', 'no delimiters');
  const names = head.names.map((name, index) => (name === '' ? `column${index}` : name));
  const lower = names.map((name) => name.toLowerCase());
  const twice = names.find((_, index) => lower.indexOf(lower[index] ?? '') !== index);
  if (twice === undefined) return { delimiter: head.delimiter, names };
  throw new Fault('invalid', `${path}: two columns "${twice}"; expected each name once`);
}

async function firstLine(
  path: string,
  compression: Compression | undefined,
  limit: number,
): Promise<string> {
  const file = createReadStream(path);
  const bytes: Readable = compression ? inflate(file, compression) : file;
  let text = '';
  for await (const part of bytes.setEncoding('utf8') as AsyncIterable<string>) {
    text += part;
    const end = endOfLine(text);
    if (end !== undefined) return text.slice(0, end).replace(/^\ufeff/, '');
    if (text.length > limit) break;
  }
  if (text.length <= limit && !text.includes('"')) return text.replace(/^\ufeff/, '');
  throw new Fault('invalid', `${path}: its first line does not end; expected names of columns`);
}

/** Where the first line ends; a line end within quotes is none. */
function endOfLine(text: string): number | undefined {
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '"') quoted = !quoted;
    else if (!quoted && (text[at] === '\n' || text[at] === '\r')) return at;
  }
  return undefined;
}

function splitLine(line: string, delimiter: string): string[] {
  const cells: string[] = [''];
  let quoted = false;
  for (const sign of line) {
    if (sign === '"') quoted = !quoted;
    if (sign === delimiter && !quoted) cells.push('');
    else cells.push(`${cells.pop()}${sign}`);
  }
  return cells.map((cell) => {
    const inner = /^"(.*)"$/s.exec(cell)?.[1];
    return inner === undefined ? cell : inner.replaceAll('""', '"');
  });
}
