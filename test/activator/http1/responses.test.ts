import { afterAll, beforeAll, expect, test } from 'vitest';
import { useTeardown } from '#test/teardown.ts';
import { startBareInstance } from '../bare-instance.ts';
import { dial, type Harness, makeInstance, makeModel, startHarness } from '../harness.ts';
import { type RecordingInstance, startRecordingInstance } from '../recording-instance.ts';

/** What an instance sends, and what its caller gets of it. */
interface Row {
  readonly name: string;
  /** What the instance writes for the first request; a list: in separate pieces. */
  readonly sends: string | readonly string[];
  /** It closes its side after that. */
  readonly closes?: boolean;
  /** Fields of the request, and what it is otherwise. */
  readonly method?: string;
  readonly minor?: 0 | 1;
  readonly fields?: string;
  /** Exactly what the caller gets, without the fields that Rouse adds; a status: a refusal with it. */
  readonly gets: string | number;
  /** What the caller gets ends without being whole. */
  readonly cut?: boolean;
  /** The connection to the instance is used for the next request. */
  readonly reused?: boolean;
}

const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const OK = 'HTTP/1.1 200 OK\r\n';
const END = '0\r\n\r\n';
/** What the second request on the caller's connection is answered with. */
const SECOND = `${OK}Content-Length: 6\r\n\r\nsecond`;

