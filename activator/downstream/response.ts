import type { RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { Framed } from '../http/body-reader.ts';
import type { SocketWriter } from '../sockets/socket-writer.ts';

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
  /** The connection ends with this response: its head says so. */
  endsConnection = false;
  private readonly writer: SocketWriter;
  private framing = NO_BODY;

  constructor(writer: SocketWriter) {
    this.writer = writer;
  }

  /** For the next one on this connection. */
  reset(): void {
    this.started = false;
    this.endsConnection = false;
  }

  /** `keepAlive`: the request and the plane allow another one on this connection. */
  begin(request: RequestHead, head: ResponseHead, extra: string, keepAlive: boolean): void {
    this.started = true;
    this.chooseFraming(request, head);
    this.endsConnection ||= !keepAlive;
    const { endsConnection, framing } = this;
    const added = framing === CHUNKED ? 'Transfer-Encoding: chunked\r\n' : '';
    const forwarded = head.forwardHead();
    const connection = connectionField(request.minor, !endsConnection);
    this.writer.writeText(`${forwarded}${extra}${added}${connection}\r\n`);
  }

  /** False: the caller reads slower than this comes. */
  write(buffer: Buffer, ranges: readonly number[], framed?: Framed): boolean {
    if (this.framing === CHUNKED) {
      if (framed) return this.writer.writeBytes(buffer, framed[0], framed[1]);
      return this.writer.writeChunk(buffer, ranges);
    }
    return this.writer.writeRanges(buffer, ranges);
  }

  end(trailers: string): void {
    if (this.framing === CHUNKED) this.writer.writeText(`0\r\n${trailers}\r\n`);
  }

  private chooseFraming(request: RequestHead, head: ResponseHead): void {
    const hasLength = head.contentLength >= 0;
    this.endsConnection = false;
    if (!head.hasBody(request.method)) this.framing = NO_BODY;
    else if (hasLength) this.framing = AS_IT_COMES;
    else if (request.minor === 1) this.framing = CHUNKED;
    else {
      this.framing = AS_IT_COMES;
      this.endsConnection = true;
    }
  }
}

/** The Connection field of a response; HTTP/1.1 keeps alive without saying so. */
export function connectionField(minor: number, keepAlive: boolean): string {
  if (!keepAlive) return 'Connection: close\r\n';
  return minor === 0 ? 'Connection: keep-alive\r\n' : '';
}
