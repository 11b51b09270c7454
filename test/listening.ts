import type { AddressInfo, Server } from 'node:net';

/** Resolves with the free port of this machine that the server now listens on. */
export async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen({ host: '127.0.0.1', port: 0 }, resolve);
  });
  return (server.address() as AddressInfo).port;
}
