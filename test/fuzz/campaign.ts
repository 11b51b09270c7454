import { believe, type Believed, describeMessage } from './belief.ts';
import { believeResponse } from './believe-response.ts';
import type { GoPeer } from './go-peer.ts';
import type { NodePeer } from './node-peer.ts';
import { createRandom, type Random } from './random.ts';
import { makeRequests, split } from './requests.ts';
import { makeResponse, type ResponseCase } from './responses.ts';
import type { Outcome, Rig, Serve } from './rig.ts';

/** An input whose reading differs between two parsers, or whose outcome is none that may be. */
export interface Finding {
  /** `seed:index`, which repeats it. */
  readonly input: string;
  readonly what: string;
  readonly expected: string;
  readonly found: string;
}

export interface Tally {
  inputs: number;
  /** Whole requests that reached the instance, and answers of it that reached their caller. */
  forwarded: number;
  responses: number;
  /** Inputs that ended in a refusal. */
  refused: number;
  findings: Finding[];
}

export interface Peers {
  readonly rig: Rig;
  readonly node: NodePeer;
  /** Not everywhere. */
  readonly go: GoPeer | undefined;
}

/** Inputs between two comparisons with the other parsers. */
const BATCH = 4000;
const RESPONSE_SHARE = 0.15;
/** Of so many inputs it is also looked what Go makes of the input itself: a proxy before this one may be like it. */
const INPUT_SHARE = 0.3;
/** Enough to see what is wrong. */
const MAX_FINDINGS = 20;

/** What the instance answers while requests are under test. */
const HEAD = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n');
const OK = Buffer.concat([HEAD, Buffer.from('ok')]);
const serveOk: Serve = ({ head }, connection) =>
  connection.write(head.startsWith('HEAD ') ? HEAD : OK);

/** Runs the inputs `from` to `to` of a seed; each is made from its number alone. */
export async function runInputs(
  peers: Peers,
  seed: number,
  from: number,
  to: number,
): Promise<Tally> {
  const tally: Tally = { inputs: 0, forwarded: 0, responses: 0, refused: 0, findings: [] };
  for (let at = from; at < to && tally.findings.length < MAX_FINDINGS; at += BATCH) {
    await runBatch(peers, seed, at, Math.min(to, at + BATCH), tally);
  }
  return tally;
}

async function runBatch(
  peers: Peers,
  seed: number,
  from: number,
  to: number,
  tally: Tally,
): Promise<void> {
  const expected = new Map<number, string[]>();
  const answers: Answer[] = [];
  const inputs: Promise<void>[] = [];
  const note = (index: number, what: string, a: string, b: string): void => {
    if (tally.findings.length >= MAX_FINDINGS) return;
    tally.findings.push({ input: `${seed}:${index}`, what, expected: a, found: b });
  };
  for (let index = from; index < to; index += 1) {
    tally.inputs += 1;
    const random = createRandom(seed, index);
    const isResponse = random.chance(RESPONSE_SHARE);
    if (isResponse) {
      const answer = runResponse(peers.rig, random, index);
      if (answer) answers.push(answer);
    }
    const outcome = isResponse ? undefined : runRequests(peers.rig, random, index, note);
    if (outcome) expected.set(index, outcome.expected);
    if (outcome?.refused) tally.refused += 1;
    if (outcome && peers.go && random.chance(INPUT_SHARE)) {
      const { bytes, taken } = outcome;
      inputs.push(
        peers.go.read('requests', bytes).then((text) => compareInput(text, taken, index, note)),
      );
    }
  }
  await Promise.all(inputs);
  tally.responses += answers.length;
  tally.forwarded += await compareRequests(peers, expected, note);
  await compareResponses(peers, answers, note);
}

type Note = (index: number, what: string, expected: string, found: string) => void;

// Requests: what is believed, what was forwarded, what others read of it

function runRequests(rig: Rig, random: Random, index: number, note: Note) {
  const bytes = makeRequests(random);
  const outcome = rig.run(index, split(random, bytes), serveOk);
  const believed = believe(bytes);
  const replies = splitReplies(outcome.answered, believed);
  if (!replies) note(index, 'the answers are no answers', '', show(outcome.answered));
  const wanted = believed.filter((_, i) => replies?.[i]?.forwarded);
  const got = outcome.forwarded.length;
  if (wanted.length !== got) note(index, 'requests forwarded', `${wanted.length}`, `${got}`);
  const last = replies?.at(-1);
  const refused = last !== undefined && last.status >= 400;
  if (refused && last.closes !== outcome.ended && replies!.length > believed.length) {
    note(index, 'a refusal that leaves the connection open', 'closed', 'open');
  }
  return {
    expected: wanted.map(({ forwarded }) => describeMessage(forwarded)),
    refused,
    taken: believed.map(({ taken }) => describeMessage(taken)),
    bytes,
  };
}

/** RFC 9112 has an empty line before a request ignored; Go refuses it. */
const EMPTY_LINE = String.raw`malformed HTTP request \"\"`;

/** What is taken here is taken there, as the same; what is refused here may be taken there. */
function compareInput(text: string, taken: readonly string[], index: number, note: Note): void {
  const { messages, error } = splitMessages(text);
  const differs = taken.findIndex((message, i) => messages[i] !== message);
  if (differs < 0 || (messages[differs] === undefined && error.includes(EMPTY_LINE))) return;
  const found = messages[differs] ?? error;
  note(index, 'Go reads another request from the same bytes', taken[differs]!, found);
}

