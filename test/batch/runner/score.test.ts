import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createScorer, type Scored, type Tally } from '#batch/runner/score.ts';
import type { Sent } from '#batch/runner/sender.ts';
import type { InferBody } from '#batch/runner/infer.ts';
import type { ColumnMap } from '#batch/rows/map.ts';
import type { RowBatch } from '#batch/rows/rows.ts';
import type { Clock } from '#lib/clock.ts';

const MAP: ColumnMap = {
  reads: [{ name: 'x', type: 'INT32' }],
  inputs: [{ name: 'x', datatype: 'INT32', shape: [], column: 0 }],
};
const SILENT: Tally = { answered: () => {}, retried: () => {}, rejected: () => {} };
/** Pauses end at once: there are many, and none is what is looked at here. */
const HASTY: Clock = {
  now: () => 0,
  after(_ms, run) {
    queueMicrotask(run);
    return { cancel: () => {} };
  },
};

function batchOf(values: readonly number[], first = 0): RowBatch {
  const column = { name: 'x', type: 'INT32', values: Int32Array.from(values) } as const;
  return { first, length: values.length, columns: [column] };
}

function valuesIn(body: InferBody): number[] {
  const head = JSON.parse(Buffer.concat([...body.chunks]).toString()) as {
    inputs: { data: number[] }[];
  };
  return head.inputs[0]!.data;
}

/** A model that doubles. */
function double(values: readonly number[]): Sent {
  const data = values.map((value) => value * 2);
  const outputs = [{ name: 'y', datatype: 'INT32', shape: [data.length], data }];
  const body = Buffer.from(JSON.stringify({ outputs }));
  return { kind: 'answered', body, headers: {}, ms: 1, modelMs: 1 };
}

function scorerOf(send: (values: readonly number[]) => Sent, tally = SILENT) {
  return createScorer({
    sender: { send: async (body) => send(valuesIn(body)) },
    map: MAP,
    binary: false,
    tally,
    clock: HASTY,
    roll: () => 0,
    signal: new AbortController().signal,
  });
}

function answersOf({ rows, columns }: Scored): [number, number][] {
  const values = columns?.[0]?.values ?? [];
  return [...values].map((value, index) => [rows?.[index] ?? index, Number(value)]);
}

describe('one bad row costs no other its answer', () => {
  test.each([
    ['that the model does not take', 'rejected'],
    ['that the model fails with', 'failed'],
  ] as const)('%s', async (_, kind) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 40 }),
        async (values) => {
          const score = scorerOf((sent) =>
            sent.includes(7) ? { kind, reason: 'seven is bad' } : double(sent),
          );
          const scored = await score(batchOf(values, 100));
          const good = values.flatMap((value, row) => (value === 7 ? [] : [[row, value * 2]]));
          const bad = values.flatMap((value, row) => (value === 7 ? [row] : []));
          expect(answersOf(scored)).toEqual(good);
          expect(scored.failed).toEqual(bad.map((row) => ({ row, reason: 'seven is bad' })));
        },
      ),
    );
  });

  test('rows that cannot be read, or have no value, are not sent', async () => {
    const sent: number[][] = [];
    const score = scorerOf((values) => {
      sent.push([...values]);
      return double(values);
    });
    const [column] = batchOf([1, 2, 3, 4]).columns;
    const nulls = Uint8Array.from([0, 1, 0, 0]);
    const scored = await score({
      first: 0,
      length: 4,
      columns: [{ ...column!, nulls }],
      bad: new Map([[3, 'column "x": found abc, expected a number']]),
    });
    expect(sent).toEqual([[1, 3]]);
    expect(answersOf(scored)).toEqual([
      [0, 2],
      [2, 6],
    ]);
    expect(scored.failed).toEqual([
      { row: 1, reason: 'column "x": found no value' },
      { row: 3, reason: 'column "x": found abc, expected a number' },
    ]);
  });

  test('an answer that does not fit is a failure of the model with these rows', async () => {
    const score = scorerOf((values) => double(values.includes(7) ? values.slice(1) : values));
    const scored = await score(batchOf([1, 7, 2]));
    expect(answersOf(scored).map(([row]) => row)).toEqual([0, 2]);
    expect(scored.failed[0]?.reason).toMatch(/output "y" has shape \[0\] for 1 rows/);
  });
});

test('what never reached the model is sent again until it does', async () => {
  let left = 30;
  let retries = 0;
  const score = scorerOf(
    (values) =>
      left-- > 0 ? { kind: 'refused', reason: 'full', code: 'queue_full' } : double(values),
    { ...SILENT, retried: () => void retries++ },
  );
  expect(answersOf(await score(batchOf([1])))).toEqual([[0, 2]]);
  expect(retries).toBe(30);
});

test('a model that cannot be started is given up', async () => {
  const score = scorerOf(() => ({ kind: 'refused', reason: 'no python3', code: 'start_failed' }));
  await expect(score(batchOf([1]))).rejects.toThrow('the model cannot be started: no python3');
});
