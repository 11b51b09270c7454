import type { Inspection, TensorInfo } from '#domain/records.ts';
import { Fault } from '#lib/fault.ts';
import { DATATYPE_NAMES } from '#functions/protocol/datatypes.ts';
import type { GraphProto, ModelProto, TypeProto, ValueInfoProto } from './proto.ts';
import { ELEMENT_TYPES } from './types.ts';

/** What an ONNX file says about itself. */

/** Metadata of strangers: enough for what people write there, too little to do harm. */
const MAX_PROPERTIES = 64;
const MAX_PROPERTY_LENGTH = 1024;

export interface Description {
  readonly inputs: readonly Described[];
  readonly outputs: readonly Described[];
  readonly properties: Inspection['properties'];
}

/** Without what the file leaves open: the runtime infers it. */
export interface Described extends Pick<TensorInfo, 'name'> {
  readonly datatype: string | undefined;
  readonly shape: number[] | undefined;
}

/** Throws Fault `invalid` that names every input and output which V2 cannot carry. */
export function describeModel(model: ModelProto, graph: GraphProto): Description {
  const weights = new Set([
    ...graph.initializer.map((tensor) => tensor.name),
    ...graph.sparseInitializer.map((sparse) => sparse.values?.name ?? ''),
  ]);
  const inputs = graph.input.filter((input) => !weights.has(input.name));
  const problems = [
    ...inputs.flatMap((input) => problemOf('input', input)),
    ...graph.output.flatMap((output) => problemOf('output', output)),
  ];
  if (problems.length > 0) {
    throw new Fault(
      'invalid',
      `${problems.join('; ')}; what can be sent are tensors of ${DATATYPE_NAMES}`,
    );
  }
  return {
    inputs: inputs.map(describeValue),
    outputs: graph.output.map(describeValue),
    properties: propertiesOf(model, [...inputs, ...graph.output]),
  };
}

function problemOf(kind: 'input' | 'output', value: ValueInfoProto): string[] {
  const tensor = value.type?.tensorType;
  if (!tensor) return value.type ? [`${kind} "${value.name}" is ${formatType(value.type)}`] : [];
  if (tensor.elemType === 0 || ELEMENT_TYPES[tensor.elemType]?.v2) return [];
  return [`${kind} "${value.name}" is ${formatType(value.type)}, which the runtime cannot take`];
}

/** `a sequence of map(int64, tensor of float)`. */
function formatType(type: TypeProto | undefined): string {
  const inner = (element: TypeProto | undefined) => formatType(element).replace(/^an? /, '');
  if (type?.tensorType) return `a tensor of ${elementName(type.tensorType.elemType)}`;
  if (type?.sequenceType) return `a sequence of ${inner(type.sequenceType.elemType)}`;
  if (type?.optionalType) return `an optional ${inner(type.optionalType.elemType)}`;
  if (type?.sparseTensorType) return 'a sparse tensor';
  if (!type?.mapType) return 'a value of unknown type';
  return `a map(${elementName(type.mapType.keyType)}, ${inner(type.mapType.valueType)})`;
}

function elementName(type: number): string {
  return ELEMENT_TYPES[type]?.onnx ?? `type ${type}`;
}

function describeValue({ name, type }: ValueInfoProto): Described {
  const tensor = type?.tensorType;
  return {
    name,
    datatype: tensor && ELEMENT_TYPES[tensor.elemType]?.v2,
    shape: tensor?.shape?.dim.map((dim) => Number(dim.dimValue) || -1),
  };
}

function propertiesOf(
  model: ModelProto,
  values: readonly ValueInfoProto[],
): Record<string, string> {
  const opsets = model.opsetImport.map(
    ({ domain, version }) => `${domain || 'ai.onnx'} ${version}`,
  );
  const own = {
    'onnx.producer': `${model.producerName} ${model.producerVersion}`.trim(),
    'onnx.opset': [...new Set(opsets)].join(', '),
    'onnx.dimensions': values.flatMap(namedDimensions).join(', '),
  };
  const entries = [
    ...Object.entries(own).filter(([, value]) => value !== ''),
    ...model.metadataProps.slice(0, MAX_PROPERTIES).map(({ key, value }) => [key, value] as const),
  ];
  return Object.fromEntries(
    entries.map(([key, value]) => [
      key.slice(0, MAX_PROPERTY_LENGTH),
      value.slice(0, MAX_PROPERTY_LENGTH),
    ]),
  );
}

/** `image [batch,64]`, for those whose dynamic dimensions have names. */
function namedDimensions({ name, type }: ValueInfoProto): string[] {
  const dims = type?.tensorType?.shape?.dim ?? [];
  if (!dims.some((dim) => dim.dimParam)) return [];
  return [`${name} [${dims.map((dim) => dim.dimParam || Number(dim.dimValue) || '?').join(',')}]`];
}
