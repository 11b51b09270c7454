import { parseConnection } from './connection-field.ts';
import {
  type CutTable,
  Fields,
  FIELDS_OK,
  HOP_BY_HOP,
  makeCutTable,
  parseLength,
} from './fields.ts';

/** Fields of a response that end at this hop, or that only Rouse may set. */
const CUT = makeCutTable([...HOP_BY_HOP, 'rouse-revision', 'rouse-cold-start']);

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?\r\n/;
/** What nearly all responses start with. */
const OK = 'HTTP/1.1 200 OK\r\n';

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
  private named: CutTable = [];
  private codings = 0;
  /** The last result of `forwardHead`: servers send the same head again and again. */
  private forwarded = '';

  /** What was read last. */
  get text(): string {
    return this.fields.text;
  }

  /** Reads a whole head, the empty line included. False: not understood. */
  read(text: string): boolean {
    this.contentLength = -1;
    this.chunked = false;
    this.upgrade = '';
    this.connection = '';
    this.codings = 0;
    this.forwarded = '';
    if (!this.readLine(text)) return false;
    if (this.fields.read(text, this.statusLineEnd) !== FIELDS_OK) return false;
    for (let i = 0; i < this.fields.count; i += 1) if (!this.readField(i)) return false;
    return this.conclude();
  }

  private readLine(text: string): boolean {
    if (text.startsWith(OK)) {
      this.minor = 1;
      this.status = 200;
      this.statusLineEnd = OK.length;
      return true;
    }
    const line = STATUS_LINE.exec(text);
    if (!line) return false;
    this.minor = Number(line[1]);
    this.status = Number(line[2]);
    this.statusLineEnd = line[0].length;
    return true;
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
    const { close, keepAlive, named } = parseConnection(this.connection);
    this.named = named;
    this.keepAlive = !close && (this.minor === 1 || keepAlive);
    // Who says that a 204 has a body may send one: it would be taken for the next response.
    if (this.status === 204 && (this.chunked || this.contentLength > 0)) this.keepAlive = false;
    return true;
  }

  /** By its status, whatever its fields say. */
  private get isBodiless(): boolean {
    return this.status < 200 || this.status === 204;
  }

  /** Whether a body follows, given the method that was asked. */
  hasBody(method: string): boolean {
    if (method === 'HEAD' || this.status === 204 || this.status === 304) return false;
    return this.contentLength !== 0;
  }

  /**
   * The status line and the fields that go on to the caller, without the empty line. The length is among them, but
   * not for 1xx and 204, which must not say one; the coding is not.
   */
  forwardHead(): string {
    if (this.forwarded !== '') return this.forwarded;
    const line = this.fields.text.slice(9, this.statusLineEnd);
    const hasLength = this.contentLength >= 0 && !this.isBodiless;
    const length = hasLength ? `Content-Length: ${this.contentLength}\r\n` : '';
    this.forwarded = `HTTP/1.1 ${line}${this.fields.forward(CUT, this.named)}${length}`;
    return this.forwarded;
  }
}
