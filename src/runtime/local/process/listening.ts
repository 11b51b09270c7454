import type { Server } from 'node:net';
import { Fault } from '#lib/fault.ts';

/** Of a listening socket. Node has no public way to ask for it; without one no program can be given the socket. */
export function descriptorOf(server: Server): number {
  const handle: unknown = Reflect.get(server, '_handle');
  const fd: unknown =
    typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  if (typeof fd === 'number' && fd >= 0) return fd;
  throw new Fault('invalid', '${LISTEN_FD} is not to be had on this system: use ${PORT}');
}

/** 0: it does not listen. */
export function portOf(server: Server | undefined): number {
  const address = server?.address();
  return typeof address === 'object' && address ? address.port : 0;
}
