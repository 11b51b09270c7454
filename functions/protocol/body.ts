import type { IncomingMessage } from 'node:http';
import { Fault } from '#lib/fault.ts';

/** A request body is held in memory several times over while it becomes tensors. */
const MAX_BODY_BYTES = 64 * 2 ** 20;

/** The whole body of a V2 or V1 request. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const coding = request.headers['content-encoding'] ?? 'identity';
  if (coding !== 'identity') {
    throw new Fault('unsupported_media_type', `content-encoding: found ${coding}, expected none`);
  }
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  // Not destroyed when this loop ends early: the refusal still has to reach the caller.
  const parts: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false });
  for await (const part of parts) {
    size += part.length;
    if (size > MAX_BODY_BYTES) throw tooLarge();
    chunks.push(part);
  }
  return Buffer.concat(chunks, size);
}

function tooLarge(): Fault {
  return new Fault('too_large', `the body is larger than ${MAX_BODY_BYTES} bytes`);
}
