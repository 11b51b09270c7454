import { createCaller } from '../measure/caller.ts';
import { type Answer, fieldOf, makeRequest } from '../measure/exchange.ts';
import type { Target } from './http-kinds.ts';
import type { Outcome } from './tally.ts';

/** Kinds of requests over raw sockets: connections that are kept, and pipelines. */

const ON_ONE_CONNECTION = 500;
const PIPELINE = 16;

/** One request after the other, then a new connection. */
export async function callInTurn({ port, host, tally }: Target, kind: string): Promise<void> {
  const caller = await createCaller(port);
  try {
    for (let i = 0; i < ON_ONE_CONNECTION; i++) {
      const outcome = tally.begin(kind);
      const path = `/${i}`;
      const isOpen = await caller.ask(makeRequest(host, path)).then(
        (answer) => judge(answer, outcome),
        (error: Error) => {
          outcome.lost(error.message);
          return false;
        },
      );
      if (!isOpen) return;
    }
  } finally {
    caller.close();
  }
}

/** Many in one write; the answers must come in the order of the requests. */
export async function callInPipeline({ port, host, tally }: Target): Promise<void> {
  const caller = await createCaller(port);
  const paths = Array.from({ length: PIPELINE }, (_, i) => `/${i}`);
  const outcomes = paths.map(() => tally.begin('pipelined'));
  const answers = caller.askAll(paths.map((path) => makeRequest(host, path)));
  await Promise.all(
    answers.map(async (answer, i) => {
      const outcome = outcomes[i];
      if (!outcome) return;
      await answer.then(
        (found) => judge(found, outcome, paths[i]),
        (error: Error) => outcome.lost(error.message),
      );
    }),
  );
  caller.close();
}

/** Whether the connection is kept. */
function judge(answer: Answer, outcome: Outcome, body?: string): boolean {
  const { status, head } = answer;
  if (fieldOf(head, 'content-type') === 'application/problem+json') outcome.refused(String(status));
  else if (status !== 200) outcome.lost(`status ${status}`);
  else if (body !== undefined && answer.body !== body) outcome.lost(`${answer.body} for ${body}`);
  else outcome.answered();
  return fieldOf(head, 'connection')?.toLowerCase() !== 'close';
}
