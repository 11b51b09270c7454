import { expect, test } from 'vitest';
import { createTestEvents } from './test-events.ts';

const line = (event: object): string => JSON.stringify(event);
const said = (Test: string, Output: string): string => line({ Action: 'output', Test, Output });

test('each wanted test ends passed, failed, skipped or missing, with what it said', () => {
  const events = createTestEvents(['TestA', 'TestB', 'TestC/x/y', 'TestD', 'TestE']);
  const lines = [
    line({ Action: 'start' }),
    line({ Action: 'run', Test: 'TestA' }),
    said('TestA', '=== RUN   TestA\n'),
    said('TestA', '    a_test.go:1: fine\n'),
    said('TestA', '--- PASS: TestA (1.50s)\n'),
    line({ Action: 'pass', Test: 'TestA', Elapsed: 1.5 }),
    said('TestB', '    b_test.go:7: not required here\n'),
    said('TestB', '--- SKIP: TestB (0.00s)\n'),
    line({ Action: 'skip', Test: 'TestB', Elapsed: 0 }),
    said('TestC', '    c_test.go:1: not asked for\n'),
    said('TestC/x/y', '    c_test.go:9: above\n'),
    said('TestC/x/y/part', '        c_test.go:12: got 502\n'),
    line({ Action: 'fail', Test: 'TestC/x/y/part', Elapsed: 2 }),
    line({ Action: 'fail', Test: 'TestC/x/y', Elapsed: 3 }),
    said('TestD', '    d_test.go:1: begun\n'),
    said('', 'panic: test timed out after 1m0s\n'),
    'not JSON',
    line({ Action: 'fail', Elapsed: 9 }),
  ];
  const told = lines.flatMap((each) => events.take(each)?.name ?? []);
  expect(told).toEqual(['TestA', 'TestB', 'TestC/x/y']);
  expect(events.results()).toEqual([
    { name: 'TestA', outcome: 'passed', seconds: 1.5, said: '' },
    { name: 'TestB', outcome: 'skipped', seconds: 0, said: 'b_test.go:7: not required here' },
    {
      name: 'TestC/x/y',
      outcome: 'failed',
      seconds: 3,
      said: 'c_test.go:9: above\n        c_test.go:12: got 502',
    },
    { name: 'TestD', outcome: 'missing', seconds: 0, said: 'd_test.go:1: begun' },
    { name: 'TestE', outcome: 'missing', seconds: 0, said: '' },
  ]);
  expect(events.rest()).toContain('panic: test timed out');
});

test('a test whose name begins with that of another one is not a part of it', () => {
  const events = createTestEvents(['Test/basics', 'Test/basics/http2']);
  events.take(said('Test/basics/http2/more', 'of the second\n'));
  expect(events.results().map((each) => each.said)).toEqual(['', 'of the second']);
});

test('of a test that writes much, the end is kept', () => {
  const events = createTestEvents(['TestA']);
  for (let i = 0; i < 1000; i += 1) events.take(said('TestA', `line ${i}\n`));
  const lines = events.results()[0]?.said.split('\n') ?? [];
  expect(lines).toHaveLength(40);
  expect(lines.at(-1)).toBe('line 999');
});
