import type { Socket } from 'node:net';
import { keep } from './socket-reader.ts';
import { lend } from './large-buffers.ts';

/** Up to this, bytes are cheaper joined to the text before them than written as a piece of their own. */
const SMALL = 4096;
/** As much text as is gathered before it is written. */
const MAX_TEXT = 32 * 1024;

/**
 * How a socket is written: heads, framing and small bodies that belong together leave as one string, in one
 * write. What is written between `cork` and `uncork` is gathered; nothing is left over after `uncork`.
 */
export class SocketWriter {
  private readonly socket: Socket;
  /** Latin-1, not written yet. */
  private text = '';
  private corked = false;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  /** The peer reads slower than this writes. */
  get isFull(): boolean {
    return this.socket.writableNeedDrain;
  }

  /** All that was written has left. */
  get isEmpty(): boolean {
    return this.socket.writableLength === 0;
  }

  cork(): void {
    this.corked = true;
  }

  uncork(): void {
    this.corked = false;
    this.flush();
  }

  /** `text`: Latin-1. */
  writeText(text: string): void {
    this.text = this.text === '' ? text : this.text + text;
    if (!this.corked || this.text.length > MAX_TEXT) this.flush();
  }

  /** False: the peer reads slower than this writes. */
  writeBytes(buffer: Buffer, from: number, to: number): boolean {
    if (to - from <= SMALL) this.writeText(buffer.toString('latin1', from, to));
    else this.writePiece(buffer, from, to);
    return !this.isFull;
  }

  writeRanges(buffer: Buffer, ranges: readonly number[]): boolean {
    for (let i = 0; i < ranges.length; i += 2) this.writeBytes(buffer, ranges[i]!, ranges[i + 1]!);
    return !this.isFull;
  }

  /** The ranges of `buffer` as one chunk of a chunked body. */
  writeChunk(buffer: Buffer, ranges: readonly number[]): boolean {
    let size = 0;
    for (let i = 0; i < ranges.length; i += 2) size += ranges[i + 1]! - ranges[i]!;
    if (size === 0) return !this.isFull;
    const { corked } = this;
    this.corked = true;
    this.writeText(`${size.toString(16)}\r\n`);
    this.writeRanges(buffer, ranges);
    this.corked = corked;
    this.writeText('\r\n');
    return !this.isFull;
  }

  private writePiece(buffer: Buffer, from: number, to: number): void {
    const done = lend(buffer);
    const piece = done ? buffer.subarray(from, to) : keep(buffer, from, to);
    if (this.text === '') {
      this.socket.write(piece, done);
      return;
    }
    this.socket.cork();
    this.flush();
    this.socket.write(piece, done);
    this.socket.uncork();
  }

  private flush(): void {
    const { text } = this;
    if (text === '') return;
    this.text = '';
    this.socket.write(text, 'latin1');
  }
}
