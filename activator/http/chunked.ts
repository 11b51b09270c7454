import { CR, HEX, LF, VALUE } from './characters.ts';
import { Fields, FIELDS_OK } from './fields.ts';
import { BAD_CHUNKS, BAD_TRAILERS, makeBodyTooLarge, makeForbiddenTrailer } from './refusals.ts';
import type { Refusal } from '../refusal.ts';

/** Bytes of one chunk-size line, extensions included. */
const MAX_LINE = 4096;
/** Bytes of all trailer fields together. */
const MAX_TRAILERS = 8192;
/** 2^52 bytes in one chunk are more than any body; 13 hex digits keep the number exact. */
const MAX_SIZE_DIGITS = 13;
/** Every reader understands sizes of so many digits. */
const MAX_PLAIN_DIGITS = 8;

const SIZE = 0;
const EXTENSION = 1;
const SIZE_LF = 2;
const DATA = 3;
const DATA_CR = 4;
const DATA_LF = 5;
const TRAILER = 6;
const DONE = 7;
const BROKEN = 8;

/** Fields that must not come as trailers, since they frame, route or authenticate, or are set by this hop. */
const FORBIDDEN_TRAILERS = [
  'content-length',
  'transfer-encoding',
  'host',
  'connection',
  'keep-alive',
  'proxy-connection',
  'upgrade',
  'expect',
  'trailer',
  'te',
  'authorization',
  'proxy-authorization',
  'cookie',
  'content-encoding',
  'content-type',
  'content-range',
  'set-cookie',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'rouse-deadline',
  'rouse-webhook',
  'prefer',
  'rouse-model',
  'rouse-hold',
  'rouse-priority',
  'rouse-request-id',
  'rouse-shadow',
  'rouse-status',
  'rouse-revision',
  'rouse-cold-start',
];

/**
 * Follows a chunked body byte by byte, across any split of its bytes. `scan` validates the framing and lists
 * the ranges of data in `data`; the next hop gets framing of our own, so extensions end here and all chunks
 * that arrive in one read leave as one. Chunks that came whole and plainly framed (`isPlain`) may go on as they
 * are, which is what streams of small chunks are made of.
 */
export class ChunkedScanner {
  /** Pairs of positions in the buffer that was scanned last. */
  readonly data: number[] = [];
  /** What was scanned last is a number of whole chunks without extensions, and not the last one. */
  isPlain = false;
  /** What is wrong, once `scan` has found that it is no body. */
  refusal = BAD_CHUNKS;
  private state = SIZE;
  private size = 0;
  private digits = 0;
  private lineBytes = 0;
  private trailers = '';
  /** Bytes of data: so many may come in all, and have come. */
  private limit = Number.POSITIVE_INFINITY;
  private total = 0;

  start(limit = Number.POSITIVE_INFINITY): void {
    this.startChunk();
    this.trailers = '';
    this.refusal = BAD_CHUNKS;
    this.limit = limit;
    this.total = 0;
  }

  get done(): boolean {
    return this.state === DONE;
  }

  /** The trailer fields as lines, without the empty line after them. */
  get trailerLines(): string {
    return this.trailers.slice(0, -2);
  }

  /** Returns the position after the last byte that belongs to the body; -1: it is malformed, or over the limit. */
  scan(buffer: Uint8Array, start: number, end: number): number {
    this.data.length = 0;
    this.isPlain = this.atStart;
    let i = start;
    while (i < end && this.state < DONE) {
      if (this.state === DATA) i = this.takeData(i, end);
      else {
        this.takeByte(buffer[i]!);
        i += 1;
      }
    }
    this.isPlain &&= this.atStart;
    return this.state === BROKEN ? -1 : i;
  }

  /** Between two chunks. */
  private get atStart(): boolean {
    return this.state === SIZE && this.digits === 0;
  }

  private startChunk(): void {
    this.state = SIZE;
    this.size = 0;
    this.digits = 0;
    this.lineBytes = 0;
  }

  private takeData(i: number, end: number): number {
    const length = Math.min(this.size, end - i);
    this.data.push(i, i + length);
    this.size -= length;
    this.total += length;
    if (this.total > this.limit) this.breakOver();
    else if (this.size === 0) this.state = DATA_CR;
    return i + length;
  }

  private breakOver(): void {
    this.refusal = makeBodyTooLarge(this.limit);
    this.state = BROKEN;
  }

  private takeByte(byte: number): void {
    switch (this.state) {
      case SIZE:
        this.takeSize(byte);
        break;
      case EXTENSION:
        this.lineBytes += 1;
        if (byte === CR) this.state = SIZE_LF;
        else if (VALUE[byte] !== 1 || this.lineBytes > MAX_LINE) this.state = BROKEN;
        break;
      case SIZE_LF:
        if (byte !== LF) this.state = BROKEN;
        else this.state = this.size === 0 ? TRAILER : DATA;
        break;
      case DATA_CR:
        this.state = byte === CR ? DATA_LF : BROKEN;
        break;
      case DATA_LF:
        if (byte === LF) this.startChunk();
        else this.state = BROKEN;
        break;
      default:
        this.takeTrailer(byte);
    }
  }

  private takeSize(byte: number): void {
    const digit = HEX[byte]!;
    if (digit !== 255 && this.digits < MAX_SIZE_DIGITS) {
      this.digits += 1;
      this.size = this.size * 16 + digit;
    } else if (this.digits === 0 || digit !== 255) this.state = BROKEN;
    else if (byte === CR) this.endSize(SIZE_LF);
    else this.endSize(byte === 0x3b ? EXTENSION : BROKEN);
  }

  private endSize(state: number): void {
    this.state = state;
    if (state !== SIZE_LF || this.digits > MAX_PLAIN_DIGITS) this.isPlain = false;
  }

  private takeTrailer(byte: number): void {
    this.trailers += String.fromCharCode(byte);
    if (this.trailers === '\r\n') {
      this.trailers = '';
      this.state = DONE;
    } else if (this.trailers.length > MAX_TRAILERS) this.state = BROKEN;
    else if (byte === LF && this.trailers.endsWith('\r\n\r\n')) this.endTrailers();
  }

  private endTrailers(): void {
    const wrong = checkTrailers(this.trailers);
    if (wrong) this.refusal = wrong;
    this.state = wrong ? BROKEN : DONE;
  }
}

/** `text`: field lines and the empty line after them. Undefined: they may be trailers. */
export function checkTrailers(text: string): Refusal | undefined {
  const fields = new Fields();
  if (fields.read(text, 0) !== FIELDS_OK) return BAD_TRAILERS;
  const forbidden = FORBIDDEN_TRAILERS.find((name) => fields.has(name));
  return forbidden === undefined ? undefined : makeForbiddenTrailer(forbidden);
}
