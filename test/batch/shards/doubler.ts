import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { listening } from '#test/listening.ts';

/** A model that answers twice its input `x`, as the protocol V2 has it. It does not take negative numbers. */
export interface Doubler {
  readonly url: string;
  readonly port: number;
  /** After so many more requests no one is answered, until it is released; resolves when it is so. */
  holdAfter(requests: number): Promise<void>;
  release(): void;
  /** Called at each request with their number; it is answered when what this does is done. */
  onRequest(listener: (count: number) => void | Promise<void>): void;
  close(): void;
}

interface InferRequest {
  readonly inputs: readonly {
    readonly shape: readonly number[];
    readonly data: readonly number[];
  }[];
}

export async function startDoubler(): Promise<Doubler> {
  let requests = 0;
  let listener: (count: number) => void | Promise<void> = () => {};
  let most = Infinity;
  let held = Promise.withResolvers<void>();
  let released = Promise.withResolvers<void>();

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // What is no inference is the question whether it is there.
    if (request.method !== 'POST') {
      response.end('queue');
      return;
    }
    const count = ++requests;
    await listener(count);
    if (count > most) {
      held.resolve();
      await released.promise;
    }
    await answer(request, response);
  }

  const server = createServer((request, response) => {
    // A caller that was killed waits for nothing.
    take(request, response).catch(() => response.destroy());
  });
  const port = await listening(server);
  return {
    url: `http://127.0.0.1:${port}/`,
    port,
    async holdAfter(more) {
      most = requests + more;
      held = Promise.withResolvers();
      released = Promise.withResolvers();
      await held.promise;
    },
    release() {
      most = Infinity;
      released.resolve();
    },
    onRequest(next) {
      requests = 0;
      listener = next;
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { inputs } = (await json(request)) as InferRequest;
  const [{ shape, data } = { shape: [0], data: [] }] = inputs;
  const bad = data.find((value) => value < 0);
  response.setHeader('content-type', 'application/json');
  if (bad !== undefined) {
    response.statusCode = 400;
    response.end(JSON.stringify({ error: `${bad} is negative` }));
    return;
  }
  const doubled = data.map((value) => value * 2);
  response.end(
    JSON.stringify({
      model_name: 'doubler',
      outputs: [{ name: 'y', datatype: 'FP64', shape: [shape[0]], data: doubled }],
    }),
  );
}
