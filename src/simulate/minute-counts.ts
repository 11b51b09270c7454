import { Fault } from '#lib/fault.ts';
import { createTraceBuilder, type Trace } from './trace.ts';

/**
 * Per-minute counts in the layout of the Azure Functions trace of 2019: one row per function, one column per
 * minute of the day, named `1` or `minute_1`. A minute with invocations is one arrival at its beginning: when in
 * the minute they came is not known, and after the first the others find the model loaded.
 */

const MINUTE_MS = 60_000;
const MB = 2 ** 20;
const MINUTE_COLUMN = /^(?:minute_)?(\d+)$/;
const ID_COLUMNS = ['HashOwner', 'HashApp', 'HashFunction'];

export function isMinuteCounts(header: string): boolean {
  return header.split(',').includes('HashFunction');
}

export async function readMinuteCounts(
  lines: AsyncIterable<string>,
  header: string,
  memoryOf: ReadonlyMap<string, number>,
): Promise<Trace> {
  const columns = header.split(',');
  const first = columns.findIndex((name) => MINUTE_COLUMN.test(name));
  if (first < 0) throw new Fault('invalid', 'no column of a minute, such as 1 or minute_1');
  const begin = (Number(MINUTE_COLUMN.exec(columns[first]!)?.[1]) - 1) * MINUTE_MS;
  const ids = ID_COLUMNS.map((name) => columns.indexOf(name)).filter((index) => index >= 0);
  const function_ = columns.indexOf('HashFunction');
  const builder = createTraceBuilder();
  const models = [];
  for await (const line of lines) {
    const cells = line.split(',');
    if (cells.length !== columns.length) {
      const where = `row ${models.length + 2}: ${cells.length} columns`;
      throw new Fault('invalid', `${where}, expected ${columns.length} as in the first`);
    }
    for (let column = first; column < cells.length; column++) {
      const at = begin + (column - first) * MINUTE_MS;
      if (countOf(cells[column]!, models.length) > 0) builder.add(models.length, at, at);
    }
    const memory = memoryOf.get(cells[function_]!) ?? 1;
    models.push({ name: ids.map((index) => cells[index]).join('/'), memory, coldCost: 1 });
  }
  const to = begin + (columns.length - first) * MINUTE_MS;
  const trace = builder.finish(models, MINUTE_MS, { from: begin, to });
  return memoryOf.size === 0 ? trace : { ...trace, bytesPerUnit: MB };
}

function countOf(cell: string, row: number): number {
  const count = Number(cell);
  if (cell !== '' && count >= 0) return count;
  throw new Fault('invalid', `row ${row + 2}: ${JSON.stringify(cell.slice(0, 40))} is no count`);
}

/** The companion file of the trace: memory in MB by function. */
export async function readMemory(
  lines: AsyncIterable<string>,
): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  let at: { id: number; memory: number } | undefined;
  for await (const line of lines) {
    const cells = line.split(',');
    if (at === undefined) {
      at = { id: cells.indexOf('HashFunction'), memory: cells.indexOf('AverageAllocatedMb') };
      if (at.id < 0 || at.memory < 0) {
        throw new Fault('invalid', 'a memory file has columns HashFunction and AverageAllocatedMb');
      }
      continue;
    }
    const memory = Number(cells[at.memory]);
    if (memory > 0) found.set(cells[at.id]!, memory);
  }
  return found;
}
