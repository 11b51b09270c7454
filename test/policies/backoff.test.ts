import { expect, test } from 'vitest';
import { decideRestart } from '#policies/backoff.ts';

test('one quick end is bad luck; many in a row wait longer, up to a minute; what ran soundly starts over', () => {
  let memory = 0;
  const waits: number[] = [];
  for (let end = 0; end < 9; end += 1) {
    const next = decideRestart(memory, 200);
    waits.push(next.decision);
    memory = next.memory;
  }
  expect(waits).toEqual([0, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  expect(decideRestart(memory, 10_000)).toMatchObject({ decision: 0, memory: 0 });
  expect(decideRestart(2, 0).why).toBe('attempt 2 failed, the next follows after 2 s');
});
