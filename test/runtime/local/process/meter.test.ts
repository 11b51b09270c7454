import { expect, test } from 'vitest';
import { sumUp } from '#runtime/local/process/meter.ts';
import { parseStat, systemProcesses, type ProcessStat } from '#runtime/local/process/proc.ts';

function one(pid: number, parent: number, session: number): ProcessStat {
  return { pid, parent, session, startTicks: 1, isDead: false, cpuSeconds: 0.5, memoryBytes: 10 };
}

test('a process counts for its session, or else for its parents', () => {
  const all = [
    one(10, 1, 10),
    one(11, 10, 10),
    one(12, 11, 12),
    one(13, 12, 13),
    one(20, 1, 20),
    one(30, 1, 30),
  ];
  const usages = sumUp(all, new Set([10, 20]));
  expect(Array.from(usages)).toEqual([
    [10, { memoryBytes: 40, cpuSeconds: 2 }],
    [20, { memoryBytes: 10, cpuSeconds: 0.5 }],
  ]);
});

test('parents that form a ring, as a pass over changing processes can see them, do no harm', () => {
  expect(sumUp([one(5, 6, 5), one(6, 5, 6)], new Set([10])).size).toBe(0);
});

test('a name with blanks and parentheses does not move the fields', () => {
  const fields = ['S', 7, 8, 9, ...Array.from({ length: 17 }, (_, n) => n), 4242, 0, 3];
  const stat = parseStat(`123 (a (b) c) ${fields.join(' ')}`);
  expect(stat).toMatchObject({ pid: 123, parent: 7, session: 9, isDead: false });
});

test('reads this process as the system knows it', () => {
  const own = systemProcesses.stat(process.pid);
  expect(own?.parent).toBe(process.ppid);
  const { rss } = process.memoryUsage();
  expect(own?.memoryBytes).toBeGreaterThan(rss / 2);
  expect(own?.memoryBytes).toBeLessThan(rss * 2);
  expect(systemProcesses.environment(process.pid)?.includes('PATH=')).toBe(true);
  expect(systemProcesses.stat(2 ** 30)).toBeUndefined();
});
