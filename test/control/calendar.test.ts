import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createCalendar } from '#control/calendar.ts';

const SECOND = 1000;

test('gives what is due, once, not before its time', () => {
  const calendar = createCalendar<string>(0);
  calendar.set('a', 1500);
  calendar.set('b', 3000);
  expect(calendar.take(1999, 9)).toEqual([]);
  expect(calendar.take(2000, 9)).toEqual(['a']);
  expect(calendar.take(10_000, 9)).toEqual(['b']);
  expect(calendar.take(20_000, 9)).toEqual([]);
});

test('the newest time holds, and what is deleted never comes', () => {
  const calendar = createCalendar<string>(0);
  calendar.set('a', 1000);
  calendar.set('a', 5000);
  calendar.set('b', 1000);
  calendar.delete('b');
  expect(calendar.take(2000, 9)).toEqual([]);
  expect(calendar.take(5000, 9)).toEqual(['a']);
});

test('what has no place now comes next, in its order', () => {
  const calendar = createCalendar<number>(0);
  for (let each = 0; each < 5; each++) calendar.set(each, SECOND * (5 - each));
  expect(calendar.take(6000, 2)).toEqual([4, 3]);
  expect(calendar.take(6000, 2)).toEqual([2, 1]);
  expect(calendar.take(6000, 2)).toEqual([0]);
});

test('whatever is set, deleted and taken, and however the clock jumps', () => {
  const item = fc.nat(9);
  const steps = fc.array(
    fc.oneof(
      fc.record({ do: fc.constant('set' as const), item, at: fc.nat(200_000) }),
      fc.record({ do: fc.constant('delete' as const), item }),
      fc.record({ do: fc.constant('pass' as const), ms: fc.nat(90_000) }),
    ),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(steps, (list) => {
      const calendar = createCalendar<number>(0);
      const due = new Map<number, number>();
      let now = 0;
      for (const step of list) {
        if (step.do === 'set') {
          calendar.set(step.item, step.at);
          // What is past comes with the next second.
          due.set(step.item, Math.max(step.at, Math.floor(now / SECOND) * SECOND + 1));
        } else if (step.do === 'delete') {
          calendar.delete(step.item);
          due.delete(step.item);
        } else {
          now += step.ms;
          const expected = [...due].filter(([, at]) => Math.ceil(at / SECOND) * SECOND <= now);
          expect(new Set(calendar.take(now, 99))).toEqual(new Set(expected.map(([one]) => one)));
          for (const [one] of expected) due.delete(one);
        }
      }
    }),
  );
});
