import type { RequestListener } from 'node:http';
import { expect, test } from 'vitest';
import { createPrometheus } from '#control/autoscaling/signals/prometheus.ts';
import { serveAnswers } from '#test/control/answering-server.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { useTeardown } from '#test/teardown.ts';

const teardown = useTeardown();

/** A server that answers all questions alike, or none; what it was asked. */
async function serve(answer: { status: number; body: string } | undefined) {
  const asked: string[] = [];
  const heard = Promise.withResolvers<void>();
  const listener: RequestListener = (request, response) => {
    asked.push(request.url ?? '');
    heard.resolve();
    if (answer) response.writeHead(answer.status, { location: '/' }).end(answer.body);
  };
  const address = await serveAnswers(listener, teardown);
  return { asked, heard: heard.promise, url: `${address}/base` };
}

function answerOf(data: unknown): string {
  return JSON.stringify({ status: 'success', data });
}

function vector(...values: string[]): string {
  const result = values.map((value) => ({ metric: {}, value: [1, value] }));
  return answerOf({ resultType: 'vector', result });
}

test('one value is read', async () => {
  const { url, asked } = await serve({ status: 200, body: vector('12.5') });
  const query = createPrometheus({ url, clock: createFakeClock() });
  expect(await query('sum(a)')).toBe(12.5);
  expect(asked).toEqual(['/base/api/v1/query?query=sum%28a%29']);
});

test.each([
  ['a scalar', answerOf({ resultType: 'scalar', result: [1, '3'] }), 3],
  ['no number', vector('NaN'), Number.NaN],
  ['without end', vector('-Inf'), -Infinity],
])('%s', async (_, body, value) => {
  const { url } = await serve({ status: 200, body });
  expect(await createPrometheus({ url, clock: createFakeClock() })('a')).toBe(value);
});

test.each([
  ['no series', 200, vector(), /^has no value$/],
  ['several', 200, vector('1', '2'), /^has 2 series; expected one/],
  ['another kind of answer', 200, answerOf({ resultType: 'matrix', result: [] }), /no value$/],
  ['a refusal', 422, '{}', /^is refused with 422$/],
  ['no JSON', 200, '<html>', /no JSON$/],
  ['too much', 200, ' '.repeat(300_000), /^has more than 262144 bytes$/],
  ['a way elsewhere', 302, '', /^is not answered: /],
])('%s is an answer without a value', async (_, status, body, message) => {
  const { url } = await serve({ status, body });
  const asking = createPrometheus({ url, clock: createFakeClock() })('a');
  await expect(asking).rejects.toThrow(message);
});

test('no answer is not waited for, nor where there is no server', async () => {
  const { url, heard } = await serve(undefined);
  const clock = createFakeClock();
  const asking = createPrometheus({ url, clock })('a');
  await heard;
  clock.advance(5000);
  await expect(asking).rejects.toThrow('is not answered in time');
  expect(clock.pending).toBe(0);
  const none = createPrometheus({ url: undefined, clock })('a');
  await expect(none).rejects.toThrow('has no server: set prometheus.url');
  const gone = createPrometheus({ url: 'http://127.0.0.1:1', clock })('a');
  await expect(gone).rejects.toThrow(/^is not answered: /);
});
