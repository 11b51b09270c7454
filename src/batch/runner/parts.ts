import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import { isTexts } from '../rows/batches.ts';
import { formatType } from '../rows/cast.ts';
import type { Column, ColumnHead, OutputSpec } from '../rows/rows.ts';
import type { Checkpoint, OutputColumns, Part } from './checkpoint.ts';
import { createPartWriter, makeOutputColumns, type PartFiles, type PartWriter } from './output.ts';
import type { ReportMemory } from './report.ts';
import type { Scored } from './score.ts';

/** What was scored, in order, as parts that are on disk, each named by the checkpoint. */
export interface Parts {
  /** Rows that are scored or failed, and failed ones; what is in no part yet is counted, too. */
  readonly done: number;
  readonly failed: number;
  add(scored: Scored): Promise<void>;
  /** What was added is on disk. */
  flush(): Promise<void>;
  /** The columns of the output; undefined: no row was scored. */
  columns(): OutputColumns | undefined;
}

/** What a crash costs at most, beside the rows that are under way. */
const PART_MS = 5000;
/** Bounds what a part takes to be put together with the others. */
const PART_ROWS = 500_000;
/** Bounds what it takes to write one: most formats hold it in memory until then. */
const PART_BYTES = 8 * 2 ** 20;

interface OpenPart {
  readonly writer: PartWriter;
  readonly number: number;
  readonly first: number;
  readonly since: number;
  /** Of the values in it. */
  bytes: number;
}

export function partFiles(folder: string, number: number): PartFiles {
  const name = String(number).padStart(6, '0');
  return { scored: join(folder, `part-${name}`), failed: join(folder, `failed-${name}.jsonl`) };
}

/** What a runner has left that died before the checkpoint knew of it. */
export async function removeStrayParts(folder: string, parts: readonly Part[]): Promise<void> {
  const known = new Set(parts.flatMap(({ number }) => Object.values(partFiles(folder, number))));
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (/^(part|failed)-/.test(name) && !known.has(path)) await rm(path, { recursive: true });
  }
}

export function createParts(options: {
  checkpoint: Checkpoint;
  folder: string;
  output: Omit<OutputSpec, 'columns'>;
  /** Columns of the input that stand first in the output; in a batch they are behind `read` others. */
  kept: readonly ColumnHead[];
  read: number;
  /** What the report remembers by now. */
  memory: () => ReportMemory;
  clock: Clock;
}): Parts {
  const { checkpoint, folder, output, kept, read, memory, clock } = options;
  let columns = checkpoint.get('columns');
  let failedBefore = checkpoint.parts.reduce((sum, { failed }) => sum + failed, 0);
  let past = checkpoint.next;
  let open: OpenPart | undefined;

  /** The first answer says what the columns are, and all others are like it. */
  function settleColumns({ columns: answered }: Scored): OutputColumns {
    if (!answered) return columns ?? [];
    const found = makeOutputColumns(kept, answered);
    if (!columns) {
      columns = found;
      checkpoint.set('columns', found);
    }
    if (JSON.stringify(found) === JSON.stringify(columns)) return columns;
    throw new Fault(
      'bad_upstream',
      `the model answered ${formatHeads(found)}, and before that ${formatHeads(columns)}`,
    );
  }

  function begin(heads: OutputColumns): OpenPart {
    const number = (checkpoint.parts.at(-1)?.number ?? 0) + 1;
    const files = partFiles(folder, number);
    const writer = createPartWriter(files, { ...output, columns: heads }, read);
    return { writer, number, first: past, since: clock.now(), bytes: 0 };
  }

  async function flush(): Promise<void> {
    if (!open) return;
    const { writer, number, first } = open;
    await writer.close();
    const { rows, failed } = writer;
    checkpoint.add({ number, first, past, rows, failed }, memory());
    failedBefore += failed;
    open = undefined;
  }

  return {
    get done() {
      return past;
    },
    get failed() {
      return failedBefore + (open?.writer.failed ?? 0);
    },
    async add(scored) {
      const heads = settleColumns(scored);
      // One that began without columns has failed rows only.
      if (open && open.writer.rows === 0 && scored.columns) await flush();
      open ??= begin(heads);
      await open.writer.write(scored);
      past = scored.batch.first + scored.batch.length;
      open.bytes += bytesOf(scored.batch.columns.slice(read)) + bytesOf(scored.columns ?? []);
      const isOld = clock.now() - open.since >= PART_MS;
      const isLarge = past - open.first >= PART_ROWS || open.bytes >= PART_BYTES;
      if (isOld || isLarge) await flush();
    },
    flush,
    columns: () => columns,
  };
}

function bytesOf(columns: readonly Column[]): number {
  return columns.reduce((sum, { values }) => sum + bytesOfValues(values), 0);
}

/** Of a text its characters; what they take is of the same order. */
function bytesOfValues(values: Column['values']): number {
  if (!isTexts(values)) return values.byteLength;
  return values.reduce((sum, text) => sum + text.length, 0);
}

export function formatHeads(heads: OutputColumns): string {
  return heads.map((head) => `${head.name} ${formatType(head)}`).join(', ');
}
