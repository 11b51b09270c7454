import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Session } from 'node:http2';
import { type AddressInfo, createServer as createSocketServer, type Socket } from 'node:net';

/** A pod of Knative as its queue-proxy shows it: probes are answered, the rest is the handler's. */
export interface FakePod {
  readonly ip: string;
  readonly port: number;
  /** Probes that came. */
  readonly probes: readonly IncomingMessage['headers'][];
  /** Whether probes are answered so that it takes requests. */
  setReady(isReady: boolean): void;
  close(): Promise<void>;
}

/**
 * Both protocols at one port, as a queue-proxy has it; HTTP/2 is answered with `http2`, upgrades by an echo.
 *
 * @param ip any of 127.0.0.0/8: pods of one revision have one port.
 */
export async function startFakePod(
  handler: RequestListener,
  { ip = '127.0.0.1', port = 0, isReady = true } = {},
): Promise<FakePod> {
  const probes: IncomingMessage['headers'][] = [];
  let ready = isReady;
  const sockets = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  const http = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
    if (request.headers['k-network-probe'] !== 'queue') {
      handler(request, response);
      return;
    }
    probes.push(request.headers);
    response.writeHead(ready ? 200 : 503).end(ready ? 'queue' : '');
  });
  http.on('upgrade', (_, socket) => {
    socket.write('HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    socket.pipe(socket);
  });
  const http2 = createHttp2Server((_, response) => response.end('http2'));
  http2.on('session', (session) => sessions.add(session));
  const server = createSocketServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', (first) => {
      socket.pause();
      socket.unshift(first);
      (String(first).startsWith('PRI ') ? http2 : http).emit('connection', socket);
      process.nextTick(() => socket.resume());
    });
  });
  server.listen(port, ip);
  await once(server, 'listening');
  return {
    ip,
    port: (server.address() as AddressInfo).port,
    probes,
    setReady: (value) => (ready = value),
    async close() {
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  };
}
