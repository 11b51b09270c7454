import { access } from 'node:fs/promises';
import type { BatchSpec } from '#domain/job.ts';
import type { RunOrder } from '#domain/job-run.ts';
import type { TensorInfo } from '#domain/records.ts';
import { codeOf, Fault } from '#lib/fault.ts';
import { checkOutput } from '../rows/assemble.ts';
import { checkFree, fileFault } from '../rows/durable.ts';
import { encodingOf } from '../rows/formats.ts';
import { type ColumnMap, mapColumns } from '../rows/map.ts';
import { expectedName, refusal } from '../rows/readings.ts';
import { openRows } from '../rows/open-rows.ts';
import type { ColumnHead, OpenInput, OutputSpec, RowSource } from '../rows/rows.ts';
import { makeOutputColumns } from './output.ts';
import { checkPaths, finalPaths, unfinishedPaths } from './paths.ts';

/** How a job reads its rows, and what it does with the columns. */
export interface Plan {
  readonly spec: BatchSpec;
  readonly source: OpenInput;
  readonly map: ColumnMap;
  /** Columns of the input that stand in the output; they are read behind those of the map. */
  readonly kept: readonly ColumnHead[];
  readonly output: Omit<OutputSpec, 'columns'>;
}

/** Fetched at most of an address. */
const MOST_FETCHED = 256 * 2 ** 30;

/** Opens the input. Throws a Fault that says what is wrong with the input, the columns or the output. */
export async function openPlan({ spec, model, folder, bounds }: RunOrder): Promise<Plan> {
  await checkPaths(spec, bounds);
  const { path, replace } = spec.output;
  const output = { path, replace, ...encodingOf(path, spec.output.format) };
  const { location, format } = spec.input;
  const source = await openRows({
    location,
    ...(format && { format }),
    folder,
    fetch: { maxBytes: MOST_FETCHED, privateHosts: false },
  });
  try {
    const kept = spec.output.columns.map((name) => findColumn(source.columns, name));
    const inputs = model.inputs.length > 0 ? model.inputs : guessInputs(source.columns, spec.map);
    const said = new Map(Object.entries(spec.map ?? {}));
    const map = mapColumns(source.columns, inputs, said, spec.output.columns);
    checkFixed(map);
    return { spec, source, map, kept, output };
  } catch (error) {
    await source.close();
    throw error;
  }
}

function findColumn(columns: readonly ColumnHead[], name: string): ColumnHead {
  const found = columns.find((column) => column.name === name);
  if (found) return found;
  const expected = expectedName(name, columns);
  throw refusal([{ key: 'output.columns', value: `no column "${name}"`, expected }]);
}

/** A model that says nothing of its inputs gets the columns under their own names, or those that were said. */
function guessInputs(columns: readonly ColumnHead[], map: BatchSpec['map']): TensorInfo[] {
  if (!map) {
    return columns.map(({ name, type, width }) => ({
      name,
      datatype: type,
      shape: width === undefined ? [-1] : [-1, width],
    }));
  }
  return Object.entries(map).map(([name, said]) => {
    const first = columns.find((column) => column.name === said[0]);
    const isOne = said.length === 1 && !said[0]?.includes('*') && first?.width === undefined;
    return { name, datatype: first?.type ?? 'FP32', shape: isOne ? [-1] : [-1, -1] };
  });
}

/** The last rows of an input seldom are as many as a model may want. */
function checkFixed({ rows }: ColumnMap): void {
  if (rows === undefined || rows === 1) return;
  throw new Fault(
    'invalid',
    `the model takes ${rows} rows at a time, neither more nor less; expected one that takes any number, or 1`,
  );
}

/** Before anything is done: later a file that is there may be the job's own. */
export async function checkFresh(plan: Plan, order: RunOrder): Promise<void> {
  const { spec, kept, output } = plan;
  const answered = order.model.outputs.map(({ name }) => ({ name, type: 'FP32' as const }));
  const columns = makeOutputColumns(kept, answered);
  await checkOutput({ ...output, columns });
  await checkFree(finalPaths(spec).failed, spec.output.replace);
  for (const path of unfinishedPaths(spec, order.id)) {
    await access(path).catch((error: unknown) => {
      if (codeOf(error) === 'ENAMETOOLONG') throw fileFault(error, output.path);
    });
  }
}

/** After the last row was read: in place of one that was changed meanwhile rows of both may have been read. */
export async function checkUnchanged(source: OpenInput): Promise<void> {
  if (await source.isUnchanged()) return;
  throw new Fault(
    'conflict',
    'the input was changed while it was read: begin again with one that stays',
  );
}

/** The input as it was when the job began, or a Fault: rows are counted, and would be others now. */
export function checkVersion(source: RowSource, before: string | undefined): void {
  if (before === undefined || before === source.version) return;
  throw new Fault(
    'conflict',
    'the input has been changed since the job began: its rows are others',
  );
}
