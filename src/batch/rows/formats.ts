import { basename } from 'node:path';
import { Fault } from '#lib/fault.ts';
import { type Compression, type Format, FORMATS } from './rows.ts';

/** How rows stand in a file. */
export interface Encoding {
  readonly format: Format;
  readonly compression?: Compression;
}

const ENDINGS: Readonly<Record<string, Format>> = {
  csv: 'csv',
  tsv: 'csv',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  json: 'jsonl',
  parquet: 'parquet',
  arrow: 'arrow',
  arrows: 'arrow',
  feather: 'arrow',
};
const COMPRESSED: Readonly<Record<string, Compression>> = { gz: 'gzip', zst: 'zstd' };

/** By the ending of the name, as far as it says something. */
export function guessEncoding(path: string): Partial<Encoding> {
  const endings = basename(path).toLowerCase().split('.').slice(1);
  const compression = COMPRESSED[endings.at(-1) ?? ''];
  const format = ENDINGS[endings.at(compression ? -2 : -1) ?? ''];
  return { ...(format && { format }), ...(compression && { compression }) };
}

/** By the ending of the name. `format`: what was said. Throws Fault `invalid`. */
export function encodingOf(path: string, format?: Format): Encoding {
  const { compression, ...guess } = guessEncoding(path);
  const guessed = format ?? guess.format;
  if (!guessed) {
    const known = Object.keys(ENDINGS).map((ending) => `.${ending}`);
    throw new Fault(
      'invalid',
      `${path}: cannot tell its format by its name; expected one that ends with ${known.join(', ')}, ` +
        `with or without .gz or .zst, or that the format is said: ${FORMATS.join(', ')}`,
    );
  }
  if (compression && guessed === 'parquet') {
    throw new Fault(
      'invalid',
      `${path}: Parquet is compressed inside; expected a name without .gz or .zst`,
    );
  }
  return { format: guessed, ...(compression && { compression }) };
}
