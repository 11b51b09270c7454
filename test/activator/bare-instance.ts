import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { listening } from '#test/listening.ts';

/** An instance that is told what to do with each connection. */
export interface BareInstance {
  readonly server: Server;
  readonly port: number;
  close(): Promise<void>;
}

export async function startBareInstance(
  onConnection: (socket: Socket) => void,
): Promise<BareInstance> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    onConnection(socket);
  });
  const port = await listening(server);
  return {
    server,
    port,
    async close() {
      for (const socket of sockets) socket.destroy();
      // It may have been closed by the test.
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  };
}
