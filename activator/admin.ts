import { createServer } from 'node:http';
import type { HostPort } from '#domain/address.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import type { Activator } from './activator.ts';

const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export interface Admin {
  readonly port: number;
  /** It is not ready any more: no new requests are to be sent here. */
  leave(): void;
  close(): Promise<void>;
}

/** The port beside that of the requests: metrics and health of this process. */
export async function createAdmin(
  { host, port }: HostPort,
  activator: Pick<Activator, 'ready' | 'metrics'>,
): Promise<Admin> {
  let ready = false;
  let leaving = false;
  activator.ready.then(
    () => (ready = true),
    () => {},
  );

  function readiness(): [number, string, string] {
    if (leaving) return [503, 'text/plain', 'ending\n'];
    return ready ? [200, 'text/plain', 'ready\n'] : [503, 'text/plain', 'no routing state yet\n'];
  }

  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    const [status, type, text] =
      path === '/metrics'
        ? [200, PROMETHEUS_TYPE, activator.metrics()]
        : path === '/healthz'
          ? [200, 'text/plain', 'ok\n']
          : path === '/readyz'
            ? readiness()
            : [404, 'text/plain', 'here are /metrics, /healthz and /readyz\n'];
    response.writeHead(status, { 'content-type': type }).end(text);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new Fault('unavailable', `Cannot listen on ${host}:${port} (--admin): ${messageOf(error)}`),
      ),
    );
    server.listen({ host, port }, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : port,
    leave: () => (leaving = true),
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
