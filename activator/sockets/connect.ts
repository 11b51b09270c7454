import { isIP, type NetConnectOpts, type Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { Address } from '#domain/routing.ts';

/** An instance that does not take a connection within this is as good as unreachable. */
const CONNECT_TIMEOUT_MS = 5000;

/**
 * Who vanishes (a cable is pulled, a node dies) closes nothing: after so long a silence, in ms, the system asks, and
 * ends the connection when nobody answers. A stream may be silent for as long as its model allows, with a slot in use.
 */
export const ASK_IF_THERE = { keepAlive: true, keepAliveInitialDelay: 60_000 };

/** How sockets are made. */
interface Connectors {
  plain(to: NetConnectOpts): Socket;
  secure(to: ConnectionOptions): Socket;
}

/** A connection to an instance that fails when it is not there in time. `onReady`: it is, its handshake done. */
export function openSocket(address: Address, by: Connectors, onReady?: () => void): Socket {
  const socket = connectTo(address, by);
  socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy(new Error('no connection within 5s')));
  socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => {
    socket.setTimeout(0);
    socket.setKeepAlive(ASK_IF_THERE.keepAlive, ASK_IF_THERE.keepAliveInitialDelay);
    onReady?.();
  });
  return socket;
}

function connectTo(address: Address, by: Connectors): Socket {
  if ('socket' in address) return by.plain({ path: address.socket });
  const { host, port } = address;
  if (!address.tls) return by.plain({ host, port });
  return by.secure({ host, port, servername: isIP(host) === 0 ? host : '' });
}
