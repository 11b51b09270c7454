import { CR, LF } from './characters.ts';
import { indexOfEnd } from './fields.ts';
import type { RequestHead } from './request-head.ts';
import { refuseUnfinished } from './unfinished-head.ts';
import type { Refusal } from '../refusal.ts';

/** How HTTP/2 begins; to a parser of HTTP/1 it looks like a whole head. */
const PREFACE = 'PRI * HTTP/2.0\r\n\r\n';

/** Finds the heads of requests in what is read, one after the other. */
export class HeadReader {
  /** Why what was read last is no head, or cannot become one. */
  refusal: Refusal | undefined;
  /** The head that was read last is the one before. */
  isRepeated = false;
  /** What was refused last is how HTTP/2 begins. */
  isPreface = false;
  private readonly head: RequestHead;
  private readonly limit: number;
  /** Bytes of a head that is not whole in which no bare LF was found. */
  private seen = 0;

  /**
   * @param head where what is read goes.
   * @param limit bytes that a head may have.
   */
  constructor(head: RequestHead, limit: number) {
    this.head = head;
    this.limit = limit;
  }

  /** Reads the head that begins at `from`. Returns where the rest starts; -1: it is not whole. See `refusal`. */
  read(buffer: Buffer, from: number, to: number): number {
    const known = this.head.text;
    const after = from + known.length;
    this.isRepeated =
      known !== '' && after <= to && buffer.toString('latin1', from, after) === known;
    if (this.isRepeated) return this.end(after, undefined);
    const start = buffer[from] === CR && buffer[from + 1] === LF ? from + 2 : from;
    const end = indexOfEnd(buffer, start, to);
    if (end < 0 || end - start > this.limit) return this.wait(buffer, start, to);
    const text = buffer.toString('latin1', start, end);
    const refusal = this.head.read(text);
    this.isPreface = refusal !== undefined && start === from && text === PREFACE;
    return this.end(end, refusal);
  }

  private end(at: number, refusal: Refusal | undefined): number {
    this.refusal = refusal;
    this.seen = 0;
    return at;
  }

  private wait(buffer: Buffer, start: number, to: number): number {
    this.refusal = refuseUnfinished(buffer, start, to, this.seen, this.limit);
    this.seen = to - start;
    return -1;
  }
}
