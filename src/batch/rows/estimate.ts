import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Format } from './rows.ts';
import type { InputFile } from './locate.ts';

/** About how many rows there are in files of lines, without reading them. */

const LINE_END = 0x0a;
const QUOTE = 0x22;
/** Samples are spread over all files together; as much as all of them is read whole. */
const SAMPLES = 32;
const SAMPLE_BYTES = 64 * 2 ** 10;

export interface RowCount {
  /** Bytes of a file, one piece after the other. */
  add(bytes: Uint8Array): void;
  /** The file has ended. */
  end(): void;
  /** In the files that have ended. */
  readonly rows: number;
}

/** Counts lines, of CSV without the first of each file and without line ends that stand in quotes. */
export function createRowCount(format: Format): RowCount {
  const isCsv = format === 'csv';
  let rows = 0;
  let ends = 0;
  let isQuoted = false;
  let last = LINE_END;
  return {
    add(bytes) {
      for (let at = 0; at < bytes.length; at++) {
        if (bytes[at] === QUOTE) isQuoted = isCsv && !isQuoted;
        else if (bytes[at] === LINE_END && !isQuoted) ends++;
      }
      last = bytes.at(-1) ?? last;
    },
    end() {
      const lines = last === LINE_END ? ends : ends + 1;
      rows += Math.max(0, lines - (isCsv ? 1 : 0));
      ends = 0;
      isQuoted = false;
      last = LINE_END;
    },
    get rows() {
      return rows;
    },
  };
}

/** Of files that are not compressed. Exact for small ones; of others by the mean length of the lines in some places. */
export async function estimateRows(files: readonly InputFile[], format: Format): Promise<number> {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return bytes <= SAMPLES * SAMPLE_BYTES
    ? await countRows(files, format)
    : await sampleRows(files, format, bytes);
}

async function countRows(files: readonly InputFile[], format: Format): Promise<number> {
  const count = createRowCount(format);
  for (const { path } of files) {
    for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) count.add(piece);
    count.end();
  }
  return count.rows;
}

async function sampleRows(
  files: readonly InputFile[],
  format: Format,
  bytes: number,
): Promise<number> {
  let sampled = 0;
  let lines = 0;
  for (let index = 0; index < SAMPLES; index++) {
    const piece = await readAt(files, ((index + 0.5) / SAMPLES) * bytes - SAMPLE_BYTES / 2);
    sampled += piece.length;
    lines += lineEnds(piece);
  }
  if (sampled === 0) return 0;
  // In the middle of a CSV file nobody knows whether a line end stands in quotes.
  const share = format === 'csv' ? shareOfRows(await readAt(files, 0)) : 1;
  return Math.round((lines / sampled) * bytes * share);
}

function lineEnds(piece: Uint8Array): number {
  let ends = 0;
  for (const byte of piece) if (byte === LINE_END) ends++;
  return ends;
}

/** Of the line ends in the first piece of a CSV file, those that end a row. */
function shareOfRows(piece: Uint8Array): number {
  const count = createRowCount('csv');
  count.add(piece.subarray(0, piece.lastIndexOf(LINE_END) + 1));
  count.end();
  return (count.rows + 1) / Math.max(1, lineEnds(piece));
}

/** A sample from that byte of all files on, as far as its file goes. */
async function readAt(files: readonly InputFile[], position: number): Promise<Uint8Array> {
  let before = 0;
  for (const { path, bytes } of files) {
    if (position < before + bytes) {
      const handle = await open(path, 'r');
      try {
        const from = Math.floor(position - before);
        const { buffer, bytesRead } = await handle.read(
          Buffer.alloc(SAMPLE_BYTES),
          0,
          SAMPLE_BYTES,
          from,
        );
        return buffer.subarray(0, bytesRead);
      } finally {
        await handle.close();
      }
    }
    before += bytes;
  }
  return new Uint8Array();
}
