import type { Server } from 'node:net';
import { Fault, messageOf } from '#lib/fault.ts';

/** Resolves when the server listens. Throws Fault `unavailable` with what can be done about it. */
export async function listen(
  server: Server,
  at: { readonly host: string; readonly port: number; readonly sharePort: boolean },
): Promise<void> {
  const { host, port, sharePort } = at;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = explain(error, sharePort);
      reject(new Fault('unavailable', `Cannot listen on ${host}:${port}: ${why}.`));
    });
    server.listen({ host, port, reusePort: sharePort }, resolve);
  });
}

function explain(error: NodeJS.ErrnoException, sharePort: boolean): string {
  if (error.code === 'EADDRINUSE') return 'the port is in use; choose another one by --listen';
  if (sharePort && error.code === 'ENOTSUP') {
    return 'this system does not share a port between processes; leave out --workers';
  }
  return messageOf(error);
}
