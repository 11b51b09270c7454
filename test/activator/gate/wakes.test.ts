import { expect, test } from 'vitest';
import { Wakes } from '#activator/gate/wakes.ts';

function setUp(startMs: number) {
  const time = { now: 1_000_000 };
  const wakes = new Wakes({ onWake: () => {}, now: () => time.now, startMs: () => startMs });
  return { time, wakes };
}

test.each([
  ['a start that takes 4 s', 4000, 7000],
  ['a start of which nothing is known', 0, 60_000],
  ['a start that takes ten minutes', 600_000, 60_000],
])(
  '%s and that nobody waits for any more counts as under way for some time',
  (_, startMs, untilMs) => {
    const { time, wakes } = setUp(startMs);
    wakes.wakeIfDue(1);
    time.now += untilMs - 1;
    expect(wakes.awaitedMs(0)).toBe(untilMs - 1);
    time.now += 1;
    expect(wakes.awaitedMs(0)).toBeUndefined();
    wakes.restart();
    wakes.wakeIfDue(1);
    expect(wakes.awaitedMs(1)).toBe(0);
  },
);

test('whoever comes while it is under way waits for what is left of it', () => {
  const { time, wakes } = setUp(4000);
  wakes.wakeIfDue(1);
  time.now += 3000;
  wakes.restart();
  wakes.wakeIfDue(1);
  time.now += 500;
  expect(wakes.awaitedMs(1)).toBe(3500);
});
