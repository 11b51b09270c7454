import type { Server, Socket } from 'node:net';
import { Fault } from '#lib/fault.ts';

/** Of a listening socket. Node has no public way to ask for it; without one no program can be given the socket. */
export function descriptorOf(server: Server): number {
  const fd: unknown = Reflect.get(handleOf(server), 'fd');
  if (typeof fd === 'number' && fd >= 0) return fd;
  throw new Fault('invalid', '${LISTEN_FD} is not to be had on this system: use ${PORT}');
}

/** 0: it does not listen. */
export function portOf(server: Server | undefined): number {
  const address = server?.address();
  return typeof address === 'object' && address ? address.port : 0;
}

/**
 * Before it is handed to another process: Node reads until that one has it, and throws away what it reads. `pause`
 * does not end that.
 */
export function stopReading(socket: Socket): void {
  const handle = handleOf(socket);
  const readStop: unknown = Reflect.get(handle, 'readStop');
  if (typeof readStop === 'function') Reflect.apply(readStop, handle, []);
}

function handleOf(socket: Server | Socket): object {
  const handle: unknown = Reflect.get(socket, '_handle');
  return typeof handle === 'object' && handle !== null ? handle : {};
}
