import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { jsonAnswer } from '#functions/protocol/response.ts';

/**
 * A user's fetch handler behind `node:http`. All paths are its own but `/v2/health/…`, which a platform asks.
 * Bodies stream both ways; `request.signal` aborts when the caller leaves.
 */

const HEALTH: Readonly<Record<string, string>> = {
  '/v2/health/live': '{"live":true}',
  '/v2/health/ready': '{"ready":true}',
};

export function createFetchListener(handle: (request: Request) => unknown): RequestListener {
  const listener = getRequestListener(
    (request, served) => callHandler(handle, withSignal(request, served)),
    { errorHandler: failed },
  );
  return (request: IncomingMessage, response: ServerResponse) => {
    const health = HEALTH[request.url ?? ''];
    if (health === undefined) void listener(request, response);
    else response.writeHead(200, jsonAnswer(health).headers).end(health);
  };
}

/** What a request came with. */
interface Served {
  readonly incoming: { readonly socket: Pick<Socket, 'readableEnded' | 'once' | 'off'> };
  readonly outgoing: { once(event: 'close', listener: () => void): unknown };
}

/** The connection of a caller that has left stays half open until the handler has ended: its end is what tells. */
function withSignal(request: Request, served: Served): Request {
  let signal: AbortSignal | undefined;
  const get = (): AbortSignal =>
    (signal ??= AbortSignal.any([whenClosed(request), whenLeft(served)]));
  return Object.defineProperty(request, 'signal', { get });
}

/** As it came. */
function whenClosed(request: Request): AbortSignal {
  return Reflect.get(Object.getPrototypeOf(request), 'signal', request);
}

function whenLeft({ incoming, outgoing }: Served): AbortSignal {
  const { socket } = incoming;
  if (socket.readableEnded) return AbortSignal.abort();
  const left = new AbortController();
  const abort = (): void => left.abort();
  socket.once('end', abort);
  outgoing.once('close', () => socket.off('end', abort));
  return left.signal;
}

async function callHandler(
  handle: (request: Request) => unknown,
  request: Request,
): Promise<Response> {
  try {
    const response = await handle(request);
    if (response instanceof Response) return response;
    console.error('the handler returned', response, 'and no Response');
    return problem('The handler returned no Response; the log of the model says what it was.');
  } catch (error) {
    return failed(error);
  }
}

/** The reason goes to the log, never to the caller: it may hold anything. */
function failed(error: unknown): Response {
  console.error(error);
  return problem('The handler failed; the log of the model says why.');
}

function problem(detail: string): Response {
  const body = {
    type: 'about:blank',
    title: 'Model failed',
    status: 500,
    code: 'internal',
    detail,
  };
  return Response.json(body, {
    status: 500,
    headers: { 'content-type': 'application/problem+json' },
  });
}
