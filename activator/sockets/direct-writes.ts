import { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';

/**
 * Writes of text that go past the socket's stream, straight to its handle. The system nearly always takes all of it at
 * once, and then a stream's bookkeeping is all that is left out: 3 to 4 % of what a small request costs. What of this
 * `node:net` does not document is in this file alone; where it is not found, the stream is used.
 *
 * Invariants:
 *  1. Bytes leave in the order in which they were written: nothing goes past a stream that has something to write, and
 *     what the system did not take at once is queued by the handle, before all that either way writes later.
 *  2. Each write has a request object of its own: a handle that is given one which it still has ends the process.
 */
export class DirectWrites {
  private readonly socket: InnerSocket;
  /** Neither TLS nor anything else that changes what is written. */
  private readonly isPlain: boolean;
  /** Writes of which the system has not taken everything. */
  private pending = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    this.isPlain = socket.constructor === Socket;
  }

  get isEmpty(): boolean {
    return this.pending === 0;
  }

  /** `text`: Latin-1. False: nothing was written, and the stream shall do it. */
  write(text: string): boolean {
    const { socket } = this;
    const { _handle: handle } = socket;
    if (!handle || !this.isPlain || socket.writableLength > 0) return false;
    if (!WriteRequest) {
      learn(handle);
      return false;
    }
    const request = new WriteRequest();
    // The stream meets the same error, and tells of it.
    if (handle.writeLatin1String(request, text) !== 0) return false;
    if (request.getAsyncId() > 0) this.keepPending(request);
    return true;
  }

  private keepPending(request: WriteRequest): void {
    this.pending += 1;
    request.oncomplete = (status) => {
      this.pending -= 1;
      const { socket } = this;
      if (socket.destroyed) return;
      if (status < 0) socket.destroy(new Error(`write ${getSystemErrorName(status)}`));
      else if (this.pending === 0) socket.emit('drain');
    };
  }
}

interface WriteRequest {
  /** More than 0: the handle has kept it, and calls `oncomplete`. */
  getAsyncId(): number;
  oncomplete?: (status: number) => void;
}

interface InnerSocket extends Socket {
  readonly _handle?: Handle | null;
}

/** What `node:net` writes to. */
interface Handle {
  /** 0: it has taken or queued the text; less: an error of the system. */
  writeLatin1String: (this: Handle, request: WriteRequest, text: string) => number;
}

/** Known as soon as a stream has used one. */
let WriteRequest: (new () => WriteRequest) | undefined;

function learn(handle: Handle): void {
  const { writeLatin1String: write } = handle;
  if (typeof write !== 'function') return;
  handle.writeLatin1String = (request, text) => {
    handle.writeLatin1String = write;
    const { constructor }: { readonly constructor: unknown } = request;
    if (isRequestClass(constructor) && typeof request.getAsyncId === 'function') {
      WriteRequest = constructor;
    }
    return handle.writeLatin1String(request, text);
  };
}

function isRequestClass(value: unknown): value is new () => WriteRequest {
  return typeof value === 'function';
}
