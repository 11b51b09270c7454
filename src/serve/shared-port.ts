import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { listen } from '#activator/sockets/listen.ts';
import type { HostPort } from '#domain/address.ts';

/**
 * A port that several processes of ours can listen on: the one that is asked for, or for 0 one that is free. The
 * system lets any program of this user in where all ask to share; so that nobody else is there already, it is
 * first taken without. Throws Fault `unavailable` when it is in use, or when this system cannot share one.
 */
export async function findSharedPort(at: HostPort): Promise<number> {
  const { host } = at;
  const port = await holdPort(at);
  return await tryOut({ host, port, sharePort: true });
}

/**
 * The port that is asked for, or for 0 one that is free. For as long as this process lives the system gives that to nobody
 * else who asks for any, also while those who were told it do not listen yet, or not for a moment: a connection that came
 * in at it stays open. The idea is that of Yelp's ephemeral-port-reserve, which leaves one in TIME_WAIT. Throws Fault
 * `unavailable` when the port is in use.
 */
export async function holdPort({ host, port }: HostPort): Promise<number> {
  if (port !== 0) return await tryOut({ host, port, sharePort: false });
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer(accepted.resolve);
  const found = await listenAt(server, { host, port, sharePort: false });
  const caller = connect({ host, port: found });
  await once(caller, 'connect');
  for (const end of [caller, await accepted.promise]) {
    // Whoever else connected meanwhile may have been taken for it, and may reset what it opened.
    end.on('error', () => {});
    end.unref();
  }
  server.close();
  return found;
}

async function tryOut(at: HostPort & { sharePort: boolean }): Promise<number> {
  const server = createServer((socket) => socket.destroy());
  const port = await listenAt(server, at);
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

async function listenAt(server: Server, at: HostPort & { sharePort: boolean }): Promise<number> {
  await listen(server, at);
  const address = server.address();
  return typeof address === 'object' && address ? address.port : at.port;
}
