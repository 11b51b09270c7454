import type { Socket } from 'node:net';

/** What the bytes that have come so far mean; undefined: more are needed. `end`: as many have been used. */
export type Found<T> = { readonly value: T; readonly end: number } | undefined;

/**
 * Reads the first bytes of a connection, and puts back those that belong to what comes after. It stops
 * listening when it has found what it looks for, or the connection is over.
 */
export function readFirst<T>(
  socket: Socket,
  look: (bytes: Buffer) => Found<T>,
  onFound: (value: T) => void,
): void {
  let held: Buffer | undefined;
  const onReadable = (): void => {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    held = held ? Buffer.concat([held, chunk]) : chunk;
    const found = look(held);
    if (!found) return;
    socket.off('readable', onReadable);
    if (found.end < held.length) socket.unshift(held.subarray(found.end));
    onFound(found.value);
  };
  socket.on('readable', onReadable);
  // What came before is told once, and may be waiting.
  if (socket.readableLength > 0) onReadable();
}
