import pino from 'pino';
import { expect, test } from 'vitest';
import { createPager } from '#runtime/local/parking/pager.ts';
import { createFakeClock } from '#test/fake-clock.ts';

test('what is frozen again waits once, and nothing waits for it when it is woken', () => {
  const clock = createFakeClock();
  const pager = createPager({
    runTool: () => Promise.reject(new Error('it is frozen no more')),
    environment: {},
    clock,
    log: pino({ enabled: false }),
  });
  const leader = { pid: process.pid, startTicks: 0 };
  pager.frozen('a', leader);
  pager.frozen('b', leader);
  clock.advance(5000);
  pager.frozen('a', leader);
  expect(clock.pending).toBe(2);
  pager.thawed('a');
  pager.thawed('b');
  expect(clock.pending).toBe(0);
});
