import { createServer } from 'node:http';
import type { HostPort } from '#domain/address.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import type { Activator } from './activator.ts';

const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** The port beside that of the requests: metrics and health of this process. */
export async function createAdmin(
  { host, port }: HostPort,
  activator: Activator,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  let ready = false;
  activator.ready.then(
    () => (ready = true),
    () => {},
  );

  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    const [status, type, text] =
      path === '/metrics'
        ? [200, PROMETHEUS_TYPE, activator.metrics()]
        : path === '/healthz'
          ? [200, 'text/plain', 'ok\n']
          : path === '/readyz'
            ? [ready ? 200 : 503, 'text/plain', ready ? 'ready\n' : 'no routing state yet\n']
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
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
