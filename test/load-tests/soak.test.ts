import { Metadata, status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { judgeFailure } from '#load-tests/soak/grpc-kinds.ts';
import { findDrift, type State } from '#load-tests/soak/state.ts';
import { createTally, findUnaccounted } from '#load-tests/soak/tally.ts';

test('a request without an outcome, or one that was lost, is unaccounted for', () => {
  const tally = createTally();
  const [open, lost, ...rest] = Array.from({ length: 5 }, () => tally.begin('SSE'));
  rest[0]?.answered();
  rest[1]?.refused('503');
  rest[2]?.aborted();
  expect(tally.counts()).toEqual({ SSE: { sent: 5, answered: 1, refused: 1, aborted: 1 } });
  lost?.lost('cut after 3 bytes');
  expect(findUnaccounted(tally.counts())).toEqual(['SSE: 2 of 5 requests are unaccounted for']);
  expect(tally.problems()).toEqual(['SSE: cut after 3 bytes']);
  open?.answered();
  expect(findUnaccounted(tally.counts())).toEqual(['SSE: 1 of 5 requests are unaccounted for']);
});

test('an answer after the end is told, and does not make up for another that is missing', () => {
  const tally = createTally();
  tally.begin('abort');
  const aborted = tally.begin('abort');
  aborted.aborted();
  aborted.answered();
  expect(findUnaccounted(tally.counts())).toEqual(['abort: 1 of 2 requests are unaccounted for']);
  expect(tally.problems()).toEqual(['abort: answered after it had ended']);
});

const START: State = {
  heapBytes: 70 * 2 ** 20,
  rssBytes: 200 * 2 ** 20,
  files: 38,
  inFlight: 0,
  queued: 0,
  queuedBytes: 0,
  heldBytes: 0,
  connections: 0,
};

test.each([
  [{}, []],
  [{ heapBytes: 75 * 2 ** 20, files: 30 }, []],
  [{ heapBytes: 90 * 2 ** 20 }, [/^heap bytes: found 94371840/]],
  [{ heldBytes: 1 }, [/^bytes held: found 1/]],
  [{ files: 39 }, [/^open files: found 39, expected at most 38$/]],
  [{ inFlight: 1, queuedBytes: 5 }, [/^requests in flight: found 1/, /^bytes queued: found 5/]],
])('with %j at the end', (change, expected) => {
  const found = findDrift(START, { ...START, ...change });
  expect(found).toHaveLength(expected.length);
  for (const [i, pattern] of expected.entries()) expect(found[i]).toMatch(pattern);
});

test.each([
  ['refused', status.UNAVAILABLE, 'Rouse is starting', '1000'],
  ['refused', status.DEADLINE_EXCEEDED, 'The request waited 5ms', undefined],
  ['aborted', status.DEADLINE_EXCEEDED, 'Deadline exceeded after 0.005s', undefined],
  ['aborted', status.CANCELLED, 'Cancelled on client', undefined],
  ['lost', status.UNAVAILABLE, 'No connection established', undefined],
  ['lost', status.INTERNAL, 'Received RST_STREAM', undefined],
])('a gRPC call is %s by status %i: %s', (how, code, details, pushback) => {
  const metadata = new Metadata();
  if (pushback !== undefined) metadata.set('grpc-retry-pushback-ms', pushback);
  expect(judgeFailure({ code, details, metadata }).how).toBe(how);
});
