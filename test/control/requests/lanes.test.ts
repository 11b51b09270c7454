import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLaneRunner, type LaneLimits } from '#control/requests/lanes.ts';
import { silentLog } from '#lib/log.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { rest } from '../harness.ts';

/** Of how many bytes what waits in each lane is, the first one first. */
type Waiting = Record<string, number[]>;

/** What runs does so until the test ends it. */
function setUp(waiting: Waiting, limits: Partial<LaneLimits> = { perLane: 2, inAll: 3 }) {
  const clock = createFakeClock();
  const running: { lane: string; end: (pauseMs?: number) => void; fail: () => void }[] = [];
  const begun: string[] = [];
  const held = { bytes: 0, most: 0 };
  const runner = createLaneRunner<{ lane: string; size: number }>({
    source: {
      lanes: async () => Object.keys(waiting).filter((lane) => waiting[lane]!.length > 0),
      take: async (lane, { count, bytes }) => {
        const own = waiting[lane] ?? [];
        let left = bytes;
        const past = own.slice(0, count).findIndex((size, i) => (left -= size) < 0 && i > 0);
        return own.splice(0, past < 0 ? count : past).map((size) => ({ lane, size }));
      },
    },
    bytesOf: ({ size }) => size,
    run: ({ lane, size }, signal) =>
      new Promise<number>((resolve, reject) => {
        begun.push(lane);
        held.bytes += size;
        held.most = Math.max(held.most, held.bytes);
        running.push({ lane, end: (ms = 0) => resolve(ms), fail: () => reject(new Error('x')) });
        signal.addEventListener('abort', () => reject(new Error('closed')));
      }).finally(() => (held.bytes -= size)),
    limits: { perLane: 100, inAll: 100, bytes: Infinity, ...limits },
    clock,
    log: silentLog,
  });
  return { clock, runner, running, begun, waiting, held };
}

/** So many of a byte. */
function many(count: number): number[] {
  return Array.from({ length: count }, () => 1);
}

test('each lane has its limit, and all of them together have one', async () => {
  const { runner, running, begun } = setUp({ a: many(10), b: many(10) });
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
  const { runner, begun, waiting } = setUp({ a: many(100), b: many(100) }, limits);
  runner.ask();
  await rest();
  waiting['c'] = many(1);
  runner.ask();
  await rest();
  expect(begun.filter((lane) => lane === 'a')).toHaveLength(8);
  expect(begun).toContain('c');
  await runner.close();
});

test('large ones run side by side as far as there is memory, and leave some to others', async () => {
  const { runner, begun, held, waiting } = setUp({ a: [8, 8, 8, 8, 8, 8, 8, 8] }, { bytes: 48 });
  runner.ask();
  await rest();
  expect(begun).toHaveLength(4);
  waiting['b'] = [8, 8];
  runner.ask();
  await rest();
  expect(begun.slice(4)).toEqual(['b']);
  expect(held.bytes).toBe(40);
  await runner.close();
});

test('one that is larger than all that may be held goes alone', async () => {
  const { runner, running, begun, held } = setUp({ a: [100, 1] }, { bytes: 10 });
  runner.ask();
  await rest();
  expect(held.bytes).toBe(100);
  running[0]?.end();
  await rest();
  expect(begun).toHaveLength(2);
  await runner.close();
});

test('whatever waits, of whatever size, all of it runs, and no more than one beyond the limit at once', async () => {
  const sizes = fc.array(fc.nat(30), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(fc.record({ a: sizes, b: sizes, c: sizes }), async (waiting) => {
      const all = Object.values(waiting).flat();
      const { runner, running, begun, held } = setUp(waiting, { bytes: 40 });
      runner.ask();
      for (let ended = 0; ended < all.length; ended++) {
        await rest();
        running[ended]?.end();
      }
      await rest();
      await runner.close();
      expect(begun).toHaveLength(all.length);
      expect(held.most).toBeLessThan(40 + Math.max(...all, 1));
    }),
    { numRuns: 30 },
  );
});

test('lanes take turns in being first, so none waits for ever', async () => {
  const { runner, running, begun } = setUp(
    { a: many(100), b: many(100), c: many(100) },
    { perLane: 1, inAll: 1 },
  );
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
  const { clock, runner, running, begun } = setUp(
    { a: many(5), b: many(5) },
    { perLane: 1, inAll: 2 },
  );
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
  const { runner, running, begun } = setUp({ a: many(3) }, { perLane: 1, inAll: 1 });
  runner.ask();
  await rest();
  running[0]?.fail();
  await rest();
  expect(begun.length).toBe(2);
  await runner.close();
});

test('what becomes due later is found without being told', async () => {
  const { clock, runner, begun, waiting } = setUp({});
  waiting['a'] = many(1);
  clock.advance(500);
  await rest();
  expect(begun).toEqual(['a']);
  await runner.close();
});
