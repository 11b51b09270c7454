import { readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { InspectionLine } from '#domain/launch.ts';
import type { TensorInfo } from '#domain/records.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import { type Described, describeModel } from './describe.ts';
import { type GraphProto, type ModelProto, formatModelProto, parseModelProto } from './proto.ts';
import { type Session, createSession } from './session.ts';
import { ONNX_PLATFORM } from './types.ts';
import { removeZipMaps } from './zipmap.ts';

/** A protocol buffer ends at 2 GiB. Larger models keep their weights in other files, which we do not take. */
const MAX_MODEL_BYTES = 2 ** 31 - 1;

export async function inspectOnnx(source: string, outputFolder: string): Promise<InspectionLine> {
  const { model, graph } = parse(await read(source), basename(source));
  const labels = removeZipMaps(graph);
  const { inputs, outputs, properties } = describeModel(model, graph);
  let served: string | undefined;
  if (labels.size > 0) {
    served = join(outputFolder, basename(source));
    await writeFile(served, formatModelProto(model), { mode: 0o600 });
  }
  // The runtime has the last word on what it can run, and infers what the file leaves open.
  const session = await createSession(served ?? source);
  const complete = (value: Described, found: Session['inputs']): TensorInfo => {
    const names = labels.get(value.name);
    return { ...completed(value, found), ...(names?.length && { labels: names }) };
  };
  return {
    inspection: {
      platform: ONNX_PLATFORM,
      inputs: inputs.map((value) => complete(value, session.inputs)),
      outputs: outputs.map((value) => complete(value, session.outputs)),
      properties,
    },
    ...(served !== undefined && { served }),
  };
}

async function read(source: string): Promise<Uint8Array> {
  const name = basename(source);
  const found = await stat(source).catch((error: unknown) => {
    throw new Fault('invalid', `${name} cannot be read: ${messageOf(error)}`);
  });
  if (!found.isFile()) throw new Fault('invalid', `${name} is no file, expected an .onnx file`);
  if (found.size === 0) throw new Fault('invalid', `${name} is empty, expected an ONNX model`);
  if (found.size <= MAX_MODEL_BYTES) return readFile(source);
  throw new Fault('invalid', `${name} has ${found.size} bytes; an ONNX file has at most 2 GiB`);
}

function parse(bytes: Uint8Array, name: string): { model: ModelProto; graph: GraphProto } {
  const model = tryParse(bytes, name);
  const { graph } = model;
  if (!graph || model.opsetImport.length === 0) {
    throw new Fault('invalid', `${name} is no ONNX model: it holds no graph or no opset`);
  }
  const external = graph.initializer.find((tensor) => tensor.dataLocation === 1);
  if (!external) return { model, graph };
  const file = external.externalData.find(({ key }) => key === 'location')?.value;
  throw new Fault(
    'invalid',
    `${name} keeps weights in another file (${file ?? 'unnamed'}); save the model as one file`,
  );
}

function tryParse(bytes: Uint8Array, name: string): ModelProto {
  try {
    return parseModelProto(bytes);
  } catch (error) {
    const reason = messageOf(error);
    throw new Fault('invalid', `${name} is no ONNX model, or not all of it: ${reason}`);
  }
}

/** A tensor of unknown rank shows as `[-1]`. */
function completed(value: Described, session: Session['inputs']): TensorInfo {
  const found = session.find((tensor) => tensor.name === value.name);
  const datatype = value.datatype ?? found?.datatype;
  if (datatype === undefined) {
    throw new Fault('invalid', `"${value.name}" has no type in the file, and none can be inferred`);
  }
  const inferred = found && found.shape.length > 0 ? found.shape : [-1];
  return { name: value.name, datatype, shape: value.shape ?? inferred };
}
