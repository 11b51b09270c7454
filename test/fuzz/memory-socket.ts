import { EventEmitter } from 'node:events';
import type { OnReadOpts } from 'node:net';

/** Things to do later, in order; nothing else lets time pass in here. */
export interface Turns {
  later(step: () => void): void;
}

/**
 * The activator's end of a connection that is no connection: the part of `net.Socket` that the data plane uses,
 * without a system call. What it writes is kept; what it is to read is delivered.
 */
export class MemorySocket extends EventEmitter {
  readonly remoteAddress = '192.0.2.1';
  readonly bytesRead = 0;
  readonly writableNeedDrain = false;
  destroyed = false;
  /** The activator has ended its side. */
  finished = false;
  /** It was broken off. */
  reset = false;
  private readonly turns: Turns;
  private readonly onread: OnReadOpts | undefined;
  private readonly inbox: Buffer[] = [];
  private written: Buffer[] = [];
  private target: Uint8Array = new Uint8Array(0);
  private paused = false;
  private peerEnded = false;

  constructor(turns: Turns, onread?: OnReadOpts) {
    super();
    this.turns = turns;
    this.onread = onread;
  }

  // What a test does

  /** Bytes from the other side. */
  deliver(bytes: Buffer): void {
    this.inbox.push(bytes);
    this.read();
  }

  /** The other side has ended. */
  deliverEnd(): void {
    this.peerEnded = true;
    this.read();
  }

  /** What was written since the last call. */
  takeWritten(): Buffer {
    const all = this.written.length === 1 ? this.written[0]! : Buffer.concat(this.written);
    this.written = [];
    return all;
  }

  // What the data plane does

  setKeepAlive(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setTimeout(): this {
    return this;
  }

  write(data: string | Buffer, how?: string | (() => void), done?: () => void): boolean {
    if (this.destroyed || this.finished) return false;
    // A copy: the buffer is the writer's again after `done`.
    this.written.push(typeof data === 'string' ? Buffer.from(data, 'latin1') : Buffer.from(data));
    const callback = typeof how === 'function' ? how : done;
    if (callback) this.turns.later(callback);
    return true;
  }

  cork(): void {}

  uncork(): void {}

  pause(): this {
    this.paused = true;
    return this;
  }

  resume(): this {
    this.paused = false;
    this.turns.later(() => this.read());
    return this;
  }

  isPaused(): boolean {
    return this.paused;
  }

  end(data?: string | Buffer): this {
    if (data !== undefined) this.write(data);
    this.finished = true;
    return this;
  }

  destroy(error?: Error): this {
    if (this.destroyed) return this;
    this.destroyed = true;
    this.turns.later(() => {
      if (error) this.emit('error', error);
      this.emit('close');
    });
    return this;
  }

  destroySoon(): void {
    this.finished = true;
    this.destroy();
  }

  resetAndDestroy(): this {
    this.reset = true;
    return this.destroy();
  }

  private read(): void {
    while (!this.paused && !this.destroyed && this.inbox.length > 0) this.hand(this.inbox.shift()!);
    if (!this.peerEnded || this.paused || this.destroyed || this.inbox.length > 0) return;
    this.peerEnded = false;
    this.emit('end');
  }

  /** As `net.Socket` does: without a new buffer it goes on with the one that it has. */
  private bufferOf({ buffer }: OnReadOpts): Uint8Array {
    const made: unknown = typeof buffer === 'function' ? buffer() : buffer;
    if (made instanceof Uint8Array) this.target = made;
    return this.target;
  }

  /** Into the reader's own buffer, where it has one; that is overwritten at once, as the next read would. */
  private hand(bytes: Buffer): void {
    if (!this.onread) {
      this.emit('data', bytes);
      return;
    }
    for (let at = 0; at < bytes.length && !this.destroyed;) {
      const { onread } = this;
      const target = this.bufferOf(onread);
      const length = Math.min(target.length, bytes.length - at);
      target.set(bytes.subarray(at, at + length));
      at += length;
      // As `net.Socket` calls it: as a method of its own.
      onread.callback.call(this, length, target);
      target.fill(0x21, 0, Math.min(target.length, length));
    }
  }
}
