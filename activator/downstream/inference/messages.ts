import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/**
 * The messages of `inference.GRPCInferenceService`, the gRPC form of the Open Inference Protocol V2
 * (https://github.com/kserve/open-inference-protocol), as far as they are used here. Read field by field, so that
 * tensors stay where they arrived: `raw` are views of the message.
 */

export type Parameter = boolean | number | string;
export type Parameters = Readonly<Record<string, Parameter>>;

export interface InferRequest {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly id: string;
  readonly parameters: Parameters;
  readonly inputs: readonly InputTensor[];
  readonly outputs: readonly { readonly name: string; readonly parameters: Parameters }[];
  readonly raw: readonly Uint8Array[];
}

export interface ModelRequest {
  readonly name: string;
  /** '': none. */
  readonly version: string;
}

export interface InputTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly parameters: Parameters;
  /** An InferTensorContents. */
  readonly contents: Uint8Array | undefined;
}

export interface TensorMetadata {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

export interface OutputTensor extends TensorMetadata {
  readonly bytes: Uint8Array;
}

/** A field takes two bytes and becomes several objects, so a message is read no further than what a model may need. */
const MAX_TENSORS = 1024;
const MAX_PARAMETERS = 256;
const MAX_DIMENSIONS = 256;
/** Of one message, whatever they are: all of the above, and names that came again. */
const MAX_FIELDS = 4096;

type Limits = ReadonlyMap<number, { readonly max: number; readonly name: string }>;
const OF_REQUEST: Limits = new Map([
  [4, { max: MAX_PARAMETERS, name: 'parameters' }],
  [5, { max: MAX_TENSORS, name: 'inputs' }],
  [6, { max: MAX_TENSORS, name: 'outputs' }],
  [7, { max: MAX_TENSORS, name: 'raw_input_contents' }],
]);
const OF_INPUT: Limits = new Map([[4, { max: MAX_PARAMETERS, name: 'parameters of an input' }]]);
const OF_OUTPUT: Limits = new Map([[2, { max: MAX_PARAMETERS, name: 'parameters of an output' }]]);

type ReadField = (field: number, reader: BinaryReader, wire: WireType) => boolean;

/**
 * Calls `read` for each field, with its number and wire type. True: it took the value; otherwise it is skipped.
 * Throws at the first field above `max`, and at a group, which these messages do not have.
 */
export function readFields(bytes: Uint8Array, read: ReadField, max = MAX_FIELDS): void {
  const reader = new BinaryReader(bytes);
  for (let count = 1; reader.pos < reader.len; count += 1) {
    refuseAbove(max, count, 'fields');
    const [field, wire] = reader.tag();
    if (wire === WireType.StartGroup) throw new RangeError(`field ${field} is a group`);
    if (!read(field, reader, wire)) reader.skip(wire, field);
  }
}

function limited(limits: Limits, read: ReadField): ReadField {
  const counts = new Map<number, number>();
  return (field, reader, wire) => {
    const limit = limits.get(field);
    if (limit) {
      const count = (counts.get(field) ?? 0) + 1;
      refuseAbove(limit.max, count, limit.name);
      counts.set(field, count);
    }
    return read(field, reader, wire);
  };
}

export function refuseAbove(max: number, count: number, name: string): void {
  if (count > max) throw new RangeError(`there are more than ${max} ${name}`);
}

/** A ModelInferRequest. Throws an Error when it is none, or has more of something than any model needs. */
export function parseInferRequest(bytes: Uint8Array): InferRequest {
  const names = { modelName: '', modelVersion: '', id: '' };
  const parameters: Record<string, Parameter> = {};
  const inputs: InputTensor[] = [];
  const outputs: { name: string; parameters: Parameters }[] = [];
  const raw: Uint8Array[] = [];
  const read: ReadField = (field, reader) => {
    if (field === 1) names.modelName = reader.string();
    else if (field === 2) names.modelVersion = reader.string();
    else if (field === 3) names.id = reader.string();
    else if (field === 4) readParameter(reader.bytes(), parameters);
    else if (field === 5) inputs.push(parseInput(reader.bytes()));
    else if (field === 6) outputs.push(parseOutput(reader.bytes()));
    else if (field === 7) raw.push(reader.bytes());
    else return false;
    return true;
  };
  readFields(bytes, limited(OF_REQUEST, read));
  return { ...names, parameters, inputs, outputs, raw };
}

function parseInput(bytes: Uint8Array): InputTensor {
  const names = { name: '', datatype: '' };
  const shape: number[] = [];
  const parameters: Record<string, Parameter> = {};
  let contents: Uint8Array | undefined;
  const readSize = (reader: BinaryReader): void => {
    refuseAbove(MAX_DIMENSIONS, shape.push(numberOf(reader.int64())), 'dimensions in a shape');
  };
  const read: ReadField = (field, reader, wire) => {
    if (field === 1) names.name = reader.string();
    else if (field === 2) names.datatype = reader.string();
    else if (field === 3) readRepeated(reader, wire, () => readSize(reader));
    else if (field === 4) readParameter(reader.bytes(), parameters);
    else if (field === 5) contents = reader.bytes();
    else return false;
    return true;
  };
  readFields(bytes, limited(OF_INPUT, read));
  return { ...names, shape, parameters, contents };
}

function parseOutput(bytes: Uint8Array): { name: string; parameters: Parameters } {
  let name = '';
  const parameters: Record<string, Parameter> = {};
  const read: ReadField = (field, reader) => {
    if (field === 1) name = reader.string();
    else if (field === 2) readParameter(reader.bytes(), parameters);
    else return false;
    return true;
  };
  readFields(bytes, limited(OF_OUTPUT, read));
  return { name, parameters };
}

/** An entry of a map from string to InferParameter. */
function readParameter(bytes: Uint8Array, into: Record<string, Parameter>): void {
  let key = '';
  let value: Parameter | undefined;
  readFields(bytes, (field, reader) => {
    if (field === 1) key = reader.string();
    else if (field === 2) value = parseParameter(reader.bytes());
    else return false;
    return true;
  });
  // Not by assignment: `__proto__` is a key like any other.
  if (value !== undefined)
    Object.defineProperty(into, key, { value, enumerable: true, writable: true });
}

function parseParameter(bytes: Uint8Array): Parameter | undefined {
  let value: Parameter | undefined;
  readFields(bytes, (field, reader) => {
    if (field === 1) value = reader.bool();
    else if (field === 2) value = numberOf(reader.int64());
    else if (field === 3) value = reader.string();
    else if (field === 4) value = reader.double();
    else if (field === 5) value = numberOf(reader.uint64());
    else return false;
    return true;
  });
  return value;
}

/** A repeated scalar, packed or one by one. */
export function readRepeated(reader: BinaryReader, wire: WireType, read: () => void): void {
  if (wire !== WireType.LengthDelimited) {
    read();
    return;
  }
  const end = reader.uint32() + reader.pos;
  if (end > reader.len) throw new RangeError('a packed field is longer than its message');
  while (reader.pos < end) read();
}

function numberOf(value: bigint | string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError(`${value} is too large`);
  return number;
}

/** What a ModelReadyRequest, a ModelMetadataRequest or a ModelInferRequest asks for: it has the same numbers in each. */
export function parseModelRequest(bytes: Uint8Array): ModelRequest {
  const request = { name: '', version: '' };
  const read: ReadField = (field, reader) => {
    if (field === 1) request.name = reader.string();
    else if (field === 2) request.version = reader.string();
    else return false;
    return true;
  };
  readFields(bytes, limited(OF_REQUEST, read));
  return request;
}

/** A ModelInferResponse, with its tensors as raw_output_contents. */
export function makeInferResponse(response: {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly id: string;
  readonly outputs: readonly OutputTensor[];
}): Uint8Array {
  const writer = new BinaryWriter();
  writeText(writer, 1, response.modelName);
  writeText(writer, 2, response.modelVersion);
  writeText(writer, 3, response.id);
  for (const output of response.outputs) writeTensor(writer, 5, output);
  for (const { bytes } of response.outputs) writer.tag(6, WireType.LengthDelimited).bytes(bytes);
  return writer.finish();
}

/** A ServerLiveResponse, ServerReadyResponse or ModelReadyResponse. */
export function makeFlagResponse(is: boolean): Uint8Array {
  return is ? new BinaryWriter().tag(1, WireType.Varint).bool(true).finish() : new Uint8Array();
}

export function makeServerMetadata(metadata: {
  readonly name: string;
  readonly version: string;
  readonly extensions: readonly string[];
}): Uint8Array {
  const writer = new BinaryWriter();
  writeText(writer, 1, metadata.name);
  writeText(writer, 2, metadata.version);
  for (const each of metadata.extensions) writeText(writer, 3, each);
  return writer.finish();
}

export function makeModelMetadata(metadata: {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
}): Uint8Array {
  const writer = new BinaryWriter();
  writeText(writer, 1, metadata.name);
  for (const version of metadata.versions) writeText(writer, 2, version);
  writeText(writer, 3, metadata.platform);
  for (const input of metadata.inputs) writeTensor(writer, 4, input);
  for (const output of metadata.outputs) writeTensor(writer, 5, output);
  return writer.finish();
}

function writeText(writer: BinaryWriter, field: number, text: string): void {
  if (text !== '') writer.tag(field, WireType.LengthDelimited).string(text);
}

/** Name, datatype and shape have the same numbers wherever a tensor is described. */
function writeTensor(writer: BinaryWriter, field: number, tensor: TensorMetadata): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  writeText(writer, 1, tensor.name);
  writeText(writer, 2, tensor.datatype);
  if (tensor.shape.length > 0) {
    writer.tag(3, WireType.LengthDelimited).fork();
    for (const size of tensor.shape) writer.int64(size);
    writer.join();
  }
  writer.join();
}
