import { Fields, FIELDS_OK, parseLength, parseTokens } from './fields.ts';

/** Fields of a response that end at this hop, or that only Rouse may set. */
const CUT = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'upgrade',
  'rouse-revision',
  'rouse-cold-start',
]);

const NEVER_NAMED = new Set(['content-length', 'transfer-encoding', 'close', 'keep-alive']);
const NO_NAMES: ReadonlySet<string> = new Set();

/** A parsed response head; one per upstream connection, filled again for each response. */
export class ResponseHead {
  readonly fields = new Fields();
  status = 0;
  minor = 1;
  contentLength = -1;
  chunked = false;
  keepAlive = true;
  upgrade = '';
  private statusLineEnd = 0;
  private connection = '';
  private codings = 0;

  /** Reads a whole head, the empty line included. False: not understood. */
  read(text: string): boolean {
    this.contentLength = -1;
    this.chunked = false;
    this.upgrade = '';
    this.connection = '';
    this.codings = 0;
    const line = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?\r\n/.exec(text);
    if (!line) return false;
    this.minor = Number(line[1]);
    this.status = Number(line[2]);
    this.statusLineEnd = line[0].length;
    if (this.fields.read(text, this.statusLineEnd) !== FIELDS_OK) return false;
    for (let i = 0; i < this.fields.count; i += 1) if (!this.readField(i)) return false;
    return this.conclude();
  }

  private readField(i: number): boolean {
    const { fields } = this;
    const length = fields.nameLength(i);
    if (length === 7 && fields.is(i, 'upgrade')) this.upgrade = fields.value(i);
    else if (length === 10 && fields.is(i, 'connection')) {
      this.connection += `${this.connection === '' ? '' : ','}${fields.value(i)}`;
    } else if (length === 14 && fields.is(i, 'content-length')) {
      const value = parseLength(fields.value(i));
      if (value < 0 || this.contentLength >= 0) return false;
      this.contentLength = value;
    } else if (length === 17 && fields.is(i, 'transfer-encoding')) {
      this.codings += 1;
      if (this.codings > 1 || !fields.valueIs(i, 'chunked')) return false;
      this.chunked = true;
    }
    return true;
  }

  private conclude(): boolean {
    if (this.chunked && (this.contentLength >= 0 || this.minor === 0)) return false;
    const tokens = this.connection === '' ? [] : parseTokens(this.connection);
    this.keepAlive = tokens.includes('close')
      ? false
      : this.minor === 1 || tokens.includes('keep-alive');
    return true;
  }

  /** Whether a body follows, given the method that was asked. */
  hasBody(method: string): boolean {
    if (method === 'HEAD' || this.status === 204 || this.status === 304) return false;
    return this.contentLength !== 0;
  }

  /** The status line and the fields that go on to the caller, without the empty line. */
  forwardHead(options: { dropFraming: boolean }): string {
    const { fields } = this;
    const named = this.connection === '' ? NO_NAMES : new Set(parseTokens(this.connection));
    let text = `HTTP/1.1 ${fields.text.slice(9, this.statusLineEnd)}`;
    let from = this.statusLineEnd;
    for (let i = 0; i < fields.count; i += 1) {
      if (!this.isCut(i, named, options.dropFraming)) continue;
      text += fields.text.slice(from, fields.lineStart(i));
      from = fields.lineEnd(i);
    }
    return text + fields.text.slice(from, fields.text.length - 2);
  }

  private isCut(i: number, named: ReadonlySet<string>, dropFraming: boolean): boolean {
    const name = this.fields.text
      .slice(this.fields.at[i * 4], this.fields.at[i * 4 + 1])
      .toLowerCase();
    if (dropFraming && name === 'transfer-encoding') return true;
    return CUT.has(name) || (named.has(name) && !NEVER_NAMED.has(name));
  }
}
