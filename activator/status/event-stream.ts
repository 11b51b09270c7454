import { ResponseHead } from '../http/response-head.ts';

const STREAM_HEAD =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n';

/** Where events go: the answer to a request, as it is written. */
export interface Stream {
  writeHead(head: ResponseHead, extra: string): void;
  /** False: the caller reads slower than this comes. */
  writeBody(buffer: Buffer, ranges: readonly number[]): boolean;
  endBody(trailers: string): void;
}

/** Server-sent events follow. */
export function beginStream(client: Stream): void {
  const head = new ResponseHead();
  head.read(STREAM_HEAD);
  client.writeHead(head, '');
}

/** Of whole events. False: the caller reads slower than this comes. */
export function writeText(client: Stream, text: string): boolean {
  const bytes = Buffer.from(text);
  return client.writeBody(bytes, [0, bytes.length]);
}
