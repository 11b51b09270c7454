import { expect, test } from 'vitest';

test.each([0, -0])('a signal to pid %d ends no run of tests', (pid) => {
  expect(() => process.kill(pid, 'SIGCONT')).toThrow(
    'pid 0: the process that is meant was not found',
  );
});
