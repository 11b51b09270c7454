import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Checkpoint, openCheckpoint } from '#batch/runner/checkpoint.ts';
import { createParts } from '#batch/runner/parts.ts';
import { createReportBook } from '#batch/runner/report.ts';
import type { Scored } from '#batch/runner/score.ts';
import { createFakeClock } from '#test/fake-clock.ts';

const ROWS = 1000;
const WIDTH = 1000;
const BATCHES = 30;

let folder: string;
let checkpoint: Checkpoint;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rouse-parts-'));
  checkpoint = openCheckpoint(folder);
});

afterEach(async () => {
  checkpoint.close();
  await rm(folder, { recursive: true });
});

/** 4 MB of answers. */
function makeScored(batch: number): Scored {
  const values = new Float32Array(ROWS * WIDTH).fill(batch);
  return {
    batch: { first: batch * ROWS, length: ROWS, columns: [] },
    rows: Array.from({ length: ROWS }, (_, row) => row),
    columns: [{ name: 'embedding', type: 'FP32', width: WIDTH, values }],
    failed: [],
  };
}

test('wide answers are written before they are more than the library may hold', async () => {
  const { memory } = createReportBook(undefined);
  const parts = createParts({
    checkpoint,
    folder,
    output: { path: join(folder, 'out.parquet'), format: 'parquet' },
    kept: [],
    read: 0,
    memory: () => memory,
    // No time passes.
    clock: createFakeClock(),
  });
  for (let batch = 0; batch < BATCHES; batch++) await parts.add(makeScored(batch));
  await parts.flush();
  const bounds = checkpoint.parts.map(({ first, past }) => [first, past]);
  // 8 MiB are reached with the third batch.
  const each = 3 * ROWS;
  expect(bounds).toEqual(
    Array.from({ length: BATCHES / 3 }, (_, at) => [at * each, (at + 1) * each]),
  );
});
