import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect, Socket } from 'node:net';

export interface Outcome {
  readonly status: number | undefined;
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
  /** Its end came as HTTP wants it. */
  readonly whole: boolean;
}

/** One connection that requests are sent over, one after the other; it is opened at once and never again. */
export interface Caller {
  /** This end of the connection. */
  readonly port: number;
  call(options: {
    path?: string;
    method?: string;
    headers?: Readonly<Record<string, string>>;
  }): Promise<Outcome>;
  close(): void;
}

export async function openCaller(port: number): Promise<Caller> {
  const socket = connect({ port, host: '127.0.0.1' });
  await once(socket, 'connect');
  let used = false;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  agent.createConnection = (): Socket => {
    // What has ended is not replaced: the next request fails.
    const given = used ? new Socket().destroy(new Error('the connection has ended')) : socket;
    used = true;
    return given;
  };
  return {
    port: socket.localPort ?? 0,
    call: ({ path = '/models/default/app/', method = 'POST', headers = {} }) =>
      new Promise((resolve) => {
        const found = { status: undefined as number | undefined, body: '', headers: {} };
        const finish = (whole: boolean): void => resolve({ ...found, whole });
        const sent = request({ port, path, method, headers, agent });
        sent.on('response', (response) => {
          found.status = response.statusCode;
          found.headers = response.headers;
          response.setEncoding('utf8');
          response.on('data', (piece: string) => (found.body += piece));
          response.on('end', () => finish(response.complete));
          response.on('error', () => finish(false));
        });
        sent.on('error', () => finish(false));
        sent.end();
      }),
    close() {
      agent.destroy();
      socket.destroy();
    },
  };
}
