import { expect, test } from 'vitest';
import { createLaneRunner } from '#control/requests/lanes.ts';
import { silentLog } from '#lib/log.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { rest } from '../harness.ts';

/** So many wait in each lane; what runs does so until the test ends it. */
function setUp(waiting: Record<string, number>, limits = { perLane: 2, inAll: 3 }) {
  const clock = createFakeClock();
  const running: { lane: string; end: (pauseMs?: number) => void; fail: () => void }[] = [];
  const begun: string[] = [];
  const runner = createLaneRunner<string>({
    source: {
      lanes: async () => Object.keys(waiting).filter((lane) => waiting[lane]! > 0),
      take: async (lane, count) => {
        const taken = Math.min(count, waiting[lane] ?? 0);
        waiting[lane] = (waiting[lane] ?? 0) - taken;
        return Array.from({ length: taken }, () => lane);
      },
    },
    run: (lane, signal) =>
      new Promise((resolve, reject) => {
        begun.push(lane);
        running.push({ lane, end: (ms = 0) => resolve(ms), fail: () => reject(new Error('x')) });
        signal.addEventListener('abort', () => reject(new Error('closed')));
      }),
    limits,
    clock,
    log: silentLog,
  });
  return { clock, runner, running, begun, waiting };
}

test('each lane has its limit, and all of them together have one', async () => {
  const { runner, running, begun } = setUp({ a: 10, b: 10 });
  runner.ask();
  await rest();
  expect(begun).toEqual(['a', 'a', 'b']);
  running[0]?.end();
  await rest();
  expect(begun.length).toBe(4);
  await runner.close();
});

test('lanes of which nothing ends leave room for others', async () => {
  const limits = { perLane: 8, inAll: 16 };
  const { runner, begun, waiting } = setUp({ a: 100, b: 100 }, limits);
  runner.ask();
  await rest();
  waiting['c'] = 1;
  runner.ask();
  await rest();
  expect(begun.filter((lane) => lane === 'a')).toHaveLength(8);
  expect(begun).toContain('c');
  await runner.close();
});

test('lanes take turns in being first, so none waits for ever', async () => {
  const { runner, running, begun } = setUp({ a: 100, b: 100, c: 100 }, { perLane: 1, inAll: 1 });
  runner.ask();
  for (let i = 0; i < 6; i++) {
    await rest();
    running[i]?.end();
  }
  await rest();
  expect(begun.slice(0, 6).toSorted()).toEqual(['a', 'a', 'b', 'b', 'c', 'c']);
  await runner.close();
});

test('a lane that is to be left alone is, others are not', async () => {
  const { clock, runner, running, begun } = setUp({ a: 5, b: 5 }, { perLane: 1, inAll: 2 });
  runner.ask();
  await rest();
  running.find(({ lane }) => lane === 'a')?.end(1000);
  await rest();
  running.find(({ lane }) => lane === 'b')?.end();
  await rest();
  clock.advance(999);
  await rest();
  expect(begun.filter((lane) => lane === 'a')).toHaveLength(1);
  expect(begun.filter((lane) => lane === 'b')).toHaveLength(2);
  clock.advance(1);
  await rest();
  expect(begun.filter((lane) => lane === 'a')).toHaveLength(2);
  await runner.close();
});

test('one that fails gives its place back', async () => {
  const { runner, running, begun } = setUp({ a: 3 }, { perLane: 1, inAll: 1 });
  runner.ask();
  await rest();
  running[0]?.fail();
  await rest();
  expect(begun.length).toBe(2);
  await runner.close();
});

test('what becomes due later is found without being told', async () => {
  const { clock, runner, begun, waiting } = setUp({});
  waiting['a'] = 1;
  clock.advance(500);
  await rest();
  expect(begun).toEqual(['a']);
  await runner.close();
});
