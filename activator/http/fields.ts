import { COLON, CR, equalsLower, LF, SPACE, TAB, TOKEN, VALUE } from './characters.ts';

/** More fields than any client sends; bounds the work and the memory per head. */
const MAX_FIELDS = 128;
/** Room for so many at first, which most requests have; doubled when it is not enough. */
const FIRST_FIELDS = 16;
/** Shared by all connections on which nothing has come yet. */
const NO_FIELDS = new Int32Array(0);

const END_OF_HEAD = Buffer.from('\r\n\r\n');
const UNDERSCORE = 0x5f;
const DASH = 0x2d;

export const FIELDS_OK = 0;
const FIELDS_MALFORMED = 1;
export const FIELDS_TOO_MANY = 2;

/**
 * The field lines of one head, as positions in its text. One per connection, used again for each message:
 * field `i` has its name at `at[4i]..at[4i+1]` and its value at `at[4i+2]..at[4i+3]`.
 */
export class Fields {
  text = '';
  count = 0;
  at = NO_FIELDS;

  forget(): void {
    this.text = '';
    this.count = 0;
    this.at = NO_FIELDS;
  }

  /**
   * Reads field lines from `start` to the empty line at the end of `text`. Refuses what RFC 9112 lets a
   * recipient refuse: a bare CR or LF, folded lines, space before the colon, empty names, control bytes.
   */
  read(text: string, start: number): number {
    this.text = text;
    this.count = 0;
    let i = start;
    while (text.charCodeAt(i) !== CR) {
      if (this.count === MAX_FIELDS) return FIELDS_TOO_MANY;
      i = this.readLine(text, i);
      if (i < 0) return FIELDS_MALFORMED;
    }
    return text.charCodeAt(i + 1) === LF && i + 2 === text.length ? FIELDS_OK : FIELDS_MALFORMED;
  }

  private grow(): void {
    const larger = new Int32Array(Math.max(FIRST_FIELDS * 4, this.at.length * 2));
    larger.set(this.at);
    this.at = larger;
  }

  private readLine(text: string, start: number): number {
    let i = start;
    while (TOKEN[text.charCodeAt(i)] === 1) i += 1;
    if (i === start || text.charCodeAt(i) !== COLON) return -1;
    const nameEnd = i;
    i += 1;
    while (text.charCodeAt(i) === SPACE || text.charCodeAt(i) === TAB) i += 1;
    const valueStart = i;
    while (VALUE[text.charCodeAt(i)] === 1) i += 1;
    if (text.charCodeAt(i) !== CR || text.charCodeAt(i + 1) !== LF) return -1;
    let valueEnd = i;
    while (valueEnd > valueStart && text.charCodeAt(valueEnd - 1) <= SPACE) valueEnd -= 1;
    const slot = this.count * 4;
    if (slot === this.at.length) this.grow();
    this.at[slot] = start;
    this.at[slot + 1] = nameEnd;
    this.at[slot + 2] = valueStart;
    this.at[slot + 3] = valueEnd;
    this.count += 1;
    return i + 2;
  }

  /** Length of the name of field `i`: the cheap first test before `is`. */
  nameLength(i: number): number {
    return this.at[i * 4 + 1]! - this.at[i * 4]!;
  }

  is(i: number, lower: string): boolean {
    return this.nameLength(i) === lower.length && equalsLower(this.text, this.at[i * 4]!, lower);
  }

  value(i: number): string {
    return this.text.slice(this.at[i * 4 + 2], this.at[i * 4 + 3]);
  }

  /** As `is`, and true as well for `_` in the place of `-`: to programs that read fields as CGI does they are one. */
  isAlike(i: number, lower: string): boolean {
    if (this.nameLength(i) !== lower.length) return false;
    const start = this.at[i * 4]!;
    for (let k = 0; k < lower.length; k += 1) {
      const code = this.text.charCodeAt(start + k);
      const folded = code === UNDERSCORE ? DASH : code >= 0x41 && code <= 0x5a ? code | 0x20 : code;
      if (folded !== lower.charCodeAt(k)) return false;
    }
    return true;
  }

  valueIs(i: number, lower: string): boolean {
    const start = this.at[i * 4 + 2]!;
    return this.at[i * 4 + 3]! - start === lower.length && equalsLower(this.text, start, lower);
  }

  /** Whether there is a field of that name, or one that may be taken for it. */
  has(lower: string): boolean {
    for (let i = 0; i < this.count; i += 1) if (this.isAlike(i, lower)) return true;
    return false;
  }

  /** Value of the first field of that name (given in lower case), or ''. */
  find(lower: string): string {
    for (let i = 0; i < this.count; i += 1) if (this.is(i, lower)) return this.value(i);
    return '';
  }

  /** Values of all fields of that name (given in lower case), joined by commas; '' without any. */
  findAll(lower: string): string {
    let all = '';
    for (let i = 0; i < this.count; i += 1) {
      if (this.is(i, lower)) all += `${all === '' ? '' : ', '}${this.value(i)}`;
    }
    return all;
  }

  /**
   * The field lines that go on to the next hop, without the empty line, in slices of the original text.
   *
   * @param cut fields that end here, `named`: those that the message itself says end here, and `more` of them.
   */
  forward(cut: CutTable, named: CutTable, more: CutTable = NOTHING): string {
    if (this.count === 0) return '';
    let kept = '';
    let from = this.lineStart(0);
    for (let i = 0; i < this.count; i += 1) {
      if (!this.isIn(i, cut) && !this.isIn(i, named) && !this.isIn(i, more)) continue;
      kept += this.text.slice(from, this.lineStart(i));
      from = i + 1 < this.count ? this.lineStart(i + 1) : this.text.length - 2;
    }
    return kept + this.text.slice(from, this.text.length - 2);
  }

  private isIn(i: number, table: CutTable): boolean {
    const names = table[this.nameLength(i)];
    if (names === undefined) return false;
    for (const name of names) if (this.isAlike(i, name)) return true;
    return false;
  }

  private lineStart(i: number): number {
    return this.at[i * 4]!;
  }
}

/** Where the head that starts at `from` ends, its empty line included; -1: not before `to`. */
export function indexOfEnd(buffer: Buffer, from: number, to: number): number {
  let i = buffer.indexOf(END_OF_HEAD, from);
  i = i < 0 ? i : i + END_OF_HEAD.length;
  return i > to ? -1 : i;
}

/** Field names in lower case, by their length: most fields are told apart by that alone. */
export type CutTable = readonly (readonly string[] | undefined)[];

export const NOTHING: CutTable = [];

/** Fields that end at each hop, in requests and in responses. The framing is always written anew. */
export const HOP_BY_HOP: readonly string[] = [
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'upgrade',
];

export function makeCutTable(names: readonly string[]): CutTable {
  const table: string[][] = [];
  for (const name of names) (table[name.length] ??= []).push(name);
  return table;
}

/** A length as `1*DIGIT` that fits a safe integer, or -1. No sign, no space, no list. */
export function parseLength(text: string): number {
  if (text.length === 0 || text.length > 15) return -1;
  let value = 0;
  for (let i = 0; i < text.length; i += 1) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** The tokens of a comma-separated list, in lower case. */
export function parseTokens(value: string): string[] {
  return value
    .toLowerCase()
    .split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '');
}
