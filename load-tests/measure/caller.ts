import { once } from 'node:events';
import { connect } from 'node:net';
import { type Answer, parseAnswer } from './exchange.ts';

/** A connection that is kept: one request at a time. */
export interface Caller {
  readonly ask: (request: string) => Promise<Answer>;
  readonly close: () => void;
}

interface Asked {
  readonly done: (answer: Answer) => void;
  readonly failed: (error: Error) => void;
}

export async function createCaller(port: number): Promise<Caller> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.setEncoding('latin1');
  let asked: Asked | undefined;
  let text = '';
  let firstByteAt = 0;
  socket.on('data', (part: string) => {
    if (text === '') firstByteAt = performance.now();
    text += part;
    const answer = parseAnswer(text);
    if (!answer) return;
    text = '';
    const { done } = asked ?? {};
    asked = undefined;
    done?.({ firstByteAt, ...answer });
  });
  const fail = (error: Error): void => asked?.failed(error);
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('the connection was closed without an answer')));
  return {
    ask: (request) =>
      new Promise((done, failed) => {
        asked = { done, failed };
        if (socket.destroyed) failed(new Error('the connection is closed'));
        else socket.write(request, 'latin1');
      }),
    close: () => socket.destroy(),
  };
}
