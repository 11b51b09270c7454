import type { OnReadOpts, Socket } from 'node:net';

/** Who reads a socket. */
export interface Reader {
  readonly inlet: { readonly buffer: Buffer };
  /** `buffer` holds `length` bytes. It is overwritten later: who needs them after this returns calls `keep`. */
  onBytes(buffer: Buffer, length: number): void;
}

/** Who hears of all that happens to it. */
export interface SocketOwner extends Reader {
  /** All that was written has left. */
  onWritable(): void;
  /** The peer has ended its side. */
  onEnd(): void;
  onError(error: Error): void;
  onClose(): void;
}

const OWNER = Symbol('owner');

/** A socket knows its owner, so that the listeners of all are the same functions. */
interface Owned extends Socket {
  [OWNER]?: (Reader & Partial<SocketOwner>) | undefined;
}

export function setReader(socket: Socket, reader: Reader): void {
  const owned: Owned = socket;
  owned[OWNER] = reader;
}

/** For a socket that reads into what `buffer` gives. */
export function readInto(buffer: () => Buffer): OnReadOpts {
  return { buffer, callback: onRead };
}

/** What the socket emits is read. */
export function readStream(socket: Socket, reader: Reader): void {
  setReader(socket, reader);
  socket.on('data', onData);
}

export function listenFor(socket: Socket, owner: SocketOwner): void {
  setReader(socket, owner);
  socket.on('drain', onDrain);
  socket.on('end', onEnd);
  socket.on('error', onError);
  socket.on('close', onClose);
}

/** Somebody else has the socket from now on. */
export function disown(socket: Socket): void {
  const owned: Owned = socket;
  owned[OWNER] = undefined;
  socket.off('data', onData);
  socket.off('drain', onDrain);
  socket.off('end', onEnd);
  socket.off('error', onError);
  socket.off('close', onClose);
}

function onRead(this: Owned, length: number): boolean {
  const reader = this[OWNER];
  reader?.onBytes(reader.inlet.buffer, length);
  return true;
}

function onData(this: Owned, chunk: Buffer): void {
  this[OWNER]?.onBytes(chunk, chunk.length);
}

function onDrain(this: Owned): void {
  this[OWNER]?.onWritable?.();
}

function onEnd(this: Owned): void {
  this[OWNER]?.onEnd?.();
}

function onError(this: Owned, error: Error): void {
  this[OWNER]?.onError?.(error);
}

function onClose(this: Owned): void {
  this[OWNER]?.onClose?.();
}
