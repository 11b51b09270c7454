import { connect } from 'node:net';

/** Where something listens. */
export type Place = { readonly port: number; readonly host?: string } | { readonly path: string };

/** One answer, and when it began. */
export interface Answer {
  /** `performance.now()` at its first byte. */
  readonly firstByteAt: number;
  readonly status: number;
  /** Of the status line and the fields. */
  readonly head: string;
  readonly body: string;
}

const HEAD_END = '\r\n\r\n';

/** Connects, sends, reads one answer to its end, and hangs up. */
export function exchange(place: Place, request: string): Promise<Answer> {
  return new Promise((done, failed) => {
    const socket = connect({ host: '127.0.0.1', ...place });
    let firstByteAt = 0;
    let text = '';
    socket.setEncoding('latin1');
    socket.once('connect', () => socket.write(request, 'latin1'));
    socket.on('data', (part: string) => {
      if (text === '') firstByteAt = performance.now();
      text += part;
      const answer = parseAnswer(text);
      if (!answer) return;
      socket.destroy();
      done({ firstByteAt, ...answer });
    });
    socket.once('error', failed);
    socket.once('close', () => failed(new Error(`closed after ${text.length} bytes of an answer`)));
  });
}

/** Undefined while something is missing. `rest`: what follows a body whose length was told. */
export function parseAnswer(
  text: string,
): (Omit<Answer, 'firstByteAt'> & { readonly rest: string }) | undefined {
  const end = text.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const head = text.slice(0, end);
  const from = end + HEAD_END.length;
  const length = fieldOf(head, 'content-length');
  const to = length === undefined ? text.length : from + Number(length);
  const isWhole = length === undefined ? text.endsWith(`0${HEAD_END}`) : text.length >= to;
  if (!isWhole) return undefined;
  const [body, rest] = [text.slice(from, to), text.slice(to)];
  return { status: Number(head.slice(9, 12)), head, body, rest };
}

export function fieldOf(head: string, name: string): string | undefined {
  return new RegExp(`^${name}: *(.*?) *$`, 'im').exec(head)?.[1];
}

/** A request with a JSON body, or without one. `fields`: lines of the head, each with its end. */
export function makeRequest(host: string, path: string, body?: string, fields = ''): string {
  const method = body === undefined ? 'GET' : 'POST';
  const about =
    body === undefined
      ? ''
      : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
  return `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${fields}${about}\r\n${body ?? ''}`;
}
