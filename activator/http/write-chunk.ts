import type { Socket } from 'node:net';

/** More pieces than this are copied together rather than written one by one. */
const MAX_PIECES = 16;

/** Writes the ranges of `buffer` as one chunk. False: the socket wants a pause. */
export function writeChunk(socket: Socket, buffer: Buffer, ranges: readonly number[]): boolean {
  let size = 0;
  for (let i = 0; i < ranges.length; i += 2) size += ranges[i + 1]! - ranges[i]!;
  if (size === 0) return !socket.writableNeedDrain;
  socket.cork();
  socket.write(`${size.toString(16)}\r\n`, 'latin1');
  writeRanges(socket, buffer, ranges);
  const free = socket.write('\r\n', 'latin1');
  socket.uncork();
  return free;
}

/** Writes the ranges of `buffer` as they are. False: the socket wants a pause. */
export function writeRanges(socket: Socket, buffer: Buffer, ranges: readonly number[]): boolean {
  if (ranges.length > MAX_PIECES * 2) return socket.write(joinRanges(buffer, ranges));
  let free = true;
  for (let i = 0; i < ranges.length; i += 2)
    free = socket.write(buffer.subarray(ranges[i], ranges[i + 1]));
  return free;
}

/** The ranges of `buffer` as one piece: a view of it, or a copy where there are several. */
export function pieceOf(buffer: Buffer, ranges: readonly number[]): Buffer {
  return ranges.length === 2 ? buffer.subarray(ranges[0], ranges[1]) : joinRanges(buffer, ranges);
}

function joinRanges(buffer: Buffer, ranges: readonly number[]): Buffer {
  const pieces: Buffer[] = [];
  for (let i = 0; i < ranges.length; i += 2) pieces.push(buffer.subarray(ranges[i], ranges[i + 1]));
  return Buffer.concat(pieces);
}
