import { request } from 'node:http';
import { expect, test } from 'vitest';
import { readResponse } from '#control/requests/http.ts';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';
import { serveAnswers } from '../answering-server.ts';

const end = useTeardown();

test('an answer is read on when there is room for what has come', async () => {
  const second = Promise.withResolvers<void>();
  const url = await serveAnswers((_incoming, response) => {
    response.write('first ');
    void second.promise.then(() => response.end('second'));
  }, end);
  const room = Promise.withResolvers<void>();
  const added: number[] = [];
  const sent = request(url).end();
  const answer = readResponse(sent, 100, {
    add(bytes) {
      added.push(bytes);
      return added.length === 1 ? room.promise : undefined;
    },
  });
  await until('the first piece is here', () => added.length === 1);
  second.resolve();
  // Asked later, on a connection of its own: what could be read of the other one is here by then.
  for (let count = 0; count < 3; count++) await (await fetch(url)).text();
  expect(added).toEqual([6]);
  room.resolve();
  expect((await answer).body.toString()).toBe('first second');
  expect(added).toEqual([6, 6]);
});
