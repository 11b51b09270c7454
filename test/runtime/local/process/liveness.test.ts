import { expect, test } from 'vitest';
import { createLiveness } from '#runtime/local/process/liveness.ts';
import { createFakeClock } from '#test/fake-clock.ts';

function watch() {
  const clock = createFakeClock();
  const asked: number[] = [];
  let silences = 0;
  const liveness = createLiveness({
    clock,
    ask: (upTo) => asked.push(upTo),
    onSilent: () => silences++,
  });
  return { clock, liveness, asked, silences: () => silences };
}

test('without an order nothing is asked', () => {
  const { clock, asked } = watch();
  expect(clock.pending).toBe(0);
  clock.advance(3_600_000);
  expect(asked).toEqual([]);
});

test('many orders are one question, and its answer is the end of it', () => {
  const { clock, liveness, asked, silences } = watch();
  for (let order = 0; order < 100; order++) liveness.ordered();
  expect(clock.pending).toBe(1);
  clock.advance(1000);
  expect(asked).toEqual([100]);
  liveness.heard();
  liveness.confirmed(100);
  expect(clock.pending).toBe(0);
  expect(silences()).toBe(0);
});

test('an answer to what was asked before the last order is not enough', () => {
  const { clock, liveness, asked } = watch();
  liveness.ordered();
  clock.advance(1000);
  liveness.ordered();
  liveness.confirmed(1);
  clock.advance(1000);
  expect(asked).toEqual([1, 2]);
  liveness.confirmed(2);
  expect(clock.pending).toBe(0);
});

test('ten seconds of silence after the first question are told once, and again for a later order', () => {
  const { clock, liveness, silences } = watch();
  for (const expected of [1, 2]) {
    liveness.ordered();
    clock.advance(10_999);
    expect(silences()).toBe(expected - 1);
    clock.advance(1);
    expect(silences()).toBe(expected);
    expect(clock.pending).toBe(0);
  }
});

test('whoever says anything is alive, however late the answer', () => {
  const { clock, liveness, silences } = watch();
  liveness.ordered();
  for (let turn = 0; turn < 20; turn++) {
    clock.advance(9000);
    liveness.heard();
  }
  expect(silences()).toBe(0);
  clock.advance(11_000);
  expect(silences()).toBe(1);
});

test('what was lost owes nothing', () => {
  const { clock, liveness, silences } = watch();
  liveness.ordered();
  clock.advance(8000);
  liveness.reset();
  expect(clock.pending).toBe(0);
  liveness.ordered();
  clock.advance(10_000);
  expect(silences()).toBe(0);
});
