import { createServer } from 'node:net';
import { listen } from '#activator/sockets/listen.ts';
import type { HostPort } from '#domain/address.ts';

/**
 * A port that several processes of ours can listen on: the one that is asked for, or for 0 one that is free. The
 * system lets any program of this user in where all ask to share; so that nobody else is there already, it is
 * first taken without. Throws Fault `unavailable` when it is in use, or when this system cannot share one.
 */
export async function findSharedPort({ host, port }: HostPort): Promise<number> {
  const free = await tryOut({ host, port, sharePort: false });
  return await tryOut({ host, port: free, sharePort: true });
}

async function tryOut(at: HostPort & { sharePort: boolean }): Promise<number> {
  const server = createServer((socket) => socket.destroy());
  await listen(server, at);
  const address = server.address();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return typeof address === 'object' && address ? address.port : at.port;
}
