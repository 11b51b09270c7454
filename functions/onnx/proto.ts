import {
  type DescMessage,
  type FileRegistry,
  type Message,
  create,
  createFileRegistry,
  fromBinary,
  toBinary,
} from '@bufbuild/protobuf';
import {
  FieldDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FileDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt';

/**
 * The part of ONNX's protocol buffers that we read or change. What is not listed here passes through as
 * unknown fields, weights included, byte for byte.
 */

export interface ModelProto extends Message {
  producerName: string;
  producerVersion: string;
  graph?: GraphProto;
  opsetImport: { domain: string; version: bigint }[];
  metadataProps: { key: string; value: string }[];
}

export interface GraphProto {
  node: NodeProto[];
  initializer: TensorProto[];
  sparseInitializer: { values?: TensorProto }[];
  input: ValueInfoProto[];
  output: ValueInfoProto[];
}

export interface NodeProto {
  input: string[];
  output: string[];
  opType: string;
  domain: string;
  attribute: AttributeProto[];
}

export interface AttributeProto {
  name: string;
  ints: bigint[];
  strings: Uint8Array[];
}

export interface TensorProto {
  name: string;
  externalData: { key: string; value: string }[];
  /** 1: the values are in another file. */
  dataLocation: number;
}

export interface ValueInfoProto {
  name: string;
  type?: TypeProto;
}

export interface TypeProto extends Message {
  tensorType?: { elemType: number; shape?: { dim: DimensionProto[] } };
  sequenceType?: { elemType?: TypeProto };
  mapType?: { keyType: number; valueType?: TypeProto };
  sparseTensorType?: object;
  optionalType?: { elemType?: TypeProto };
}

export interface DimensionProto {
  /** 0 when it is not given, as a size of 0 is no size that a model declares. */
  dimValue: bigint;
  dimParam: string;
}

/** Fields as `number: name type`; a type in capitals is a message, `*` makes it a list. */
const MESSAGES: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  Model: {
    2: 'producer_name string',
    3: 'producer_version string',
    7: 'graph Graph',
    8: 'opset_import Opset*',
    14: 'metadata_props Entry*',
  },
  Opset: { 1: 'domain string', 2: 'version int64' },
  Entry: { 1: 'key string', 2: 'value string' },
  Graph: {
    1: 'node Node*',
    5: 'initializer Tensor*',
    11: 'input ValueInfo*',
    12: 'output ValueInfo*',
    15: 'sparse_initializer SparseTensor*',
  },
  Node: {
    1: 'input string*',
    2: 'output string*',
    4: 'op_type string',
    5: 'attribute Attribute*',
    7: 'domain string',
  },
  Attribute: { 1: 'name string', 8: 'ints int64*', 9: 'strings bytes*' },
  Tensor: { 8: 'name string', 13: 'external_data Entry*', 14: 'data_location int32' },
  SparseTensor: { 1: 'values Tensor' },
  ValueInfo: { 1: 'name string', 2: 'type Type' },
  Type: {
    1: 'tensor_type TensorType',
    4: 'sequence_type ElementType',
    5: 'map_type MapType',
    8: 'sparse_tensor_type TensorType',
    9: 'optional_type ElementType',
  },
  TensorType: { 1: 'elem_type int32', 2: 'shape Shape' },
  ElementType: { 1: 'elem_type Type' },
  MapType: { 1: 'key_type int32', 2: 'value_type Type' },
  Shape: { 1: 'dim Dimension*' },
  Dimension: { 1: 'dim_value int64', 2: 'dim_param string' },
};

const SCALARS: Readonly<Record<string, Type>> = {
  string: Type.STRING,
  bytes: Type.BYTES,
  int32: Type.INT32,
  int64: Type.INT64,
};

function makeField(number: string, text: string) {
  const [, name = '', type = '', list] = /^(\w+) (\w+)(\*?)$/.exec(text) ?? [];
  const scalar = SCALARS[type];
  return create(FieldDescriptorProtoSchema, {
    name,
    number: Number(number),
    label: list ? Label.REPEATED : Label.OPTIONAL,
    type: scalar ?? Type.MESSAGE,
    ...(scalar === undefined && { typeName: `.onnx.${type}` }),
  });
}

function describeMessages(): FileRegistry {
  const messageType = Object.entries(MESSAGES).map(([name, fields]) => ({
    name,
    field: Object.entries(fields).map(([number, text]) => makeField(number, text)),
  }));
  const file = create(FileDescriptorProtoSchema, {
    name: 'onnx.proto',
    package: 'onnx',
    syntax: 'proto2',
    messageType,
  });
  return createFileRegistry(file, () => undefined);
}

const REGISTRY = describeMessages();
const MODEL = messageNamed('onnx.Model');
const TYPE = messageNamed('onnx.Type');

function messageNamed(name: string): DescMessage {
  const message = REGISTRY.getMessage(name);
  if (!message) throw new Error(`${name} is not among the messages`);
  return message;
}

export function parseModelProto(bytes: Uint8Array): ModelProto {
  const model: Message = fromBinary(MODEL, bytes);
  if (!isModel(model)) throw new Error(`found ${model.$typeName}`);
  return model;
}

function isModel(message: Message): message is ModelProto {
  return message.$typeName === MODEL.typeName;
}

export function formatModelProto(model: ModelProto): Uint8Array {
  return toBinary(MODEL, model);
}

/** The type of a tensor; an undefined size is a dynamic dimension. */
export function makeTensorType(
  elemType: number,
  sizes: readonly (number | undefined)[],
): TypeProto {
  const dim = sizes.map((size) => (size === undefined ? {} : { dimValue: BigInt(size) }));
  return create(TYPE, { tensorType: { elemType, shape: { dim } } });
}
