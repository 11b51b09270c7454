import { Fault } from '#lib/fault.ts';
import { DATATYPES, type Datatype, type TensorData, isTexts } from './datatypes.ts';

/**
 * The binary tensor data extension of V2: little-endian elements in row-major order; each BYTES element is
 * its length in four bytes and then its bytes. Every machine that Node runs on here is little-endian.
 */

const LENGTH_BYTES = 4;
const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Copies, because the bytes of a request may lie unaligned. `where` names the tensor. */
export function dataOfBytes(
  datatype: Datatype,
  bytes: Uint8Array,
  count: number,
  where: string,
): TensorData {
  const type = DATATYPES[datatype];
  if (type.kind === 'text') return textsOfBytes(bytes, count, where);
  if (bytes.length !== count * type.bytes) {
    throw new Fault(
      'bad_request',
      `${where}: found ${bytes.length} bytes, expected ${count * type.bytes} for ${count} × ${datatype}`,
    );
  }
  const data = type.make(count);
  new Uint8Array(data.buffer).set(bytes);
  if (type.kind === 'bool') checkBooleans(bytes, where);
  return data;
}

function checkBooleans(data: Uint8Array, where: string): void {
  const index = data.findIndex((value) => value > 1);
  if (index === -1) return;
  throw new Fault(
    'bad_request',
    `${where}[${index}]: found byte ${data[index]}, expected BOOL, 0 or 1`,
  );
}

function textsOfBytes(bytes: Uint8Array, count: number, where: string): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: string[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + LENGTH_BYTES > bytes.length) throw cutOff(where, texts.length);
    const end = at + LENGTH_BYTES + view.getUint32(at, true);
    if (end > bytes.length) throw cutOff(where, texts.length);
    texts.push(textOf(bytes.subarray(at + LENGTH_BYTES, end), `${where}[${texts.length}]`));
    at = end;
  }
  if (texts.length !== count) {
    throw new Fault(
      'bad_request',
      `${where}: found ${texts.length} BYTES elements, expected ${count}`,
    );
  }
  return texts;
}

function cutOff(where: string, index: number): Fault {
  return new Fault(
    'bad_request',
    `${where}[${index}]: the binary data ends inside this BYTES element; expected its length in four bytes, then its bytes`,
  );
}

function textOf(bytes: Uint8Array, where: string): string {
  try {
    return strictText.decode(bytes);
  } catch {
    throw new Fault('bad_request', `${where}: found bytes that are no UTF-8, expected text`);
  }
}

export function bytesOfData(data: TensorData): Uint8Array {
  if (!isTexts(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return Buffer.concat(
    data.flatMap((text) => {
      const bytes = Buffer.from(text);
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt32LE(bytes.length);
      return [length, bytes];
    }),
  );
}
