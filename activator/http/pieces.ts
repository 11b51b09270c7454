import { keep } from '../sockets/socket-reader.ts';

/** The ranges of a buffer that was just read, as one piece to keep. */
export function pieceOf(buffer: Buffer, ranges: readonly number[]): Buffer {
  if (ranges.length === 2) return keep(buffer, ranges[0]!, ranges[1]!);
  const pieces: Buffer[] = [];
  for (let i = 0; i < ranges.length; i += 2) pieces.push(buffer.subarray(ranges[i], ranges[i + 1]));
  return Buffer.concat(pieces);
}
