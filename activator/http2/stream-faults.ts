import { constants, type Http2Session } from 'node:http2';

/** Of nghttp2: what came is against the protocol. */
const ERR_PROTO = -505;
/** How long a reset may wait for what is being written before it; ms. */
const WAIT_MS = 1000;

/**
 * A body that is longer than its `content-length` is the fault of a stream (RFC 9113, 8.1.1), and nghttp2 resets that one.
 * But it tells of it as it does of a connection's fault, and `node:http2` destroys the session for either. So a session
 * lives on for a moment: a stream that is reset meanwhile was at fault; if there is none, the connection was.
 *
 * Of such a connection nghttp2 reads nothing more, and it has sent its GOAWAY. Who makes it look sound, by a stream that is
 * reset at the same moment, has a connection that nothing is read of.
 */
export class StreamFaults {
  private readonly destroy: Http2Session['destroy'];
  private readonly now: () => number;
  /** Told, and not known to be a stream's. */
  private open = 0;
  /** The last one. */
  private error: Error | undefined;
  /** ms. */
  private since = 0;

  /** `session`: destroyed by `node:http2` only when it is at fault itself. */
  constructor(session: Http2Session, now: () => number) {
    this.destroy = session.destroy.bind(session);
    this.now = now;
    session.destroy = (error, code) => {
      if (code === undefined && error && 'errno' in error && error.errno === ERR_PROTO) {
        this.add(error);
      } else this.destroy(error, code);
    };
  }

  /** There is a fault, and it is not known whose. */
  get isOpen(): boolean {
    return this.open > 0;
  }

  private add(error: Error): void {
    this.open += 1;
    this.error = error;
    this.since = this.now();
  }

  /** A stream of the session has closed, with this code. */
  onStreamClosed(code: number | undefined): void {
    if (this.open > 0 && code === constants.NGHTTP2_PROTOCOL_ERROR) this.open -= 1;
  }

  sweep(now: number): void {
    if (this.open > 0 && now >= this.since + WAIT_MS) this.destroy(this.error);
  }
}
