import type { Socket } from 'node:net';
import type { AcceptedConnection } from './accepted-connection.ts';
import { CallerConnection, type CallerConnectionEvents } from './caller-connection.ts';
import { CallerSession } from './http2/caller-session.ts';
import type { Peer } from './listener.ts';
import type { Plane } from './plane.ts';

/** All connections of callers, whatever they speak. */
export interface Connections extends AcceptedConnection {
  readonly size: number;
  readonly add: (socket: Socket, peer: Peer) => void;
}

/** Each begins as HTTP/1; one that turns out to be HTTP/2 gives its place to a session. */
export function createConnections(plane: Plane): Connections {
  const all = new Set<AcceptedConnection>();

  function keep(connection: AcceptedConnection): void {
    all.add(connection);
    plane.metrics.connections = all.size;
  }

  function drop(connection: AcceptedConnection): void {
    all.delete(connection);
    plane.metrics.connections = all.size;
  }

  const events: CallerConnectionEvents = {
    onHttp2(connection, first) {
      drop(connection);
      const session = new CallerSession(connection.socket, first, plane, connection.peer);
      keep(session);
      connection.socket.once('close', () => drop(session));
    },
    onClosed: drop,
  };

  return {
    get size() {
      return all.size;
    },
    add: (socket, peer) => keep(new CallerConnection(socket, plane, peer, events)),
    sweep(now) {
      for (const connection of all) connection.sweep(now);
    },
    beginClose() {
      for (const connection of all) connection.beginClose();
    },
    cut() {
      for (const connection of all) connection.cut();
    },
  };
}
