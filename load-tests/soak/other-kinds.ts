import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import { WebSocket } from 'ws';
import type { Target } from './http-kinds.ts';
import type { Outcome } from './tally.ts';

/** WebSocket and HTTP/2. */

const MESSAGES = 10;
const STREAMS = 8;
const TURNS = 20;

/** A connection with some messages is one request. */
export async function chat({ port, host, tally }: Target): Promise<void> {
  const outcome = tally.begin('WebSocket');
  const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`, { headers: { host } });
  let refused = false;
  socket.on('unexpected-response', (asked, response) => {
    refused = true;
    outcome.refused(String(response.statusCode));
    asked.destroy();
    socket.terminate();
  });
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  let heard = 0;
  socket.on('open', () => socket.send('0'));
  socket.on('message', (message: Buffer) => {
    if (message.toString() !== String(heard)) outcome.lost(`${message.toString()} for ${heard}`);
    if (++heard < MESSAGES) socket.send(String(heard));
    else socket.close();
  });
  await closed;
  if (refused) return;
  if (heard === MESSAGES) outcome.answered();
  else outcome.lost(`closed after ${heard} messages`);
}

/** Streams side by side on one connection without TLS. */
export async function multiplex(target: Target): Promise<void> {
  const session = connect(`http://127.0.0.1:${target.port}`);
  session.on('error', () => {});
  for (let turn = 0; turn < TURNS && !session.destroyed; turn++) {
    await Promise.all(Array.from({ length: STREAMS }, () => stream(session, target)));
  }
  session.destroy();
}

async function stream(session: ClientHttp2Session, { host, tally }: Target): Promise<void> {
  const outcome = tally.begin('HTTP/2');
  const asked = session.request({ ':path': '/two', ':authority': host });
  let status = 0;
  let type: string | undefined;
  let body = '';
  asked.on('response', (headers) => {
    status = headers[':status'] ?? 0;
    type = headers['content-type'];
  });
  asked.setEncoding('utf8').on('data', (part: string) => (body += part));
  asked.on('error', (error) => outcome.lost(error.message));
  const ended = once(asked, 'close');
  asked.end();
  await ended;
  settle(outcome, status, type, body);
}

function settle(outcome: Outcome, status: number, type: string | undefined, body: string): void {
  if (type === 'application/problem+json') outcome.refused(String(status));
  else if (status === 200 && body === '/two') outcome.answered();
  else outcome.lost(`status ${status}, body ${body}`);
}
