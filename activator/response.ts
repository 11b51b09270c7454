import type { Socket } from 'node:net';
import type { Connection } from './connection.ts';
import type { ResponseHead } from './http/response-head.ts';
import { writeChunk, writeRanges } from './http/write-chunk.ts';

const NO_BODY = 0;
const AS_IT_COMES = 1;
const CHUNKED = 2;

/**
 * The response on its way to the caller: the instance's framing becomes one that the caller's HTTP version
 * knows. Lengths stay lengths, chunks stay chunks; a body without length becomes chunks (1.1) or ends with
 * the connection (1.0).
 */
export class Response {
  /** Bytes have gone to the caller. */
  started = false;
  /** The end of the body is the end of the connection. */
  endsConnection = false;
  private readonly socket: Socket;
  private framing = NO_BODY;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  reset(): void {
    this.started = false;
  }

  begin(client: Connection, head: ResponseHead, extra: string): void {
    this.started = true;
    this.chooseFraming(client, head);
    const { endsConnection, framing } = this;
    const added = framing === CHUNKED && !head.chunked ? 'Transfer-Encoding: chunked\r\n' : '';
    const keep = client.keepsAlive() && !endsConnection;
    const forwarded = head.forwardHead({ dropCoding: framing !== CHUNKED });
    this.socket.write(`${forwarded}${extra}${added}${client.connectionField(keep)}\r\n`, 'latin1');
  }

  /** False: the caller reads slower than this comes. */
  write(buffer: Buffer, ranges: readonly number[]): boolean {
    if (this.framing === CHUNKED) return writeChunk(this.socket, buffer, ranges);
    return writeRanges(this.socket, buffer, ranges);
  }

  end(trailers: string): void {
    if (this.framing !== CHUNKED) return;
    this.socket.write(trailers === '' ? '0\r\n\r\n' : trailers, 'latin1');
  }

  private chooseFraming(client: Connection, head: ResponseHead): void {
    const hasLength = head.contentLength >= 0;
    this.endsConnection = false;
    if (!head.hasBody(client.head.method)) this.framing = NO_BODY;
    else if (hasLength) this.framing = AS_IT_COMES;
    else if (client.head.minor === 1) this.framing = CHUNKED;
    else {
      this.framing = AS_IT_COMES;
      this.endsConnection = true;
    }
  }
}
