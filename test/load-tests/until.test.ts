import { expect, test } from 'vitest';
import { until } from '#load-tests/measure/until.ts';

test('it looks until nothing is missing, once more after each pause', async () => {
  let left = 3;
  await until({ everyMs: 1, withinMs: 60_000 }, () => (left-- > 0 ? `${left} left` : undefined));
  expect(left).toBe(-1);
});

test('when time is over, what was missing last is the error', async () => {
  let looks = 0;
  const waiting = until({ everyMs: 1, withinMs: 5 }, async () => `nothing at look ${++looks}`);
  await expect(waiting).rejects.toThrow(/^nothing at look \d+$/);
  await expect(waiting).rejects.toThrow(`nothing at look ${looks}`);
});

test('an error of a look ends the waiting', async () => {
  const waiting = until({ everyMs: 1, withinMs: 60_000 }, () => {
    throw new Error('it has ended');
  });
  await expect(waiting).rejects.toThrow('it has ended');
});
