import { Fault } from '#lib/fault.ts';
import type { TensorInfo } from '#domain/records.ts';
import { isDatatype } from './datatypes.ts';
import { isRecord, parseJson, shorten } from './json.ts';
import { flatten, nest, shapeOf } from './nest.ts';
import type { Tensor } from './tensor.ts';
import { dataOfValues, valuesOfData } from './values.ts';

/**
 * V1 speaks in rows (`instances`, `predictions`), models in columns (tensors). A row is a value when the model
 * has one input, an object with a value for each input otherwise.
 */

export type Columns = Readonly<Record<string, readonly unknown[]>>;

export function parseInstances(body: Buffer): readonly unknown[] {
  const head = parseJson(body.toString(), 'the request');
  const instances = isRecord(head) ? head['instances'] : head;
  if (!isRecord(head) || !Array.isArray(instances)) {
    throw bad(`instances: found ${shorten(instances)}, expected {"instances": [row, row, …]}`);
  }
  if (instances.length === 0)
    throw bad('instances: found an empty list, expected at least one row');
  return instances;
}

/** Rows as columns. `names`: the inputs that the model declares; empty: those that the rows name. */
export function columnsOf(instances: readonly unknown[], names: readonly string[]): Columns {
  const [single] = names;
  if (names.length === 1 && single !== undefined && !isNamedRow(instances[0], single)) {
    return { [single]: instances };
  }
  const [first] = instances;
  if (names.length === 0 && !isRecord(first)) return { instances };
  const keys = names.length > 0 || !isRecord(first) ? names : Object.keys(first);
  const rows = instances.map((row, index) => checkRow(row, index, keys));
  return Object.fromEntries(keys.map((key) => [key, rows.map((row) => row[key])]));
}

function isNamedRow(row: unknown, name: string): boolean {
  return isRecord(row) && Object.hasOwn(row, name);
}

function checkRow(row: unknown, index: number, keys: readonly string[]): Record<string, unknown> {
  const expected = `an object with ${keys.join(', ')}`;
  if (!isRecord(row)) throw bad(`instances[${index}]: found ${shorten(row)}, expected ${expected}`);
  const missing = keys.find((key) => !Object.hasOwn(row, key));
  if (missing !== undefined) {
    throw bad(`instances[${index}]: "${missing}" is missing, expected ${expected}`);
  }
  const stranger = Object.keys(row).find((key) => !keys.includes(key));
  if (stranger !== undefined) {
    throw bad(`instances[${index}]: "${stranger}" is unknown, expected ${expected}`);
  }
  return row;
}

/** A column of rows as the tensor that the model declares. */
export function tensorOfColumn(info: TensorInfo, rows: readonly unknown[]): Tensor {
  const where = `input "${info.name}"`;
  if (!isDatatype(info.datatype)) throw new Fault('internal', `${where} is ${info.datatype}`);
  const { name, datatype } = info;
  if (isColumnVector(info.shape) && !Array.isArray(rows[0])) {
    return { name, datatype, shape: [rows.length, 1], data: dataOfValues(datatype, rows, where) };
  }
  const shape = shapeOf(rows, where);
  const values = flatten(rows, shape, where);
  return { name, datatype, shape, data: dataOfValues(datatype, values, where) };
}

/** `[-1,1]`: what scikit-learn's converters declare for a column; a plain value is natural there. */
function isColumnVector(shape: readonly number[]): boolean {
  return shape.length === 2 && shape[1] === 1;
}

/** The values of a tensor, nested, one element for each row. */
export function columnOfTensor(tensor: Tensor, rows: number): readonly unknown[] {
  const column = nest(valuesOfData(tensor.datatype, tensor.data), tensor.shape);
  if (Array.isArray(column) && column.length === rows) return column;
  throw bad(
    `output "${tensor.name}" has shape [${tensor.shape.join(',')}], which is not a row for each of ${rows} instances: ask with V2`,
  );
}

/** Columns as rows: values when there is one column, objects otherwise. */
export function rowsOf(columns: Columns, rows: number): readonly unknown[] {
  const entries = Object.entries(columns);
  const [first] = entries;
  if (entries.length === 1 && first) return first[1];
  return Array.from({ length: rows }, (_, row) =>
    Object.fromEntries(entries.map(([name, column]) => [name, column[row]])),
  );
}

function bad(message: string): Fault {
  return new Fault('bad_request', message);
}
