import { expect, test } from 'vitest';
import { decideVerdict } from '#policies/schedules/verdict.ts';

const RULES = { status: 200, tolerance: 0.01, ignore: ['id'] };

test.each([
  ['whatever it says', {}, 200, 'hello', 'healthy'],
  ['another status', {}, 500, 'oops', 'unhealthy'],
  ['a status that is expected', { status: 404 }, 404, '', 'healthy'],
  ['the same', { body: { label: [3] } }, 200, '{"label": [3], "id": "x"}', 'healthy'],
  ['nearly the same', { body: { p: [0.5] } }, 200, '{"p": [0.509]}', 'healthy'],
  ['another number', { body: { p: [0.5] } }, 200, '{"p": [0.52]}', 'unhealthy'],
  ['a key more', { body: { p: [0.5] } }, 200, '{"p": [0.5], "q": 1}', 'unhealthy'],
  ['no JSON', { body: { p: [0.5] } }, 200, '<html>', 'unhealthy'],
  ['a text', { body: 'pong' }, 200, 'pong', 'healthy'],
  ['a text as JSON', { body: 'pong' }, 200, '"pong"', 'healthy'],
  ['nothing', { body: 'pong' }, 200, '', 'unhealthy'],
])('%s', (_, expected, status, body, decision) => {
  expect(decideVerdict({ ...RULES, ...expected }, { status, body }).decision).toBe(decision);
});

test('it says what came instead, not all of it', () => {
  const body = 'x'.repeat(10_000);
  const { why } = decideVerdict({ ...RULES, body: 'pong' }, { status: 200, body });
  expect(why).toMatch(/^another body than expected: x{200}…$/);
  expect(decideVerdict(RULES, { status: 503, body: 'full' }).why).toBe(
    'status 503, expected 200: full',
  );
});
