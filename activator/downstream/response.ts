import { type Answer, bytesOf, reasonOf } from '../exchange/answers.ts';
import type { Framed } from '../http/body-reader.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { SocketWriter } from '../sockets/socket-writer.ts';

const NO_BODY = 0;
const AS_IT_COMES = 1;
const CHUNKED = 2;

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

/**
 * The response on its way to the caller: the instance's framing becomes one that the caller's HTTP version
 * knows. Lengths stay lengths, chunks stay chunks; a body without length becomes chunks (1.1) or ends with
 * the connection (1.0).
 */
export class Response {
  /** Bytes of an instance's response have gone to the caller. */
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

  /** One that is made here; `extra`: more field lines. */
  answer(request: RequestHead, answer: Answer, extra: string, keepAlive: boolean): void {
    const { writer } = this;
    const { status, type } = answer;
    const body = bytesOf(answer);
    writer.cork();
    writer.writeText(
      `HTTP/1.1 ${status} ${reasonOf(status)}\r\n` +
        `Content-Type: ${type}\r\nContent-Length: ${body.length}\r\n${extra}` +
        `${connectionField(request.minor, keepAlive)}\r\n`,
    );
    if (request.method !== 'HEAD') writer.writeBytes(body, 0, body.length);
    writer.uncork();
  }

  /** The caller waits to be asked for the body of its request. */
  askForBody(): void {
    this.writer.writeText(CONTINUE);
  }

  /** A head before the final one, which HTTP/1.0 does not have. */
  inform(request: RequestHead, head: ResponseHead): void {
    if (request.minor > 0) this.writer.writeText(`${head.forwardHead()}\r\n`);
  }

  /** The head after which another protocol follows. */
  beginTunnel(head: ResponseHead, extra: string): void {
    this.started = true;
    const fields = `Connection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n${extra}`;
    this.writer.writeText(`${head.forwardHead()}${fields}\r\n`);
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
function connectionField(minor: number, keepAlive: boolean): string {
  if (!keepAlive) return 'Connection: close\r\n';
  return minor === 0 ? 'Connection: keep-alive\r\n' : '';
}
