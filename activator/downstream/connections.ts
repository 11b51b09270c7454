import type { Socket } from 'node:net';
import type { AcceptedConnection } from './accepted-connection.ts';
import { CallerConnection, type CallerConnectionEvents } from './caller-connection.ts';
import { CallerSession } from './caller-session.ts';
import type { Peer } from '../entry/listener.ts';
import type { Plane } from '../plane.ts';

/** The open connections of callers, whatever they speak. */
export class Connections {
  private readonly plane: Plane;
  private readonly open = new Set<AcceptedConnection>();
  private readonly events: CallerConnectionEvents = {
    onHttp2: (connection, first) => this.becomeHttp2(connection, first),
    onClosed: (connection) => this.remove(connection),
  };

  constructor(plane: Plane) {
    this.plane = plane;
  }

  add(socket: Socket, peer: Peer): void {
    this.keep(new CallerConnection(socket, this.plane, peer, this.events));
  }

  sweep(now: number): void {
    for (const connection of this.open) connection.sweep(now);
  }

  beginClose(): void {
    for (const connection of this.open) connection.beginClose();
  }

  cut(): void {
    for (const connection of this.open) connection.cut();
  }

  private becomeHttp2(connection: CallerConnection, first: Buffer): void {
    this.remove(connection);
    const session = new CallerSession(connection.socket, first, this.plane, connection.peer);
    this.keep(session);
    connection.socket.once('close', () => this.remove(session));
  }

  private keep(connection: AcceptedConnection): void {
    this.open.add(connection);
    this.plane.metrics.connections = this.open.size;
  }

  private remove(connection: AcceptedConnection): void {
    this.open.delete(connection);
    this.plane.metrics.connections = this.open.size;
  }
}
