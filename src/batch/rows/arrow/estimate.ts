import { type FileHandle, open } from 'node:fs/promises';
import { Message, type MessageHeader } from 'apache-arrow';
import type { InputFile } from '../locate.ts';

/** Messages that are looked at, in all files together. */
const MAX_MESSAGES = 1000;
/** In place of a length: the length follows. Files from before Arrow 0.15 have it not. */
const CONTINUATION = -1;
/** What stands before the messages of a file; a stream begins with them. */
const FILE_START = 8;
/** Schemas of more than this are not looked into. */
const MAX_METADATA = 16 * 2 ** 20;

interface Head {
  readonly rows: number;
  /** Where the message behind it begins. */
  readonly next: number;
}

/**
 * About how many rows there are, by the heads of batches, which say how many each has. Exact when there are few; 0 when
 * nothing is understood.
 */
export async function estimateArrowRows(files: readonly InputFile[]): Promise<number> {
  let left = MAX_MESSAGES;
  let rows = 0;
  let seen = 0;
  for (const { path, bytes } of files) {
    if (left === 0) break;
    const handle = await open(path, 'r');
    try {
      let at = await startOf(handle);
      let head = await readHead(handle, at);
      for (; head && left > 0; left--) {
        rows += head.rows;
        at = head.next;
        head = await readHead(handle, at);
      }
      seen += head ? at : bytes;
    } finally {
      await handle.close();
    }
  }
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return seen === 0 ? 0 : Math.round((rows / seen) * bytes);
}

async function startOf(handle: FileHandle): Promise<number> {
  const magic = await readBytes(handle, 0, FILE_START);
  return magic.toString('latin1').startsWith('ARROW1') ? FILE_START : 0;
}

/** Undefined: behind the last one, or it is none. */
async function readHead(handle: FileHandle, at: number): Promise<Head | undefined> {
  const lengths = await readBytes(handle, at, 8);
  if (lengths.length < 8) return undefined;
  const isNew = lengths.readInt32LE(0) === CONTINUATION;
  const length = lengths.readInt32LE(isNew ? 4 : 0);
  if (length <= 0 || length > MAX_METADATA) return undefined;
  const from = at + (isNew ? 8 : 4);
  const message = decode(await readBytes(handle, from, length));
  if (!message) return undefined;
  const rows = message.isRecordBatch() ? message.header().length : 0;
  return { rows, next: from + length + message.bodyLength };
}

function decode(metadata: Uint8Array): Message<MessageHeader> | undefined {
  try {
    return Message.decode(metadata);
  } catch {
    // Who reads the rows says what is wrong.
    return undefined;
  }
}

async function readBytes(handle: FileHandle, at: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, at);
  return buffer.subarray(0, bytesRead);
}
