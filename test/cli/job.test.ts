import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BatchAnswer } from '#domain/read-views.ts';
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
