import type { TensorInfo } from '#domain/records.ts';
import { Fault } from '#lib/fault.ts';
import { checkInputs, checkOutputs } from '#functions/protocol/check.ts';
import { isDatatype } from '#functions/protocol/datatypes.ts';
import { isRecord, isTypedArray, plainList, shorten } from '#functions/protocol/json.ts';
import type { Servable } from '#functions/protocol/servable.ts';
import { columnsOf, rowsOf } from '#functions/protocol/v1.ts';
import type { UserModel } from './module.ts';
import { FUNCTION_PLATFORM } from './platform.ts';
import { argumentOf, tensorOfResult } from './values.ts';

/** A user's `predict(inputs)` as V2 and V1. Inputs and results are plain objects: a value for each name. */
export function makeServable(model: UserModel): Servable {
  const inputs = parseInfos(model.inputs, 'inputs');
  const outputs = parseInfos(model.outputs, 'outputs');
  return {
    engine: { name: 'node', version: process.versions.node },
    metadata: { platform: FUNCTION_PLATFORM, inputs, outputs, properties: {} },
    async infer(tensors, wanted) {
      if (inputs.length > 0) checkInputs(tensors, inputs);
      if (outputs.length > 0) checkOutputs(wanted, outputs);
      const given = tensors.map((tensor) => [tensor.name, argumentOf(tensor)]);
      const result = columnsOfResult(await call(model, Object.fromEntries(given)), outputs);
      const names = wanted ?? Object.keys(result);
      return names.map((name) => {
        if (Object.hasOwn(result, name)) return tensorOfResult(name, result[name], outputs);
        const found = Object.keys(result).join(', ');
        throw new Fault('bad_request', `output "${name}" is unknown, expected one of ${found}`);
      });
    },
    async predict(instances) {
      const names = inputs.map((info) => info.name);
      const result = await call(model, { ...columnsOf(instances, names) });
      return predictionsOf(columnsOfResult(result, outputs), instances.length);
    },
  };
}

/** An error with a `status` from 400 to 499 tells the caller what was wrong; any other is the model's own. */
async function call(model: UserModel, inputs: Record<string, unknown>): Promise<unknown> {
  try {
    return await model.predict(inputs);
  } catch (error) {
    if (!(error instanceof Error) || !('status' in error)) throw error;
    if (!(Number(error.status) >= 400 && Number(error.status) <= 499)) throw error;
    throw new Fault('bad_request', error.message, { cause: error });
  }
}

/** An object has a value for each output; anything else is the value of the only one. */
function columnsOfResult(
  result: unknown,
  declared: readonly TensorInfo[],
): Record<string, unknown> {
  if (isRecord(result) && !isTypedArray(result)) return result;
  return { [declared[0]?.name ?? 'output']: result };
}

function predictionsOf(result: Record<string, unknown>, rows: number): readonly unknown[] {
  const columns = Object.entries(result).map(([name, value]) => {
    const column = plainList(value);
    if (Array.isArray(column) && column.length === rows) return [name, column] as const;
    const found = Array.isArray(column) ? `${column.length} values` : shorten(column);
    throw new Fault(
      'internal',
      `predict returned ${found} as "${name}", expected a value for each of ${rows} instances`,
    );
  });
  return rowsOf(Object.fromEntries(columns), rows);
}

function parseInfos(infos: unknown, what: string): TensorInfo[] {
  if (infos === undefined) return [];
  if (!Array.isArray(infos)) throw badInfo(what, infos);
  return infos.map((info: unknown, index) => {
    if (!isTensorInfo(info)) throw badInfo(`${what}[${index}]`, info);
    const { name, datatype, shape, labels } = info;
    return { name, datatype, shape, ...(labels && { labels }) };
  });
}

function isTensorInfo(info: unknown): info is TensorInfo {
  if (!isRecord(info) || typeof info['name'] !== 'string' || !isDatatype(info['datatype'])) {
    return false;
  }
  const { shape, labels = [] } = info;
  if (!Array.isArray(labels) || !labels.every(isLabel)) return false;
  return Array.isArray(shape) && shape.every((size) => Number.isInteger(size) && size >= -1);
}

function isLabel(label: unknown): boolean {
  return typeof label === 'string' || Number.isFinite(label);
}

function badInfo(where: string, found: unknown): Fault {
  const expected = '{ name: "text", datatype: "BYTES", shape: [-1] }';
  return new Fault(
    'invalid',
    `${where}: found ${shorten(found)}, expected a tensor, as ${expected}`,
  );
}
