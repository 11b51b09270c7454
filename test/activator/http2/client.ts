import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';

/** Calls over HTTP/2 by Node's own client. */

export interface Answered2 {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly raw: readonly string[];
  readonly trailers: IncomingHttpHeaders;
  readonly body: string;
  /** The code of RST_STREAM; 0: none, or NO_ERROR. */
  readonly reset: number;
}

export async function openSession(port: number): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  await once(session, 'connect');
  return session;
}

/** One request with its whole body; resolves when the stream has ended, however it did. */
export function ask(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body?: string | Buffer,
): Promise<Answered2> {
  const stream = session.request(headers, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  return answerOf(stream);
}

export function answerOf(stream: ClientHttp2Stream): Promise<Answered2> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    let headers: IncomingHttpHeaders & { ':status'?: number } = {};
    let raw: readonly string[] = [];
    let trailers: IncomingHttpHeaders = {};
    stream.on('error', () => {});
    stream.on('response', (...given: unknown[]) => {
      headers = given[0] as IncomingHttpHeaders;
      raw = given[2] as string[];
    });
    stream.on('trailers', (given) => (trailers = given));
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.on('close', () =>
      resolve({
        status: headers[':status'] ?? 0,
        headers,
        raw,
        trailers,
        body: Buffer.concat(pieces).toString(),
        reset: stream.rstCode,
      }),
    );
  });
}
