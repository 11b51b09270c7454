import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BatchAnswer, JobCheckAnswer } from '#domain/read-views.ts';
import { createWorld, type World } from './world.ts';

/** What becomes of a command that follows a job when it is told to end. */

const JOB: BatchAnswer = {
  id: 'm-1',
  namespace: 'default',
  spec: {
    model: 'm',
    input: { location: '/in.csv' },
    output: { path: '/out.csv', columns: [], replace: false },
  },
  revision: 'v1',
  state: 'Running',
  reason: 'its rows are scored',
  createdAt: 0,
  createdBy: { id: 'local', role: 'admin' },
  rows: { done: 1, failed: 0 },
  instanceSeconds: 0,
};

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

test('a dry run of which all rows fail says why, and is no success', async () => {
  const answer: JobCheckAnswer = {
    estimatedRows: 1000,
    bytes: 4096,
    mapping: ['x FP64 [?] ← x FP64'],
    columns: [],
    answers: [],
    failures: ['row 0: x is odd', 'row 1: x is odd'],
  };
  const fetch = async (): Promise<Response> => Response.json(answer);
  const args = ['batch', 'm', 'in.csv', '-o', 'out.csv', '--dry-run'];
  const run = await world.run(args, { fetch });
  expect(run).toMatchObject({
    status: 1,
    stdout:
      'x FP64 [?] ← x FP64\nrow 0: x is odd\nrow 1: x is odd\n' +
      'none of the first 2 rows could be scored\nabout 1000 rows, 4Ki\n',
  });
  expect(await world.run([...args, '--json'], { fetch })).toMatchObject({ status: 1 });
});

test.each([
  { args: ['batch', 'm', 'in.csv', '-o', 'out.csv'] },
  { args: ['job', 'follow', 'm-1'] },
])('rouse $args: Ctrl-C leaves the job as it is, and is no success', async ({ args }) => {
  const stop = new AbortController();
  const asked: string[] = [];
  const run = await world.run(args, {
    signal: stop.signal,
    fetch: async (_url, init) => {
      asked.push(init?.method ?? 'GET');
      stop.abort();
      return Response.json(JOB);
    },
  });
  expect(asked).toHaveLength(1);
  expect(run).toMatchObject({ status: 130, stdout: 'm-1  Running: its rows are scored\n' });
  expect(run.stderr).toMatch(/^It goes on\. .* job follow m-1 .*\nEnd it with: .* job cancel m-1 /);
});
