import type { OnReadOpts, Socket } from 'node:net';

/** Who reads a socket. */
export interface Receiver {
  readonly reader: { readonly buffer: Buffer };
  /** `buffer` holds `length` bytes. It is overwritten later: who needs them after this returns calls `keep`. */
  onBytes(buffer: Buffer, length: number): void;
}

/** Who hears of all that happens to it. */
export interface SocketOwner extends Receiver {
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
  [OWNER]?: (Receiver & Partial<SocketOwner>) | undefined;
}

export function setReceiver(socket: Socket, receiver: Receiver): void {
  const owned: Owned = socket;
  owned[OWNER] = receiver;
}

/** For a socket that reads into what `buffer` gives. */
export function readInto(buffer: () => Buffer): OnReadOpts {
  return { buffer, callback: onRead };
}

/** What the socket emits is read. */
export function readStream(socket: Socket, receiver: Receiver): void {
  setReceiver(socket, receiver);
  socket.on('data', onData);
}

export function listenFor(socket: Socket, owner: SocketOwner): void {
  setReceiver(socket, owner);
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
  const receiver = this[OWNER];
  receiver?.onBytes(receiver.reader.buffer, length);
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
