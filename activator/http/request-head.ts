import { parseConnection } from './connection-field.ts';
import { SPACE, TARGET, TOKEN } from './characters.ts';
import {
  type CutTable,
  Fields,
  FIELDS_OK,
  FIELDS_TOO_MANY,
  HOP_BY_HOP,
  makeCutTable,
  NOTHING,
  parseLength,
  parseTokens,
} from './fields.ts';
import { type Refusal, refusal } from '../refusal.ts';
import { isTraceparent } from './traceparent.ts';

const MALFORMED_LINE = refusal('bad_request', 'The request line is malformed.');
/** Bytes that a client must escape in the target. */
const UNESCAPED = [
  { found: /[^\p{ASCII}]/u, what: 'a byte that is not ASCII; write it as %XX' },
  { found: / /, what: 'a space; write it as %20' },
  { found: /#/, what: 'a #; write it as %23' },
].map(({ found, what }) => {
  return { found, refusal: refusal('bad_request', `The request target has ${what}.`) };
});
const VERSION = refusal('bad_request', 'Only HTTP/1.1 and HTTP/1.0 are spoken here.', {
  status: 505,
});
const MALFORMED_FIELD = refusal('bad_request', 'A header line is malformed.');
const TOO_MANY_FIELDS = refusal('header_too_large', 'There are more than 128 header lines.');
const HOST = refusal('bad_request', 'Exactly one valid Host header is needed.');
const LENGTH = refusal('bad_request', 'Content-Length must be one plain number.');
const LENGTH_AND_CODING = refusal(
  'bad_request',
  'Content-Length and Transfer-Encoding exclude each other.',
);
const CODING = refusal('not_implemented', 'The only transfer coding taken is chunked.');
const CODING_1_0 = refusal('bad_request', 'HTTP/1.0 has no transfer codings.');
const CONNECT = refusal('method_not_allowed', 'CONNECT is not served.');
const METHOD = refusal('not_implemented', 'This method is not known here.');
const ESCAPE = refusal('bad_request', 'The path has a % that no two hexadecimal digits follow.');
const LOOKALIKE = refusal('bad_request', 'A framing header is written with an underscore.');
const EXPECT = refusal('bad_request', 'The only expectation taken is 100-continue.', {
  status: 417,
});

/** Fields that are Rouse's to understand: which of two would be meant is not known. */
const AUTHORIZATION = 0;
const HOLD = 1;
const MODEL = 2;
const PRIORITY = 3;
const REQUEST_ID = 4;
const REVISION = 5;
const STATUS = 6;
const REPEATED = [
  'Authorization',
  'Rouse-Hold',
  'Rouse-Model',
  'Rouse-Priority',
  'Rouse-Request-Id',
  'Rouse-Revision',
  'Rouse-Status',
].map((name) => refusal('bad_request', `There is more than one ${name} header.`));

/** Registered methods. What an instance takes another one for is not known, so others are refused. */
const METHODS = new Set(
  (
    'GET HEAD POST PUT DELETE OPTIONS PATCH TRACE QUERY ACL BIND CHECKOUT COPY LINK LOCK MERGE MKACTIVITY ' +
    'MKCALENDAR MKCOL MOVE PROPFIND PROPPATCH PURGE REBIND REPORT SEARCH UNBIND UNLINK UNLOCK'
  ).split(' '),
);
/** A path whose every `%` starts an escape; what follows `?` may hold any. */
const ESCAPED_PATH = /^[^?%]*(?:%[0-9A-Fa-f]{2}[^?%]*)*(?:\?|$)/;
const AUTHORITY = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(?::([0-9]{0,5}))?$/;
const MAX_PORT = 65_535;

/** Fields of the connection and of the framing, and those that tell of the hops so far. */
export const WRITTEN_HERE: readonly string[] = [
  ...HOP_BY_HOP,
  'proxy-authorization',
  'te',
  'expect',
  'http2-settings',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'host',
];

/** Fields that end at this hop, or that only this hop may set. */
const ENDING_HERE = [
  ...WRITTEN_HERE,
  'rouse-hold',
  'rouse-priority',
  'rouse-request-id',
  'rouse-status',
  'rouse-shadow',
  'rouse-deadline',
  'rouse-webhook',
];
/** What a request that is sent later is not sent with: its answer is stored, for whoever asks for it. */
const CUT_LATER = makeCutTable(['prefer', 'accept-encoding']);
/** Without a trace that is understood, its state means nothing. */
const TRACE = ['traceparent', 'tracestate'];
const CUT = makeCutTable(ENDING_HERE);
const CUT_WITH_KEY = makeCutTable([...ENDING_HERE, 'authorization']);
const CUT_UNTRACED = makeCutTable([...ENDING_HERE, ...TRACE]);
const CUT_IN_PASSING = makeCutTable(WRITTEN_HERE);
const CUT_IN_PASSING_UNTRACED = makeCutTable([...WRITTEN_HERE, ...TRACE]);
const CUT_UNTRACED_WITH_KEY = makeCutTable([...ENDING_HERE, ...TRACE, 'authorization']);

/**
 * A parsed request head; one per connection, filled again for each request.
 * Everything that reaches the model is a slice of `fields.text` or was made here.
 */
export class RequestHead {
  readonly fields = new Fields();
  method = '';
  /** Origin form: starts with `/`, or is `*`. */
  target = '';
  /** Minor version: 0 or 1. */
  minor = 1;
  /** As sent, without its port; in lower case. */
  hostname = '';
  /** As sent. */
  host = '';
  /** -1: none. */
  contentLength = -1;
  chunked = false;
  keepAlive = true;
  /** The protocol asked for, or ''. */
  upgrade = '';
  expectContinue = false;
  rouseModel = '';
  rouseRevision = '';
  rouseHold = '';
  rousePriority = '';
  rouseStatus = '';
  rouseRequestId = '';
  /** All of them, as one list. */
  prefer = '';
  authorization = '';
  /** It belongs to a trace that the caller has begun. */
  traced = false;
  /** Fields that are for Rouse are read, and end here; else they are like all others. */
  private readonly isForUs: boolean;
  /** Set by `cutAuthorization`. */
  cutsAuthorization = false;
  /** Fields that end here on the way that this request takes. */
  private cutOnWay = NOTHING;
  private connection = '';
  private named: CutTable = [];
  private upgradeField = '';
  /** Which of the fields that may come once have come: a bit for each. */
  private once = 0;
  private hostCount = 0;
  /** What `hostname` was read from. */
  private knownHost = '';
  private codingCount = 0;
  private traceCount = 0;
  /** The last result of `forwardHead`: callers send the same head again and again. */
  private forwarded = '';
  private forwardedTo = '';
  private forwardedHost = '';

  constructor(isForUs = true) {
    this.isForUs = isForUs;
  }

  /** What was read last. */
  get text(): string {
    return this.fields.text;
  }

  /** Whether the Authorization was for Rouse, and ends here. */
  cutAuthorization(cuts: boolean): void {
    if (this.cutsAuthorization === cuts) return;
    this.cutsAuthorization = cuts;
    this.forwarded = '';
  }

  /** The way to the instance cuts these fields; undefined: none. */
  cutForWay(cut: CutTable | undefined): void {
    const cutOnWay = cut ?? NOTHING;
    if (this.cutOnWay === cutOnWay) return;
    this.cutOnWay = cutOnWay;
    this.forwarded = '';
  }

  get hasBody(): boolean {
    return this.chunked || this.contentLength > 0;
  }

  /** Reads a whole head, the empty line included. Undefined: understood. */
  read(text: string): Refusal | undefined {
    this.clear();
    const lineEnd = text.indexOf('\r\n');
    const wrong = this.readLine(text, lineEnd);
    if (wrong) return wrong;
    const result = this.fields.read(text, lineEnd + 2);
    if (result !== FIELDS_OK) return result === FIELDS_TOO_MANY ? TOO_MANY_FIELDS : MALFORMED_FIELD;
    for (let i = 0; i < this.fields.count; i += 1) {
      const bad = this.readField(i);
      if (bad) return bad;
    }
    return this.conclude();
  }

  /** Gives back what an idle connection need not keep; the next head is read as if it were the first. */
  forget(): void {
    this.clear();
    this.fields.forget();
    this.target = '';
    this.hostname = '';
    this.knownHost = '';
  }

  /** Nothing is known of a request any more: what was read before must not shape the next answer. */
  clear(): void {
    this.method = '';
    this.minor = 1;
    this.contentLength = -1;
    this.chunked = false;
    this.keepAlive = true;
    this.upgrade = '';
    this.expectContinue = false;
    this.clearOwn();
    this.cutsAuthorization = false;
    this.cutOnWay = NOTHING;
    this.connection = '';
    this.host = '';
    this.once = 0;
    this.hostCount = 0;
    this.codingCount = 0;
    this.forwarded = '';
    this.traced = false;
    this.traceCount = 0;
    this.upgradeField = '';
    this.fields.text = '';
  }

  private readLine(text: string, end: number): Refusal | undefined {
    let i = 0;
    while (TOKEN[text.charCodeAt(i)] === 1) i += 1;
    if (i === 0 || text.charCodeAt(i) !== SPACE) return MALFORMED_LINE;
    this.method = text.slice(0, i);
    const targetStart = i + 1;
    i = targetStart;
    while (TARGET[text.charCodeAt(i)] === 1) i += 1;
    if (i === targetStart || text.charCodeAt(i) !== SPACE) return explainLine(text.slice(0, end));
    this.target = text.slice(targetStart, i);
    if (!text.startsWith('HTTP/', i + 1)) return explainLine(text.slice(0, end));
    if (end !== i + 9) return explainLine(text.slice(0, end));
    const minor = text.charCodeAt(i + 8) - 0x30;
    if (!text.startsWith('1.', i + 6) || (minor !== 0 && minor !== 1)) return VERSION;
    this.minor = minor;
    if (METHODS.has(this.method)) return undefined;
    return this.method === 'CONNECT' ? CONNECT : METHOD;
  }

  /** Only names whose length matches one of interest are looked at closely. */
  private readField(i: number): Refusal | undefined {
    const { fields } = this;
    switch (fields.nameLength(i)) {
      case 4:
        if (fields.is(i, 'host')) {
          this.host = fields.value(i);
          this.hostCount += 1;
        }
        break;
      case 6:
        if (fields.is(i, 'expect')) {
          if (!fields.valueIs(i, '100-continue')) return EXPECT;
          this.expectContinue = true;
        } else if (fields.is(i, 'prefer')) this.prefer = joinLists(this.prefer, fields.value(i));
        break;
      case 7:
        if (fields.is(i, 'upgrade'))
          this.upgradeField = joinLists(this.upgradeField, fields.value(i));
        break;
      case 10:
        if (fields.is(i, 'connection')) {
          this.connection = joinLists(this.connection, fields.value(i));
        } else if (fields.is(i, 'rouse-hold')) {
          this.rouseHold = fields.value(i);
          return this.takeOnce(HOLD);
        }
        break;
      case 11:
        if (fields.is(i, 'rouse-model')) {
          this.rouseModel = fields.value(i);
          return this.takeOnce(MODEL);
        } else if (fields.is(i, 'traceparent')) this.readTraceparent(i);
        break;
      case 12:
        if (fields.is(i, 'rouse-status')) {
          this.rouseStatus = fields.value(i);
          return this.takeOnce(STATUS);
        }
        break;
      case 13:
        if (fields.is(i, 'authorization')) {
          this.authorization = fields.value(i);
          return this.takeOnce(AUTHORIZATION);
        }
        break;
      case 14:
        if (fields.is(i, 'content-length')) {
          const length = parseLength(fields.value(i));
          if (length < 0 || this.contentLength >= 0) return LENGTH;
          this.contentLength = length;
        } else if (fields.is(i, 'rouse-revision')) {
          this.rouseRevision = fields.value(i);
          return this.takeOnce(REVISION);
        } else if (fields.is(i, 'rouse-priority')) {
          this.rousePriority = fields.value(i);
          return this.takeOnce(PRIORITY);
        } else if (fields.isAlike(i, 'content-length')) return LOOKALIKE;
        break;
      case 16:
        if (fields.is(i, 'rouse-request-id')) {
          this.rouseRequestId = fields.value(i);
          return this.takeOnce(REQUEST_ID);
        }
        break;
      case 17:
        if (fields.is(i, 'transfer-encoding')) {
          this.codingCount += 1;
          if (this.codingCount > 1 || !fields.valueIs(i, 'chunked')) return CODING;
          this.chunked = true;
        } else if (fields.isAlike(i, 'transfer-encoding')) return LOOKALIKE;
        break;
      default:
    }
    return undefined;
  }

  /** The refusal of a second one, also where one of them is empty. */
  private takeOnce(field: number): Refusal | undefined {
    if (!this.isForUs) return undefined;
    if ((this.once & (1 << field)) !== 0) return REPEATED[field];
    this.once |= 1 << field;
    return undefined;
  }

  /** Two of them are none. */
  private readTraceparent(i: number): void {
    const { text, at } = this.fields;
    this.traceCount += 1;
    this.traced = this.traceCount === 1 && isTraceparent(text, at[i * 4 + 2]!, at[i * 4 + 3]!);
  }

  private conclude(): Refusal | undefined {
    if (this.chunked && this.contentLength >= 0) return LENGTH_AND_CODING;
    if (this.chunked && this.minor === 0) return CODING_1_0;
    const bad = this.resolveTarget();
    if (bad) return bad;
    this.readConnection();
    if (this.minor === 0) this.expectContinue = false;
    if (!this.isForUs) this.clearOwn();
    return undefined;
  }

  private clearOwn(): void {
    this.rouseModel = '';
    this.rouseRevision = '';
    this.rouseHold = '';
    this.rousePriority = '';
    this.rouseStatus = '';
    this.rouseRequestId = '';
    this.prefer = '';
    this.authorization = '';
  }

  /** Absolute form overrides Host, whatever Host says; HTTP/1.0 may come without Host. */
  private resolveTarget(): Refusal | undefined {
    if (this.hostCount > 1 || (this.hostCount === 0 && this.minor === 1)) return HOST;
    if (this.target.charCodeAt(0) !== 0x2f) {
      if (this.target === '*' && this.method === 'OPTIONS') return this.readHost();
      const wrong = this.readHost();
      if (wrong) return wrong;
      const absolute = /^https?:\/\/([^/?]+)([/?].*)?$/i.exec(this.target);
      if (!absolute) return MALFORMED_LINE;
      this.host = absolute[1] ?? '';
      const rest = absolute[2] ?? '/';
      this.target = rest.startsWith('/') ? rest : `/${rest}`;
    }
    if (this.target.includes('%') && !ESCAPED_PATH.test(this.target)) return ESCAPE;
    return this.readHost();
  }

  private readHost(): Refusal | undefined {
    if (this.host === '' && this.minor === 0) {
      this.hostname = '';
      this.knownHost = '';
      return undefined;
    }
    // The callers of one connection ask for one host, mostly.
    if (this.host !== '' && this.host === this.knownHost) return undefined;
    const parts = AUTHORITY.exec(this.host);
    if (!parts || Number(parts[2] ?? '') > MAX_PORT) return HOST;
    this.knownHost = this.host;
    this.hostname = (parts[1] ?? '').toLowerCase();
    return undefined;
  }

  private readConnection(): void {
    const { close, keepAlive, upgrade, named } = parseConnection(this.connection);
    this.named = named;
    this.keepAlive = !close && (this.minor === 1 || keepAlive);
    if (upgrade && this.mayUpgrade()) this.upgrade = this.upgradeField;
  }

  /**
   * Any upgrade may be ignored. One to cleartext HTTP/2 is, in whatever list: it is spoken with prior knowledge
   * only. So is one with a body, since it would not be known which bytes are still the body's.
   */
  private mayUpgrade(): boolean {
    if (this.minor === 0 || this.hasBody) return false;
    return !parseTokens(this.upgradeField).some((protocol) => protocol.startsWith('h2c'));
  }

  /**
   * The head that goes to the instance, without the empty line: hop-by-hop fields cut out, everything else
   * as it came, in slices of the original text.
   */
  forwardHead(target: string, host: string): string {
    if (this.forwarded !== '' && this.forwardedTo === target && this.forwardedHost === host) {
      return this.forwarded;
    }
    let text = `${this.method} ${target} HTTP/1.1\r\nHost: ${host}\r\n`;
    text += this.fields.forward(this.cutTable(), this.named, this.cutOnWay);
    text += this.framing();
    if (this.upgrade !== '') text += `Connection: Upgrade\r\nUpgrade: ${this.upgrade}\r\n`;
    this.forwarded = text;
    this.forwardedTo = target;
    this.forwardedHost = host;
    return text;
  }

  /** The field lines of a request that is sent later, by whomever: without those of this hop. */
  laterFields(): string {
    return this.fields.forward(this.cutTable(), this.named, CUT_LATER);
  }

  private cutTable(): CutTable {
    if (!this.isForUs) return this.traced ? CUT_IN_PASSING : CUT_IN_PASSING_UNTRACED;
    if (this.cutsAuthorization) return this.traced ? CUT_WITH_KEY : CUT_UNTRACED_WITH_KEY;
    return this.traced ? CUT : CUT_UNTRACED;
  }

  private framing(): string {
    if (this.chunked) return 'Transfer-Encoding: chunked\r\n';
    return this.contentLength < 0 ? '' : `Content-Length: ${this.contentLength}\r\n`;
  }
}

/** Two fields of one name are one list. */
function joinLists(first: string, second: string): string {
  return first === '' ? second : `${first},${second}`;
}

/** What is wrong with a request line that is none: mostly bytes of the target that a client did not escape. */
function explainLine(line: string): Refusal {
  const [, target = ''] = /^[^ ]+ ([^ ](?:.*[^ ])?) HTTP\/1\.[01]$/.exec(line) ?? [];
  return UNESCAPED.find(({ found }) => found.test(target))?.refusal ?? MALFORMED_LINE;
}
