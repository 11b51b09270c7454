import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type PeerCertificate, TLSSocket } from 'node:tls';
import { formatAddress, type HostPort } from '#domain/address.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import { makeRefusal } from './answers.ts';
import type { Certificate } from './certificate.ts';
import { type FrontProxy, userOf } from './front-proxy.ts';

/** HTTPS for the API server alone. Until it is told who that is and what to show it, no connection is made. */
export interface MetricsServer {
  /** Where it listens, with the port that was given for 0. */
  readonly address: HostPort;
  /** From now on, for connections that are new. */
  use(certificate: Certificate, proxy: FrontProxy): void;
  close(): Promise<void>;
}

/** API servers keep a connection each. */
const MAX_CONNECTIONS = 256;
const MAX_HEADER_MS = 10_000;

/**
 * Throws Fault `unavailable` when it cannot listen there. `answer` gives the body of the answer, or throws a Fault.
 */
export async function listenForMetrics(
  address: HostPort,
  answer: (request: { method: string; path: string }) => object,
): Promise<MetricsServer> {
  let known: FrontProxy | undefined;
  // Who is a stranger is told so, instead of a connection that is cut.
  const asking = { requestCert: true, rejectUnauthorized: false };
  const limits = { headersTimeout: MAX_HEADER_MS, requestTimeout: MAX_HEADER_MS };
  const server = createServer({ ...asking, ...limits }, (request, response) => {
    request.resume();
    try {
      requireUser(known, request);
      const { method = '', url: path = '' } = request;
      reply(response, 200, answer({ method, path }));
    } catch (error) {
      const { status, body } = makeRefusal(error);
      reply(response, status, body);
    }
  });
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, address);
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port;
  return {
    address: { host: address.host, port },
    use({ certificate, key }, proxy) {
      known = proxy;
      server.setSecureContext({ cert: certificate, key, ca: proxy.authority });
    },
    async close() {
      const closed = new Promise((resolve) => {
        server.close(resolve);
      });
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Throws Fault `unauthorized`. */
function requireUser(proxy: FrontProxy | undefined, { socket, headers }: IncomingMessage): void {
  if (proxy && socket instanceof TLSSocket) {
    // Of who has no certificate, there is not even a subject.
    const { subject }: Partial<PeerCertificate> = socket.getPeerCertificate();
    const name = subject?.CN;
    const commonName = typeof name === 'string' ? name : undefined;
    const peer = { isSigned: socket.authorized, commonName };
    if (userOf(proxy, peer, headers) !== undefined) return;
  }
  throw new Fault(
    'unauthorized',
    'expected the API server of the cluster, with its client certificate, on behalf of a user',
  );
}

async function listen(server: Server, address: HostPort): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const why = `knative.metrics: ${formatAddress(address)} cannot be listened on`;
      reject(new Fault('unavailable', `${why}: ${messageOf(cause)}`, { cause }));
    });
    server.listen(address, resolve);
  });
}

function reply(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
