import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble } from '#batch/rows/assemble.ts';
import { openRows } from '#batch/rows/open-rows.ts';
import { openSink } from '#batch/rows/open-sink.ts';
import type {
  ColumnHead,
  Compression,
  Format,
  InputSpec,
  RowBatch,
  RowSource,
} from '#batch/rows/rows.ts';
import { batchOf, type Table } from './tables.ts';

/** Files of rows for tests: written by sinks, read by sources. */

export async function makeFolder(end: (close: () => unknown) => void): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rouse-rows-'));
  end(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes a part for every `each` rows, and puts them together. */
export async function writeTable(
  path: string,
  table: Table,
  how: { format: Format; compression?: Compression; each?: number; replace?: boolean },
): Promise<void> {
  const { each = table.rows.length } = how;
  const parts: string[] = [];
  for (let at = 0; at < table.rows.length; at += each) {
    const part = `${path}.part${parts.length}`;
    const sink = await openSink(part, { format: how.format, columns: table.heads });
    await sink.write(batchOf(table, at, Math.min(at + each, table.rows.length)));
    await sink.close();
    parts.push(part);
  }
  await assemble(parts, { path, columns: table.heads, ...how });
  for (const part of parts) await rm(part);
}

export function inputOf(location: string, more: Partial<InputSpec> = {}): InputSpec {
  return {
    location,
    folder: `${location}.fetched`,
    fetch: { maxBytes: 2 ** 20, privateHosts: true },
    ...more,
  };
}

export async function readAll(
  source: RowSource,
  { from = 0, size = 1000, as }: { from?: number; size?: number; as?: readonly ColumnHead[] } = {},
): Promise<RowBatch[]> {
  const batches: RowBatch[] = [];
  for await (const batch of source.read(from, size, as)) batches.push(batch);
  return batches;
}

/** Opens, reads and closes. */
export async function readFile(
  location: string,
  how: { from?: number; size?: number; as?: readonly ColumnHead[] } = {},
): Promise<RowBatch[]> {
  const source = await openRows(inputOf(location));
  try {
    return await readAll(source, how);
  } finally {
    await source.close();
  }
}
