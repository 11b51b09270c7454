import { expect, test, vi } from 'vitest';
import { type Clock, systemClock, wallClock } from '#lib/clock.ts';
import { createFakeClock } from '#test/fake-clock.ts';

test('the system clock tells the time since the epoch and does not go back', () => {
  const before = Date.now();
  const first = systemClock.now();
  const second = systemClock.now();
  expect(second).toBeGreaterThanOrEqual(first);
  // The two clocks of the system may differ by a step of the slower one, and by what NTP corrects.
  expect(Math.abs(first - before)).toBeLessThan(60_000);
});

test('the clock on the wall is where the clock of the system was set to', () => {
  const before = systemClock.now();
  const hour = 3_600_000;
  vi.setSystemTime(Date.now() + 8 * hour);
  expect(wallClock.now() - before).toBeGreaterThan(7 * hour);
  expect(systemClock.now() - before).toBeLessThan(hour);
  vi.useRealTimers();
});

test('a timer of the system clock runs once, and not when it was cancelled', async () => {
  const ran: string[] = [];
  await new Promise<void>((resolve) => {
    systemClock.after(1, () => ran.push('cancelled')).cancel();
    systemClock.after(1, () => ran.push('first'));
    const keepAlive = setTimeout(resolve, 60_000);
    systemClock.after(5, () => {
      clearTimeout(keepAlive);
      resolve();
    });
  });
  expect(ran).toEqual(['first']);
});

test('timers of a fake clock run in order, each at its own time', () => {
  const clock = createFakeClock(0);
  const ran: [string, number][] = [];
  const note = (name: string) => () => void ran.push([name, clock.now()]);
  clock.after(20, note('b'));
  clock.after(10, note('a'));
  clock.after(20, note('c'));
  clock.after(15, () => clock.after(1, note('from within')));
  clock.after(5, note('never')).cancel();
  clock.advance(30);
  expect(ran).toEqual([
    ['a', 10],
    ['from within', 16],
    ['b', 20],
    ['c', 20],
  ]);
  expect(clock.now()).toBe(30);
  expect(clock.pending).toBe(0);
});

test('a fake clock can stand where a clock is asked for', () => {
  const clock: Clock = createFakeClock();
  expect(clock.now()).toBe(clock.now());
});
