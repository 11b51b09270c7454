import { Fault } from '#lib/fault.ts';
import type { Typed } from './known.ts';

/**
 * A frame is the length of its body, in four bytes, big-endian, and the body: JSON in UTF-8. A frame without
 * a body is a sign of life.
 */
const HEAD = 4;

/** A snapshot of 10,000 models with their tensors has about 20 MB. */
export const FRAME_LIMIT = 64 * 2 ** 20;

export const SIGN_OF_LIFE = Buffer.alloc(HEAD);

export function encodeFrame(message: unknown): Buffer {
  const text = JSON.stringify(message);
  const length = Buffer.byteLength(text);
  if (length > FRAME_LIMIT) {
    throw new Fault('too_large', `a bus message of ${length} bytes, at most ${FRAME_LIMIT}`);
  }
  const frame = Buffer.allocUnsafe(HEAD + length);
  frame.writeUInt32BE(length);
  frame.write(text, HEAD);
  return frame;
}

/**
 * Cuts a stream of bytes into messages. Once the bytes are no frames it is `broken`, for ever: there is no way
 * to find the next frame.
 */
export function createFrameReader() {
  let chunks: Buffer[] = [];
  let size = 0;
  /** Bytes needed before it is worth looking again: a large frame is joined once, not at every chunk. */
  let needed = HEAD;
  let broken = false;

  /** Takes the frames at the beginning of `bytes`; gives what is left. */
  function cut(bytes: Buffer, messages: Typed[]): Buffer {
    let rest = bytes;
    needed = HEAD;
    while (!broken && rest.length >= HEAD) {
      const length = rest.readUInt32BE();
      broken = length > FRAME_LIMIT;
      needed = HEAD + length;
      if (broken || rest.length < needed) return rest;
      const message = length === 0 ? undefined : parseBody(rest.toString('utf8', HEAD, needed));
      if (message) messages.push(message);
      else broken = length > 0;
      rest = rest.subarray(needed);
      needed = HEAD;
    }
    return rest;
  }

  return {
    get broken() {
      return broken;
    },
    /** The messages that are complete with this chunk. */
    push(chunk: Buffer): Typed[] {
      const messages: Typed[] = [];
      chunks.push(chunk);
      size += chunk.length;
      if (size < needed) return messages;
      const rest = cut(chunks.length === 1 ? chunk : Buffer.concat(chunks, size), messages);
      chunks = rest.length === 0 ? [] : [rest];
      size = rest.length;
      return messages;
    },
  };
}

function parseBody(text: string): Typed | undefined {
  try {
    const body: Typed | null = JSON.parse(text);
    return typeof body?.type === 'string' ? body : undefined;
  } catch {
    return undefined;
  }
}
