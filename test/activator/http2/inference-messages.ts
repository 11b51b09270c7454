import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** Messages of `inference.GRPCInferenceService` as a client writes and reads them. */

export interface Input {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  /** Of InferTensorContents: the field, and its values. */
  readonly contents?: (writer: BinaryWriter) => void;
}

export function inferRequest(request: {
  model?: string;
  version?: string;
  id?: string;
  inputs?: readonly Input[];
  outputs?: readonly string[];
  raw?: readonly Uint8Array[];
}): Buffer {
  const writer = new BinaryWriter();
  const text = (field: number, value = ''): void => {
    if (value !== '') writer.tag(field, WireType.LengthDelimited).string(value);
  };
  text(1, request.model);
  text(2, request.version);
  text(3, request.id);
  for (const { name, datatype, shape, contents } of request.inputs ?? []) {
    writer.tag(5, WireType.LengthDelimited).fork();
    text(1, name);
    text(2, datatype);
    for (const size of shape) writer.tag(3, WireType.Varint).int64(size);
    if (contents) {
      writer.tag(5, WireType.LengthDelimited).fork();
      contents(writer);
      writer.join();
    }
    writer.join();
  }
  for (const name of request.outputs ?? []) {
    writer.tag(6, WireType.LengthDelimited).fork();
    text(1, name);
    writer.join();
  }
  for (const bytes of request.raw ?? []) writer.tag(7, WireType.LengthDelimited).bytes(bytes);
  return Buffer.from(writer.finish());
}

/** Name and version: a ModelReadyRequest, a ModelMetadataRequest. */
export function modelRequest(name: string, version = ''): Buffer {
  const writer = new BinaryWriter().tag(1, WireType.LengthDelimited).string(name);
  if (version !== '') writer.tag(2, WireType.LengthDelimited).string(version);
  return Buffer.from(writer.finish());
}

/** Every field of a message: numbers, and bytes as they are. */
export function fieldsOf(bytes: Uint8Array): [field: number, value: Uint8Array | number][] {
  const fields: [number, Uint8Array | number][] = [];
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    fields.push([field, wire === WireType.Varint ? Number(reader.int64()) : reader.bytes()]);
  }
  return fields;
}

export interface InferResponse {
  readonly model: string;
  readonly version: string;
  readonly id: string;
  readonly outputs: readonly { name: string; datatype: string; shape: readonly number[] }[];
  readonly raw: readonly Buffer[];
}

export function parseInferResponse(bytes: Uint8Array): InferResponse {
  const fields = fieldsOf(bytes);
  const text = (all: typeof fields, wanted: number): string =>
    String(Buffer.from((all.find(([field]) => field === wanted)?.[1] ?? '') as Uint8Array));
  const all = (wanted: number): Uint8Array[] =>
    fields.flatMap(([field, value]) =>
      field === wanted && typeof value !== 'number' ? [value] : [],
    );
  return {
    model: text(fields, 1),
    version: text(fields, 2),
    id: text(fields, 3),
    outputs: all(5).map((tensor) => {
      const own = fieldsOf(tensor);
      const packed = own.find(([field]) => field === 3)?.[1];
      const reader = new BinaryReader(packed instanceof Uint8Array ? packed : new Uint8Array());
      const shape: number[] = [];
      while (reader.pos < reader.len) shape.push(Number(reader.int64()));
      return { name: text(own, 1), datatype: text(own, 2), shape };
    }),
    raw: all(6).map((each) => Buffer.from(each)),
  };
}
