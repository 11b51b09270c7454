import { once } from 'node:events';
import { connect } from 'node:net';
import { type Answer, parseAnswer } from './exchange.ts';

/** A connection that is kept. */
export interface Caller {
  readonly ask: (request: string) => Promise<Answer>;
  /** All in one write. */
  readonly askAll: (requests: readonly string[]) => Promise<Answer>[];
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
  const waiting: Asked[] = [];
  let text = '';
  let firstByteAt = 0;

  socket.on('data', (part: string) => {
    if (text === '') firstByteAt = performance.now();
    text += part;
    for (;;) {
      const answer = parseAnswer(text);
      if (!answer) return;
      text = answer.rest;
      waiting.shift()?.done({ firstByteAt, ...answer });
    }
  });
  const fail = (error: Error): void => {
    for (const { failed } of waiting.splice(0)) failed(error);
  };
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('the connection was closed without an answer')));

  function askAll(requests: readonly string[]): Promise<Answer>[] {
    const answers = requests.map(
      () => new Promise<Answer>((done, failed) => waiting.push({ done, failed })),
    );
    if (socket.destroyed) fail(new Error('the connection is closed'));
    else socket.write(requests.join(''), 'latin1');
    return answers;
  }

  return {
    askAll,
    async ask(request) {
      const [answer] = askAll([request]);
      if (!answer) throw new Error('nothing was asked');
      return await answer;
    },
    close: () => socket.destroy(),
  };
}