const ROWS: readonly Row[] = [
  {
    name: 'a length',
    sends: `${OK}Content-Length: 5\r\n\r\nhello`,
    gets: `${OK}Content-Length: 5\r\n\r\nhello`,
    reused: true,
  },
  {
    name: 'a length in an unusual spelling, which is written anew',
    sends: `${OK}Content-Length:\t 005 \r\nX: 1\r\n\r\nhello`,
    gets: `${OK}X: 1\r\nContent-Length: 5\r\n\r\nhello`,
    reused: true,
  },
  {
    name: 'chunks with extensions, which are dropped',
    sends: `${OK}${CHUNKED}\r\n5;a="b"\r\nhello\r\n000;c\r\n\r\n`,
    gets: `${OK}${CHUNKED}\r\n5\r\nhello\r\n${END}`,
    reused: true,
  },
  {
    name: 'chunked in capitals, which is written anew',
    sends: `${OK}transfer-encoding:CHUNKED\r\n\r\n5\r\nhello\r\n${END}`,
    gets: `${OK}${CHUNKED}\r\n5\r\nhello\r\n${END}`,
    reused: true,
  },
  {
    name: 'trailers',
    sends: `${OK}${CHUNKED}\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n`,
    gets: `${OK}${CHUNKED}\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n`,
    reused: true,
  },
  {
    name: 'chunks for an HTTP/1.0 caller',
    sends: `${OK}${CHUNKED}\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n`,
    minor: 0,
    gets: `${OK}Connection: close\r\n\r\nhello`,
  },
  {
    name: 'no length: until the connection ends',
    sends: `${OK}\r\nhello`,
    closes: true,
    gets: `${OK}${CHUNKED}\r\n5\r\nhello\r\n${END}`,
  },
  {
    name: 'HTTP/1.0 without length',
    sends: 'HTTP/1.0 200 Fine\r\n\r\nhello',
    closes: true,
    gets: `HTTP/1.1 200 Fine\r\n${CHUNKED}\r\n5\r\nhello\r\n${END}`,
  },
  {
    name: 'HTTP/1.0 that is kept alive',
    sends: 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello',
    gets: `${OK}Content-Length: 5\r\n\r\nhello`,
    reused: true,
  },
  {
    name: 'HTTP/1.0 with a length, which is not kept alive',
    sends: 'HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello',
    gets: `${OK}Content-Length: 5\r\n\r\nhello`,
  },
  {
    name: 'Connection: close',
    sends: `${OK}Connection: close\r\nContent-Length: 5\r\n\r\nhello`,
    gets: `${OK}Content-Length: 5\r\n\r\nhello`,
  },
  {
    name: 'informational heads: 100 ends here, others go on without framing',
    sends:
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 7\r\n\r\n' +
      `${OK}Content-Length: 5\r\n\r\nhello`,
    gets: `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}Content-Length: 5\r\n\r\nhello`,
    reused: true,
  },
  {
    name: 'informational heads for an HTTP/1.0 caller, which knows none',
    sends: `HTTP/1.1 103 Early Hints\r\n\r\n${OK}Content-Length: 5\r\n\r\nhello`,
    minor: 0,
    gets: `${OK}Content-Length: 5\r\nConnection: close\r\n\r\nhello`,
    reused: true,
  },
  {
    name: '204 that says it has a body',
    sends: 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n',
    gets: 'HTTP/1.1 204 No Content\r\n\r\n',
  },
  {
    name: '204 with a body',
    sends: 'HTTP/1.1 204 No Content\r\n\r\nhello',
    gets: 'HTTP/1.1 204 No Content\r\n\r\n',
  },
  {
    name: '204 in chunks',
    sends: `HTTP/1.1 204 No Content\r\n${CHUNKED}\r\n5\r\nhello\r\n${END}`,
    gets: 'HTTP/1.1 204 No Content\r\n\r\n',
  },
  {
    name: '304 with a length, and no body',
    sends: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
    gets: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
    reused: true,
  },
  {
    name: '304 with a body',
    sends: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello',
    gets: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
  },
  {
    name: 'HEAD with a length, and no body',
    sends: `${OK}Content-Length: 5\r\n\r\n`,
    method: 'HEAD',
    gets: `${OK}Content-Length: 5\r\n\r\n`,
    reused: true,
  },
  {
    name: 'HEAD with a body',
    sends: `${OK}Content-Length: 5\r\n\r\nhello`,
    method: 'HEAD',
    gets: `${OK}Content-Length: 5\r\n\r\n`,
  },
  {
    name: 'HEAD in chunks',
    sends: `${OK}${CHUNKED}\r\n`,
    method: 'HEAD',
    gets: `${OK}\r\n`,
    reused: true,
  },
  {
    name: 'bytes after the end, another response even',
    sends: `${OK}Content-Length: 5\r\n\r\nhello${OK}Content-Length: 4\r\n\r\nevil`,
    gets: `${OK}Content-Length: 5\r\n\r\nhello`,
  },
  {
    name: 'bytes after the last chunk',
    sends: `${OK}${CHUNKED}\r\n5\r\nhello\r\n${END}${OK}Content-Length: 4\r\n\r\nevil`,
    gets: `${OK}${CHUNKED}\r\n5\r\nhello\r\n${END}`,
  },
  {
    name: 'fields that Connection names, and those of this hop',
    sends:
      `${OK}Connection: X-Secret, Content-Length\r\nX-Secret: 1\r\nKeep-Alive: timeout=9\r\nUpgrade: a\r\n` +
      'Proxy-Authenticate: x\r\nRouse-Revision: fake\r\nX: 1\r\nContent-Length: 5\r\n\r\nhello',
    gets: `${OK}X: 1\r\nContent-Length: 5\r\n\r\nhello`,
    reused: true,
  },
  {
    name: 'a switch of protocols that was asked for',
    fields: 'Connection: Upgrade\r\nUpgrade: echo\r\n',
    sends: 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: Echo\r\n\r\nraw',
    closes: true,
    gets: 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: Echo\r\n\r\nraw',
  },
  {
    name: 'a switch that was asked for and not made: who reads on as if it was, does so alone',
    fields: 'Connection: Upgrade\r\nUpgrade: echo\r\n',
    sends: `${OK}Content-Length: 5\r\n\r\nhello`,
    gets: `${OK}Content-Length: 5\r\n\r\nhello`,
  },
  {
    name: 'a switch to another protocol than was asked for',
    fields: 'Connection: Upgrade\r\nUpgrade: echo\r\n',
    sends: 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n',
    gets: 502,
  },
  {
    name: 'a switch that says no protocol',
    fields: 'Connection: Upgrade\r\nUpgrade: echo\r\n',
    sends: 'HTTP/1.1 101 Switching Protocols\r\n\r\n',
    gets: 502,
  },
  {
    name: 'a switch that nobody asked for',
    sends: 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n',
    gets: 502,
  },
  {
    name: 'both framings',
    sends: `${OK}Content-Length: 5\r\n${CHUNKED}\r\n0\r\n\r\n`,
    gets: 502,
  },
  { name: 'two lengths', sends: `${OK}Content-Length: 5\r\nContent-Length: 5\r\n\r\n`, gets: 502 },
  { name: 'a list of lengths', sends: `${OK}Content-Length: 5, 5\r\n\r\nhello`, gets: 502 },
  { name: 'a length with a sign', sends: `${OK}Content-Length: +5\r\n\r\nhello`, gets: 502 },
  { name: 'another coding', sends: `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`, gets: 502 },
  {
    name: 'identity, which is no coding any more',
    sends: `${OK}Transfer-Encoding: identity\r\n\r\nhello`,
    gets: 502,
  },
  {
    name: 'chunks in HTTP/1.0',
    sends: `HTTP/1.0 200 OK\r\n${CHUNKED}\r\n${END}`,
    gets: 502,
  },
  {
    name: 'bare LF',
    sends: 'HTTP/1.1 200 OK\nContent-Length: 5\n\nhello',
    closes: true,
    gets: 502,
  },
  { name: 'a bare LF between fields', sends: `${OK}A: b\nC: d\r\n\r\n`, gets: 502 },
  { name: 'a bare CR in a value', sends: `${OK}A: b\rc\r\n\r\n`, gets: 502 },
  { name: 'a folded field', sends: `${OK}A: b\r\n c\r\n\r\n`, gets: 502 },
  { name: 'a space before the colon', sends: `${OK}Content-Length : 5\r\n\r\nhello`, gets: 502 },
  { name: 'NUL in a value', sends: `${OK}A: \0\r\n\r\n`, gets: 502 },
  { name: 'a status of two digits', sends: 'HTTP/1.1 20 OK\r\n\r\n', gets: 502 },
  { name: 'a status of four digits', sends: 'HTTP/1.1 2000 OK\r\n\r\n', gets: 502 },
  { name: 'a status below 100', sends: 'HTTP/1.1 099 No\r\n\r\n', gets: 502 },
  { name: 'no status', sends: 'HTTP/1.1 OK\r\n\r\n', gets: 502 },
  { name: 'HTTP/2 in the line', sends: 'HTTP/2.0 200 OK\r\n\r\n', gets: 502 },
  { name: 'another protocol', sends: 'ICY 200 OK\r\n\r\n', gets: 502 },
  { name: 'an empty line first', sends: `\r\n${OK}Content-Length: 0\r\n\r\n`, gets: 502 },
  { name: 'a head over the limit', sends: `${OK}A: ${'b'.repeat(70_000)}`, gets: 502 },
  { name: 'nothing at all', sends: '', closes: true, gets: 502 },
  { name: 'half a head', sends: 'HTTP/1.1 200 O', closes: true, gets: 502 },
  {
    name: 'a head and a broken chunk in one piece',
    sends: `${OK}${CHUNKED}\r\n5\r\nhello\r\nzz\r\n`,
    gets: 502,
  },
  {
    name: 'a broken chunk after a good one was passed on',
    sends: [`${OK}${CHUNKED}\r\n5\r\nhello\r\n`, 'zz\r\n'],
    gets: `${OK}${CHUNKED}\r\n5\r\nhello\r\n`,
    cut: true,
  },
  {
    name: 'a chunk whose end is a bare LF',
    sends: `${OK}${CHUNKED}\r\n5\r\nhello\n${END}`,
    gets: 502,
  },
  {
    name: 'a trailer that frames',
    sends: `${OK}${CHUNKED}\r\n0\r\nContent-Length: 5\r\n\r\n`,
    gets: 502,
  },
  {
    name: 'a length that is not reached',
    sends: `${OK}Content-Length: 50\r\n\r\nhello`,
    closes: true,
    gets: `${OK}Content-Length: 50\r\n\r\nhello`,
    cut: true,
  },
  {
    name: 'chunks without a last one',
    sends: `${OK}${CHUNKED}\r\n5\r\nhello\r\n`,
    closes: true,
    gets: `${OK}${CHUNKED}\r\n5\r\nhello\r\n`,
    cut: true,
  },
];

