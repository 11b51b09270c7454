import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { batchSpec } from '#domain/job.ts';
import { checkOrder } from '#batch/runner/check.ts';
import type { RunCheck } from '#domain/job-run.ts';
import { systemClock } from '#lib/clock.ts';
import { useTeardown } from '#test/teardown.ts';
import { startDoubler } from '../shards/doubler.ts';

const teardown = useTeardown();

/** Of a column `x`, with a model that does not take negative numbers. */
async function check(rows: readonly number[]): Promise<RunCheck> {
  const folder = await mkdtemp(join(tmpdir(), 'rouse-check-'));
  teardown(() => rm(folder, { recursive: true }));
  const model = await startDoubler();
  teardown(() => model.close());
  await writeFile(join(folder, 'in.csv'), ['x', ...rows, ''].join('\n'));
  const order = {
    namespace: 'default',
    id: 'trial',
    spec: batchSpec.parse({
      model: 'm',
      input: { location: join(folder, 'in.csv') },
      output: { path: join(folder, 'out.csv') },
      map: { x: ['x'] },
    }),
    model: {
      url: model.url,
      proxyProtocol: false,
      headers: {},
      inputs: [],
      outputs: [],
      binary: false,
      timeoutMs: 10_000,
    },
    folder: join(folder, 'jobs', 'trial'),
    bounds: { closed: [join(folder, 'jobs')] },
  };
  return await checkOrder(order, { clock: systemClock, roll: () => 0, tryRows: 2 });
}

test('rows that are scored say how long all of them take', async () => {
  const { answers, failures, rowsPerSecond } = await check([1, -2, 3]);
  expect({ answers, failures }).toEqual({
    answers: [{ y: 2 }],
    failures: ['row 1: -2 is negative'],
  });
  expect(rowsPerSecond).toBeGreaterThan(0);
});

test('rows that fail do not', async () => {
  const { rowsPerSecond, ...checked } = await check([-1, -2, 3]);
  expect(checked).toMatchObject({
    answers: [],
    failures: ['row 0: -1 is negative', 'row 1: -2 is negative'],
  });
  expect(rowsPerSecond).toBeUndefined();
});
