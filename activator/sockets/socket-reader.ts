import { type BoundSocket, connect, type NetConnectOpts, type OnReadOpts, Socket } from 'node:net';
import { isIdle, isLarge, letGo, takeLarge } from './large-buffers.ts';
import { type Receiver, readInto, readStream, setReceiver } from './socket-owner.ts';

/**
 * How sockets are read. Small messages of all sockets go through one buffer: a buffer for each read would cost
 * more than the rest of the read. A socket on which much is coming has a larger one of its own meanwhile, from a
 * pool, which may be written on without a copy.
 *
 * Invariants:
 *  1. Nothing is read into a buffer of which a write still needs bytes.
 *  2. What was read is told before the next read, into whichever buffer; who needs it longer keeps a copy.
 *  3. A socket that has a large buffer lets it go with the first read after which little is to come.
 */

/** With more than this to come, a body is read in large pieces. */
const LARGE_BODY = 16 * 1024;

const SHARED = Buffer.allocUnsafeSlow(16 * 1024);

/** Bytes of a buffer that was handed to `onBytes`, for longer than the call. */
export function keep(buffer: Buffer, from: number, to: number): Buffer {
  const view = buffer.subarray(from, to);
  return buffer === SHARED || isLarge(buffer) ? Buffer.from(view) : view;
}

/** The way one socket is read. */
export class SocketReader {
  /** Much is coming: from the next read on the socket has buffers of its own. */
  private large = false;
  buffer: Buffer = SHARED;
  private isOpen = false;
  /** Never set: given no buffer, `node:net` goes on with the one that it has, which is the cheapest. */
  private readonly sameAgain!: Buffer;

  /** So many bytes of a body are to come. */
  expect(bytes: number): void {
    this.large = bytes > LARGE_BODY;
  }

  connect(options: NetConnectOpts, receiver: Receiver): Socket {
    const socket = connect({ ...options, onread: this.options() });
    setReceiver(socket, receiver);
    return socket;
  }

  /**
   * Takes over an accepted socket. `node:net` offers `onread` to those that connect only, so its handle moves
   * to a new socket. Where that does not work, or bytes of it have been read and put back, it stays as it is.
   */
  adopt(accepted: Socket, receiver: Receiver): Socket {
    const inner: AcceptedSocket = accepted;
    const { _handle: handle, _server: server, allowHalfOpen } = inner;
    const isFresh = accepted.constructor === Socket && accepted.bytesRead === 0;
    if (!isFresh || !handle) return this.listenTo(accepted, receiver);
    inner._handle = null;
    inner._server = null;
    const options = { handle, allowHalfOpen, onread: this.options() };
    const socket: Socket & AcceptedSocket = new Socket(options);
    setReceiver(socket, receiver);
    socket._server = server;
    return socket;
  }

  /** Reads what the socket emits, in buffers of its own. */
  listenTo<S extends Socket>(socket: S, receiver: Receiver): S {
    readStream(socket, receiver);
    return socket;
  }

  private options(): OnReadOpts {
    return readInto(() => this.nextBuffer());
  }

  /** Called before the first read and after each. */
  private nextBuffer(): Buffer {
    const { buffer } = this;
    if (this.isOpen && (this.large ? isIdle(buffer) : buffer === SHARED)) return this.sameAgain;
    this.isOpen = true;
    if (buffer !== SHARED) letGo(buffer);
    this.buffer = this.large ? takeLarge() : SHARED;
    return this.buffer;
  }
}

/** What `node:net` keeps in a socket that a server has accepted. */
interface AcceptedSocket {
  _handle?: BoundSocket | null;
  _server?: object | null;
  readonly allowHalfOpen: boolean;
}