let row: Row;
let harness: Harness;
let instance: RecordingInstance;
const teardown = useTeardown();

beforeAll(async () => {
  harness = await startHarness();
  instance = await startRecordingInstance((request, socket) => {
    if (request.head.startsWith('GET /second ')) {
      socket.write(SECOND);
      return;
    }
    const pieces = typeof row.sends === 'string' ? [row.sends] : row.sends;
    const next = (i: number): void => {
      if (i < pieces.length) {
        socket.write(pieces[i]!, 'latin1', () => setImmediate(() => setImmediate(next, i + 1)));
      } else if (row.closes) socket.end();
    };
    next(0);
  });
  harness.publisher.update({ models: [makeModel()], instances: [makeInstance(instance.port)] });
  await harness.activator.ready;
});

afterAll(async () => {
  await harness.close();
  await instance.close();
});

/** Without what differs from time to time or is Rouse's own. */
function plain(text: string): string {
  return text.replaceAll(/(?:Rouse-Revision|Rouse-Cold-Start|Server-Timing): [^\r]*\r\n/g, '');
}

const P = '/models/default/digits';

test.each(ROWS)('$name', async (given) => {
  row = given;
  instance.requests.length = 0;
  const { method = 'GET', minor = 1, fields = '' } = row;
  const client = await dial(harness.port);
  client.socket.write(
    `${method} ${P}/first HTTP/1.${minor}\r\nHost: h\r\n${fields}\r\n` +
      `GET ${P}/second HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`,
  );
  const text = plain(await client.closed);
  const rest = afterFirst(text);
  const isLast = minor === 0 || row.cut === true || text.startsWith('HTTP/1.1 101');
  const second = SECOND.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');
  expect(rest).toBe(isLast ? '' : second);
  if (isLast) return;
  const [first, next] = instance.requests.map((request) => request.connection);
  expect(first === next).toBe(row.reused === true);
});

