import { ChunkedScanner } from './chunked.ts';
import { BAD_CHUNKS } from './refusals.ts';
import type { Refusal } from '../refusal.ts';

const NOTHING: readonly number[] = [];

/** How a body ends: after so many bytes, with its last chunk, or with the connection. */
const LENGTH = 0;
const CHUNKED = 1;
const UNTIL_CLOSE = 2;

/** From where to where bytes are chunks of a chunked body, whole and with nothing but their sizes before them. */
export type Framed = readonly [from: number, to: number];

/** Finds one message's body in what is read, by its framing; used again for the next. */
export class BodyReader {
  /** Pairs of positions in the buffer that was read last, which are the body's. Valid until the next `read`. */
  data = NOTHING;
  /** Bytes that are still to come, where that is known; otherwise 0. */
  left = 0;
  private framing = LENGTH;
  private readonly range: [number, number] = [0, 0];
  /** Made with the first chunked body: most connections never have one. */
  private scanner: ChunkedScanner | undefined;

  startLength(bytes: number): void {
    this.framing = LENGTH;
    this.left = bytes;
  }

  /** `limit`: bytes of data that it may have. */
  startChunks(limit = Number.POSITIVE_INFINITY): void {
    this.framing = CHUNKED;
    this.left = 0;
    this.scanner ??= new ChunkedScanner();
    this.scanner.start(limit);
  }

  startUntilClose(): void {
    this.framing = UNTIL_CLOSE;
    this.left = 0;
  }

  get endsWithConnection(): boolean {
    return this.framing === UNTIL_CLOSE;
  }

  /** Not of a body that ends with its connection: that is for whoever sees it close. */
  get done(): boolean {
    if (this.framing === CHUNKED) return this.scanner?.done === true;
    return this.framing === LENGTH && this.left === 0;
  }

  /** Field lines that ended a chunked body, or ''. */
  get trailers(): string {
    return this.framing === CHUNKED ? (this.scanner?.trailerLines ?? '') : '';
  }

  /** What was read last may go on as it is, framing and all. */
  get isPlain(): boolean {
    return this.framing === CHUNKED && this.scanner?.isPlain === true;
  }

  /** What is wrong, after `read` has found that it is no body. */
  get refusal(): Refusal {
    return this.scanner?.refusal ?? BAD_CHUNKS;
  }

  /** Returns the position after the last byte that belongs to the body; -1: its chunks are malformed, or too much. */
  read(buffer: Buffer, from: number, to: number): number {
    if (this.framing === CHUNKED && this.scanner) {
      const end = this.scanner.scan(buffer, from, to);
      this.data = this.scanner.data;
      return end;
    }
    const end = this.framing === LENGTH ? Math.min(to, from + this.left) : to;
    if (this.framing === LENGTH) this.left -= end - from;
    this.range[0] = from;
    this.range[1] = end;
    this.data = end > from ? this.range : NOTHING;
    return end;
  }
}