interface Reply {
  readonly status: number;
  readonly forwarded: boolean;
  readonly closes: boolean;
}

/** The answers on a caller's connection, all of which have a length; undefined: that is not what these are. */
function splitReplies(answered: Buffer, believed: readonly Believed[]): Reply[] | undefined {
  const text = answered.toString('latin1');
  const replies: Reply[] = [];
  let at = 0;
  while (at < text.length) {
    const parts = /^HTTP\/1\.1 (\d{3}) [^\r]*\r\n((?:[^\r\n]+\r\n)*)\r\n/.exec(text.slice(at));
    if (!parts) return undefined;
    const [whole, status, fields = ''] = parts;
    at += whole.length;
    if (status === '100') continue;
    const length = /^Content-Length: (\d+)\r$/m.exec(fields)?.[1];
    if (length === undefined) return undefined;
    // That a refused request was a HEAD is known to who refused it only.
    const isRefusedHead = at === text.length && Number(status) >= 400;
    const isHead = believed[replies.length]?.taken.line.startsWith('HEAD ') === true;
    if (!isHead && !isRefusedHead) at += Number(length);
    replies.push({
      status: Number(status),
      forwarded: fields.includes('Rouse-Cold-Start: '),
      closes: /^Connection: close\r$/m.test(fields),
    });
  }
  return at === text.length ? replies : undefined;
}

async function compareRequests(
  { rig, node, go }: Peers,
  expected: ReadonlyMap<number, string[]>,
  note: Note,
): Promise<number> {
  let count = 0;
  await Promise.all(
    rig.takeStreams().map(async ({ bytes, requests, partial }) => {
      const all = Buffer.concat(bytes);
      count += requests.length;
      const inputs = requests.map(({ input }) => input);
      const wanted = requests.map(({ input, nth }) => expected.get(input)?.[nth]);
      const byNode = node.readRequests(all, requests.length);
      const byGo = go?.read('requests', all);
      compareStream('llhttp', await byNode, { wanted, inputs, partial }, note);
      if (byGo) compareStream('Go', await byGo, { wanted, inputs, partial }, note);
    }),
  );
  return count;
}

interface Wanted {
  /** Undefined: of an input whose answer is compared, not its request. */
  readonly wanted: readonly (string | undefined)[];
  readonly inputs: readonly number[];
  readonly partial: boolean;
}

function compareStream(
  who: string,
  text: string,
  { wanted, inputs, partial }: Wanted,
  note: Note,
): void {
  const { messages, error } = splitMessages(text);
  const length = Math.max(messages.length, wanted.length);
  for (let i = 0; i < length; i += 1) {
    const expected = wanted[i];
    if (i < wanted.length && expected === undefined && messages[i] !== undefined) continue;
    if (messages[i] === expected) continue;
    const index = inputs[Math.min(i, inputs.length - 1)] ?? -1;
    note(
      index,
      `${who} reads another request`,
      expected ?? 'no more',
      messages[i] ?? `nothing ${error}`,
    );
    return;
  }
  if (error !== '' && !partial) note(inputs.at(-1) ?? -1, `${who} finds an error`, '', error);
}

/** A message ends with the empty line after its trailers, the third one. */
function splitMessages(text: string): { messages: string[]; error: string } {
  const messages =
    text.match(/[^!\n][^\n]*\n[^\n]*\n(?:[^\n]+\n)*\n\d+ \d+\n(?:[^\n]+\n)*\n\n/g) ?? [];
  return { messages, error: /^! .*$/m.exec(text.slice(messages.join('').length))?.[0] ?? '' };
}

// Answers

interface Answer extends Outcome {
  readonly index: number;
  readonly given: ResponseCase;
}

function runResponse(rig: Rig, random: Random, index: number): Answer | undefined {
  const given = makeResponse(random);
  const pieces = split(random, given.bytes);
  const { method, minor, closes } = given;
  const request = `${method} / HTTP/1.${minor}\r\nHost: digits.default.localhost\r\n\r\n`;
  const outcome = rig.run(index, [Buffer.from(request)], (_, connection) => {
    for (const piece of pieces) connection.write(piece);
    if (closes) connection.end();
  });
  return { index, given, ...outcome };
}

async function compareResponses(
  peers: Peers,
  answers: readonly Answer[],
  note: Note,
): Promise<void> {
  await Promise.all(
    answers.map(async ({ index, given, answered, ended, reset }) => {
      const { node, go } = peers;
      const believed = believeResponse(given);
      const expected = believed && describeMessage({ ...believed, host: '' });
      const isRefusal =
        /^HTTP\/1\.1 502 /m.test(answered.toString('latin1')) && !isForwarded(answered);
      if (isRefusal || answered.length === 0) {
        if (expected !== undefined)
          note(index, 'an answer that was whole', expected, show(answered));
        return;
      }
      const readings = [
        ['llhttp', await node.readResponse(answered, given.method)],
        ['Go', await go?.read('responses', answered, given.method)],
      ] as const;
      for (const [who, text] of readings) {
        if (text === undefined) continue;
        const isWhole = !text.includes('! ') && text !== '';
        // An answer that ends with its connection is broken off by no more than the way this ends.
        if (expected === undefined && isWhole && (reset || !ended)) continue;
        if (expected === undefined ? isWhole : text !== expected) {
          note(index, `${who} reads another answer`, expected ?? 'none', text);
        }
      }
    }),
  );
}

function isForwarded(answered: Buffer): boolean {
  return answered.includes('Rouse-Cold-Start: ');
}

function show(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('latin1').slice(0, 2000));
}
