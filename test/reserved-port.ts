import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { listening } from './listening.ts';

/**
 * A port of 127.0.0.1 for something that has to be told its port before it listens. Until the test has finished the
 * system gives it to nobody who asks for any port, nor to a connection: one that came in at it stays open. Whoever names
 * the port can listen there, with SO_REUSEADDR as all servers here do; until then connections are refused.
 *
 * The idea is that of Yelp's ephemeral-port-reserve, which leaves such a connection in TIME_WAIT.
 */
export async function reservePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const caller = connect({ host: '127.0.0.1', port });
  const [socket] = await accepted;
  server.close();
  onTestFinished(() => {
    caller.destroy();
    socket.destroy();
  });
  return port;
}
