import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Outcome, Tally } from './tally.ts';

/** Kinds of requests over Node's own client. */

const PART = Buffer.alloc(10 * 1024, 'x');
const PARTS = 5;
const EVENTS = 20;
const LARGE_BYTES = 2 * 1024 * 1024;
const READ_PAUSE_MS = 5;

export interface Target {
  readonly port: number;
  readonly host: string;
  readonly tally: Tally;
}

interface Sent {
  readonly asked: ClientRequest;
  readonly outcome: Outcome;
}

function send(target: Target, kind: string, agent: Agent, path: string, method = 'GET'): Sent {
  const outcome = target.tally.begin(kind);
  const { port, host } = target;
  const asked = request({ agent, host: '127.0.0.1', port, path, method, headers: { host } });
  return { asked, outcome };
}

/** Ends with the answer, whose body must be `bytes` long. `slowly`: a pause after each piece. */
function hear({ asked, outcome }: Sent, bytes: number, slowly = false): Promise<void> {
  return new Promise((done) => {
    const lose = (error: Error): void => {
      outcome.lost(error.message);
      done();
    };
    asked.once('error', lose);
    asked.once('response', (response) => {
      let read = 0;
      response.on('data', (part: Buffer) => {
        read += part.length;
        if (slowly) pauseFor(response);
      });
      response.once('error', lose);
      response.once('end', () => {
        judge(response, outcome, read, bytes);
        done();
      });
    });
  });
}

function pauseFor(response: IncomingMessage): void {
  response.pause();
  setTimeout(() => response.resume(), READ_PAUSE_MS);
}

function judge(response: IncomingMessage, outcome: Outcome, read: number, bytes: number): void {
  const { statusCode = 0, headers, complete } = response;
  if (!complete) outcome.lost(`${statusCode}, cut after ${read} bytes`);
  else if (headers['content-type'] === 'application/problem+json') {
    outcome.refused(String(statusCode));
  } else if (statusCode !== 200) outcome.lost(`status ${statusCode}`);
  else if (read !== bytes) outcome.lost(`${read} bytes, expected ${bytes}`);
  else outcome.answered();
}

export function createHttpKinds(target: Target): { run: (() => Promise<void>)[]; close(): void } {
  const agent = new Agent({ keepAlive: true });

  async function upload(): Promise<void> {
    const sent = send(target, 'chunked upload', agent, '/echo', 'POST');
    const heard = hear(sent, PARTS * PART.length);
    for (let part = 0; part < PARTS; part++) {
      await new Promise((next) => {
        sent.asked.write(PART, next);
      });
    }
    sent.asked.end();
    await heard;
  }

  async function events(): Promise<void> {
    const sent = send(target, 'SSE', agent, '/events');
    sent.asked.end();
    let bytes = 0;
    for (let event = 0; event < EVENTS; event++) bytes += `data: ${event}\n\n`.length;
    await hear(sent, bytes);
  }

  async function readSlowly(): Promise<void> {
    const sent = send(target, 'slow reader', agent, '/large');
    sent.asked.end();
    await hear(sent, LARGE_BYTES, true);
  }

  /** At a moment by chance: from before the head has gone until after some of the answer has come. */
  async function abort(): Promise<void> {
    const { asked, outcome } = send(target, 'abort', agent, '/large', 'POST');
    asked.on('error', () => {});
    asked.on('response', (response) => response.on('error', () => {}).resume());
    asked.write(PART);
    if (Math.random() < 0.5) asked.end();
    await new Promise((next) => {
      setTimeout(next, Math.random() * 10);
    });
    asked.destroy();
    outcome.aborted();
  }

  return { run: [upload, events, readSlowly, abort], close: () => agent.destroy() };
}
