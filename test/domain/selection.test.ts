import { expect, test } from 'vitest';
import { findProblems } from '#domain/parse.ts';
import { selection } from '#domain/selection.ts';

const names = (count: number) => Array.from({ length: count }, (_, n) => `input.${n}`);
const dataDriven = { strategy: 'dataDriven', features: ['age'] };

test.each([
  [{ strategy: 'manual', candidates: ['v1'], lowTraffic: { wait: '10m' } }],
  [{ ...dataDriven, features: names(30) }],
  [{ ...dataDriven, reference: '576h', window: '144h' }],
  [{ strategy: 'threshold', measure: 'usage.requests', above: 1, to: 'v2' }],
])('%j is taken', (written) => {
  expect(findProblems(selection, written).problems).toEqual([]);
});

test.each([
  [{ strategy: 'manual', schedule: { every: '1m' } }, 'schedule', ''],
  [{ strategy: 'manual', change: 'now' }, 'change', ''],
  [{ ...dataDriven, features: names(31) }, 'features', '30'],
  [{ ...dataDriven, reference: '576h', window: '145h' }, 'reference', 'at most 720h together'],
  [{ strategy: 'threshold', measure: 'usage.cost', above: 1, to: 'v2' }, 'measure', 'usage.memory'],
  [
    { strategy: 'threshold', measure: 'a', above: 1, to: 'v2', candidates: ['v1', 'v3'] },
    'to',
    'one of candidates: v1, v3',
  ],
])('%j is refused', (written, key, expected) => {
  expect(findProblems(selection, written).problems).toContainEqual(
    expect.objectContaining({ key, expected: expect.stringContaining(expected) }),
  );
});
