import { open, type FileHandle } from 'node:fs/promises';
import { rowOf } from '../rows/batches.ts';
import { makeDurable } from '../rows/durable.ts';
import { openSink } from '../rows/open-sink.ts';
import type { Column, ColumnHead, OutputSpec, RowBatch, RowSink } from '../rows/rows.ts';
import { pickRows } from './pick.ts';
import type { Scored } from './score.ts';

/** One part of the output: the rows that were scored, and those that failed, each in a file. */
export interface PartWriter {
  readonly rows: number;
  readonly failed: number;
  write(scored: Scored): Promise<void>;
  /** Both files are durable when it resolves; one without rows is not there. */
  close(): Promise<void>;
}

export interface PartFiles {
  readonly scored: string;
  readonly failed: string;
}

export function createPartWriter(
  files: PartFiles,
  output: OutputSpec,
  /** From this one on the columns of the batches stand in the output, before those of the model. */
  kept: number,
): PartWriter {
  let sink: RowSink | undefined;
  let failures: FileHandle | undefined;
  let rows = 0;
  let failed = 0;

  async function writeScored(scored: Scored): Promise<void> {
    if (!scored.columns) return;
    sink ??= await openSink(files.scored, output);
    const own = makeOutputRows(scored, output.columns, kept);
    await sink.write(own);
    rows += own.length;
  }

  async function writeFailed({ batch, failed: some }: Scored): Promise<void> {
    if (some.length === 0) return;
    failures ??= await open(files.failed, 'w', 0o600);
    const lines = some.map(({ row, reason }) =>
      JSON.stringify({ row: batch.first + row, reason, input: rowOf(batch, row) }),
    );
    await failures.appendFile(`${lines.join('\n')}\n`);
    failed += some.length;
  }

  return {
    get rows() {
      return rows;
    },
    get failed() {
      return failed;
    },
    async write(scored) {
      await writeScored(scored);
      await writeFailed(scored);
    },
    async close() {
      await sink?.close();
      if (!failures) return;
      await failures.close();
      await makeDurable(files.failed);
    },
  };
}

/** What the output has as columns: those of the input that were asked for, then those of the model. */
export function makeOutputColumns(
  kept: readonly ColumnHead[],
  answered: readonly ColumnHead[],
): ColumnHead[] {
  const taken = new Set(kept.map(({ name }) => name));
  const own = answered.map(({ name, type, width }) => ({
    name: freeName(name, taken),
    type,
    ...(width !== undefined && { width }),
  }));
  return [...kept, ...own];
}

/** The rows that were scored, as the output has them. `kept`: as `createPartWriter` takes it. */
export function makeOutputRows(
  { batch, rows, columns = [] }: Scored,
  heads: readonly ColumnHead[],
  kept: number,
): RowBatch {
  const own = rows ? pickRows(batch, rows) : batch;
  const all = [...own.columns.slice(kept), ...columns];
  return { first: own.first, length: own.length, columns: nameColumns(all, heads) };
}

/** The same columns under the names of the output. */
function nameColumns(columns: readonly Column[], heads: readonly ColumnHead[]): Column[] {
  return heads.flatMap(({ name }, index) => {
    const column = columns[index];
    return column ? [Object.assign({}, column, { name })] : [];
  });
}

/** What the model says of a column that the input has, too, and that stands beside it. */
function freeName(name: string, taken: ReadonlySet<string>): string {
  let free = name;
  while (taken.has(free)) free = `predicted_${free}`;
  return free;
}
