import { openDatabaseSink } from './duckdb/sink.ts';
import type { OutputSpec, RowSink } from './rows.ts';

/** A part of the output, in its format but not compressed. `part`: an absolute path; what is there is replaced. */
export async function openSink(
  part: string,
  { format, columns }: Pick<OutputSpec, 'format' | 'columns'>,
): Promise<RowSink> {
  if (format !== 'arrow') return await openDatabaseSink(part, format, columns);
  const { openArrowSink } = await import('./arrow/sink.ts');
  return await openArrowSink(part, columns);
}