/** Checks the first answer; returns what follows it. */
function afterFirst(text: string): string {
  if (typeof row.gets === 'string') {
    expect(text.slice(0, row.gets.length)).toBe(row.gets);
    return text.slice(row.gets.length);
  }
  expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${row.gets} `));
  const length = Number(/Content-Length: (\d+)/.exec(text)?.[1]);
  const end = text.indexOf('\r\n\r\n') + 4 + length;
  expect(JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4, end))).toMatchObject({
    status: row.gets,
  });
  return text.slice(end);
}

test('a response before the request has come to its end: it says close, and then closes', async () => {
  let answerEnd = (): void => {};
  const server = await startBareInstance((socket) => {
    socket.once('data', () => socket.write(`${OK}Content-Length: 5\r\n\r\nhe`));
    answerEnd = () => void socket.write('llo');
  });
  teardown(() => server.close());
  const own = await startHarness();
  teardown(() => own.close());
  own.publisher.update({ models: [makeModel()], instances: [makeInstance(server.port)] });
  await own.activator.ready;
  const client = await dial(own.port);
  client.socket.write(`POST ${P}/ HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc`);
  expect(await client.until(/\r\n\r\nhe$/)).toMatch(/\r\nConnection: close\r\n/);
  client.socket.write(`defghijGET ${P}/late HTTP/1.1\r\nHost: h\r\n\r\n`, answerEnd);
  const text = await client.closed;
  expect(text).toMatch(/\r\n\r\nhello$/);
});

test('a refusal after HEAD has its body: the method before says nothing about what is no request', async () => {
  row = { name: '', sends: `${OK}Content-Length: 5\r\n\r\n`, gets: '' };
  const client = await dial(harness.port);
  client.socket.write(`HEAD ${P}/first HTTP/1.1\r\nHost: h\r\n\r\n\x01`);
  expect(await client.closed).toMatch(/HTTP\/1\.1 400 [^]*"code":"bad_request"/);
});
