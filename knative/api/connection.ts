import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps, type RequestOptions } from 'node:https';
import { hostOf } from '#domain/address.ts';
import { makeAwayFault } from './kube-fault.ts';

/** A way to the API server of a cluster, with Rouse's credentials for it. */
export interface Connection {
  /** Answers with whatever status. Throws Fault `unavailable` when there is no answer. */
  send(request: KubeRequest): Promise<IncomingMessage>;
  close(): void;
}

export interface KubeRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** With its query. */
  readonly path: string;
  readonly body?: string;
  readonly type?: string;
  /** Ends the request, or the answer while it is read. */
  readonly signal: AbortSignal;
}

/** A connection that says nothing for so long is asked whether it is still there. */
const KEEP_ALIVE_MS = 30_000;

interface Outgoing extends RequestOptions {
  readonly headers: Record<string, string | number>;
}

/** `authorize` puts the credentials into each request: they may change. */
export function openConnection(
  server: string,
  authorize: (options: Outgoing) => Promise<void>,
): Connection {
  const url = new URL(server);
  const request = url.protocol === 'http:' ? requestHttp : requestHttps;
  const closing = new AbortController();

  async function optionsFor({ method, path, body, type, signal }: KubeRequest): Promise<Outgoing> {
    const options: Outgoing = {
      method,
      protocol: url.protocol,
      hostname: hostOf(url),
      port: url.port,
      path: url.pathname.replace(/\/$/, '') + path,
      headers: {
        accept: 'application/json',
        ...(type !== undefined && { 'content-type': type }),
        // Without it the body of a DELETE has no frame, and is not seen.
        ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }),
      },
      signal: AbortSignal.any([signal, closing.signal]),
    };
    await authorize(options);
    return options;
  }

  return {
    async send(asked) {
      try {
        const options = await optionsFor(asked);
        return await new Promise((resolve, reject) => {
          const outgoing = request(options, resolve);
          outgoing.on('error', reject);
          outgoing.on('socket', (socket) => socket.setKeepAlive(true, KEEP_ALIVE_MS));
          outgoing.end(asked.body);
        });
      } catch (error) {
        asked.signal.throwIfAborted();
        throw makeAwayFault(error);
      }
    },
    close: () => closing.abort(),
  };
}
