import { expect, test } from 'vitest';
import { Fault, FAULTS, messageOf } from '#lib/fault.ts';

test('each code has a status of an error', () => {
  for (const [code, { status }] of Object.entries(FAULTS)) {
    expect(status, code).toBeGreaterThanOrEqual(400);
    expect(status, code).toBeLessThan(600);
  }
});

test('what helps when tried again is not an error of what the request says', () => {
  const retryable = Object.entries(FAULTS).filter(([, row]) => row.retryable);
  expect(retryable.map(([, { status }]) => status).filter((status) => status < 500)).toEqual([
    FAULTS.request_timeout.status,
    FAULTS.precondition_failed.status,
    FAULTS.caller_over_share.status,
  ]);
});

test('carries code, status, problems, cause and the time to wait', () => {
  const cause = new Error('below');
  const problems = [{ key: 'a', value: '1', expected: '2' }];
  const fault = new Fault('queue_full', 'full', { problems, retryAfter: 3, cause });
  expect(fault).toBeInstanceOf(Error);
  expect(fault).toMatchObject({
    name: 'Fault',
    message: 'full',
    code: 'queue_full',
    status: 503,
    problems,
    retryAfter: 3,
    cause,
  });
});

test('without options: no problems, no time, no cause', () => {
  const fault = new Fault('not_found', 'no such model');
  expect(fault.problems).toEqual([]);
  expect(fault.retryAfter).toBeUndefined();
  expect('cause' in fault).toBe(false);
});

test.each([
  [new Error('a'), 'a'],
  [new Fault('invalid', 'b'), 'b'],
  ['c', 'c'],
  [undefined, 'undefined'],
  [null, 'null'],
  [5, '5'],
])('the message of %s', (thrown, message) => {
  expect(messageOf(thrown)).toBe(message);
});
