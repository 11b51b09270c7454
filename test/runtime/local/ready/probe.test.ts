import { createServer, type ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import type { Clock } from '#lib/clock.ts';
import { createProbe, HERE, type Probe } from '#runtime/local/ready/probe.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { listening } from '#test/listening.ts';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';

const teardown = useTeardown();

/** A probe whose first question was answered with 503; what is done with the next one, which it asks now. */
async function askAgain(next: (response: ServerResponse) => void): Promise<{
  probe: Probe;
  advance(ms: number): void;
  untilArrived(): Promise<void>;
  untilOver(): Promise<void>;
}> {
  let asked = 0;
  const server = createServer((_, response) => {
    asked += 1;
    if (asked === 1) response.writeHead(503).end();
    else next(response);
  });
  teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const fake = createFakeClock();
  const waits: number[] = [];
  const clock: Clock = {
    now: () => fake.now(),
    after(ms, run) {
      waits.push(ms);
      return fake.after(ms, run);
    },
  };
  const probe = createProbe({
    to: { host: '127.0.0.1', port: await listening(server) },
    path: undefined,
    grpc: false,
    hold: false,
    pace: HERE,
    clock,
    describeFailure: () => undefined,
    onReady: expect.unreachable,
  });
  teardown(() => probe.close());
  expect(probe.seen()).toBeUndefined();
  fake.advance(2);
  // Before the first, for its answer, and before the next.
  await until('the first is over', () => waits.length === 3);
  expect(probe.seen()).toBe('GET / answered 503');
  fake.advance(waits[2] ?? 0);
  return {
    probe,
    advance: (ms) => fake.advance(ms),
    untilArrived: () => until('the next has arrived', () => asked === 2),
    untilOver: () => until('the next is over', () => waits.length === 5),
  };
}

test('what was answered is what was seen, until a later question has had its time without an answer', async () => {
  const asked = await askAgain(() => {});
  await asked.untilArrived();
  expect(asked.probe.seen()).toBe('GET / answered 503');
  asked.advance(5000);
  await asked.untilOver();
  expect(asked.probe.seen()).toBe('GET / has no answer');
});

test('what was answered is not what was seen of a later question that is hung up on', async () => {
  const asked = await askAgain((response) => response.destroy());
  await asked.untilOver();
  expect(asked.probe.seen()).toBe('GET / has no answer');
});
