import type { FileHandle } from 'node:fs/promises';
import { zstdDecompressSync } from 'node:zlib';
import { compressionRegistry, CompressionType } from 'apache-arrow';
import { decompressFrameSync } from 'lz4-napi';
import { codeOf, Fault } from '#lib/fault.ts';

/** What Arrow's library reads and unpacks at most: it believes the lengths that a file declares. */

/** A record batch is read as a whole, and a job has 300 MiB. */
const MAX_BATCH_BYTES = 64 * 2 ** 20;

export function refuseLarge(bytes: number): void {
  if (bytes > MAX_BATCH_BYTES) throw tooLarge(`a batch of ${bytes} bytes`);
}

function tooLarge(found: string): Fault {
  const message = `${found}; expected at most ${MAX_BATCH_BYTES}: write it in smaller ones`;
  return new Fault('too_large', message);
}

/** Four for each dictionary and batch: one that is no such message is read again and again. */
const MAX_READS = 10_000;

export interface BoundFile {
  readonly handle: FileHandle;
  /** A batch was read. */
  readonly advanced: () => void;
}

/** A file of which no more is read at once than a batch may have, and not without end. */
export function boundReads(handle: FileHandle): BoundFile {
  const read = handle.read.bind(handle);
  let reads = 0;
  Object.assign(handle, {
    async read(into: Uint8Array, at: number, length: number, position: number) {
      refuseLarge(length);
      const got = await read(into, at, length, position);
      const isEnd = got.bytesRead === 0 && length > 0;
      if (isEnd || ++reads > MAX_READS) throw new Error('there is no batch where one should be');
      return got;
    },
  });
  return { handle, advanced: () => void (reads = 0) };
}

/** How batches are unpacked whose buffers are packed, each batch to no more than one may have. */
export function setCodecs(): void {
  /** Bytes that were unpacked, of the buffers of each batch so far. */
  const unpacked = new WeakMap<ArrayBufferLike, number>();
  const bound = (unpack: (data: Uint8Array, most: number) => Uint8Array) => ({
    decode(data: Uint8Array): Uint8Array {
      const before = unpacked.get(data.buffer) ?? 0;
      const bytes = unpack(data, MAX_BATCH_BYTES - before);
      unpacked.set(data.buffer, before + bytes.length);
      return bytes;
    },
  });
  compressionRegistry.set(CompressionType.LZ4_FRAME, bound(unpackLz4));
  compressionRegistry.set(CompressionType.ZSTD, bound(unpackZstd));
}

const UNPACKED = 'a batch that is larger when it is unpacked';

function unpackZstd(data: Uint8Array, most: number): Uint8Array {
  try {
    return zstdDecompressSync(data, { maxOutputLength: Math.max(1, most) });
  } catch (error) {
    throw codeOf(error) === 'ERR_BUFFER_TOO_LARGE' ? tooLarge(UNPACKED) : error;
  }
}

function unpackLz4(data: Uint8Array, most: number): Uint8Array {
  const frame = Buffer.from(data.buffer, data.byteOffset, data.length);
  if (mostOfLz4(frame) > most) throw tooLarge(UNPACKED);
  return decompressFrameSync(frame);
}

const LZ4_MAGIC = 0x184d2204;
/** What a byte of a packed block stands for at most. */
const LZ4_RATIO = 255;

/**
 * To how many bytes a frame unpacks at most, by the lengths of its blocks:
 * https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
 */
function mostOfLz4(frame: Buffer): number {
  if (frame.length < 7 || frame.readUInt32LE() !== LZ4_MAGIC) throw new Error('no LZ4 frame');
  const [flags = 0, sizes = 0] = frame.subarray(4);
  const largest = 256 << (2 * ((sizes >> 4) & 7));
  const check = flags & 16 ? 4 : 0;
  let at = 7 + (flags & 8 ? 8 : 0) + (flags & 1 ? 4 : 0);
  let most = 0;
  while (at + 4 <= frame.length) {
    const length = frame.readUInt32LE(at);
    if (length === 0) break;
    const isPlain = length >= 2 ** 31;
    const bytes = isPlain ? length - 2 ** 31 : length;
    most += isPlain ? bytes : Math.min(largest, LZ4_RATIO * bytes);
    at += 4 + bytes + check;
  }
  return most;
}
