import { Fault } from '#lib/fault.ts';
import { createTraceBuilder, type Trace, type TraceModel } from './trace.ts';

/**
 * One row per request: `timestamp,model,duration[,cold_cost][,memory]`, columns in any order. Timestamps are
 * seconds or milliseconds since the epoch, or ISO 8601; durations and costs are seconds, memory is bytes. Cost and memory
 * of a model are those of its first row that has them.
 */

const NEEDED = ['timestamp', 'model', 'duration'] as const;
const SECOND_MS = 1000;
/** Seconds since the epoch stay below this for 3,000 years; milliseconds have been above it since 1973. */
const MILLISECONDS_FROM = 1e11;

export function isRequestLog(header: string): boolean {
  const names = header.split(',');
  return NEEDED.every((name) => names.includes(name));
}

export async function readRequestLog(lines: AsyncIterable<string>, header: string): Promise<Trace> {
  const names = header.split(',');
  const [at, model, duration] = NEEDED.map((name) => names.indexOf(name));
  const [cost, memory] = ['cold_cost', 'memory'].map((name) => names.indexOf(name));
  const builder = createTraceBuilder();
  const indices = new Map<string, number>();
  const found: { name: string; coldCost?: number; memory?: number }[] = [];
  let row = 1;
  for await (const line of lines) {
    row++;
    const cells = line.split(',');
    const name = cells[model!];
    if (!name) throw new Fault('invalid', `row ${row}: no model`);
    let index = indices.get(name);
    if (index === undefined) {
      index = found.push({ name }) - 1;
      indices.set(name, index);
    }
    const one = found[index]!;
    one.coldCost ??= positive(cells[cost!], 'cold_cost', row);
    one.memory ??= positive(cells[memory!], 'memory', row);
    const arrival = timeOf(cells[at!], row);
    const lasted = positive(cells[duration!], 'duration', row) ?? 0;
    builder.add(index, arrival, arrival + lasted * SECOND_MS);
  }
  const trace = builder.finish(found.map(modelOf), SECOND_MS);
  return found.some((one) => one.memory) ? { ...trace, bytesPerUnit: 1 } : trace;
}

function modelOf({ name, coldCost, memory }: Partial<TraceModel> & { name: string }): TraceModel {
  return { name, coldCost: coldCost || 1, memory: memory || 1 };
}

/** Undefined: the cell is empty, or there is no such column. */
function positive(cell: string | undefined, name: string, row: number): number | undefined {
  if (cell === undefined || cell === '') return undefined;
  const value = Number(cell);
  if (value >= 0 && Number.isFinite(value)) return value;
  throw new Fault(
    'invalid',
    `row ${row}: ${name} ${JSON.stringify(cell.slice(0, 40))}, expected a number from 0`,
  );
}

function timeOf(cell: string | undefined, row: number): number {
  const number = Number(cell);
  const time = Number.isNaN(number)
    ? Date.parse(cell ?? '')
    : number >= MILLISECONDS_FROM
      ? number
      : number * SECOND_MS;
  if (cell && Number.isFinite(time)) return time;
  const found = JSON.stringify((cell ?? '').slice(0, 40));
  throw new Fault(
    'invalid',
    `row ${row}: timestamp ${found}, expected seconds, milliseconds or ISO 8601`,
  );
}
