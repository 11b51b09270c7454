import { expect, test } from 'vitest';
import type { ModelResource } from '#domain/views.ts';
import { makeModelStatus, type ModelObjectStatus } from '#knative/models/status.ts';

type Status = ModelResource['status'];
type Row = Pick<Status['revisions'][number], 'name' | 'state' | 'reason'>;

const NOW = Date.UTC(2030, 0, 1, 12);

function makeModel(
  rows: readonly Row[],
  spec: ModelResource['spec'] = {},
  status: Partial<Status> = {},
): ModelResource {
  return {
    apiVersion: 'rouse.dev/v1alpha1',
    kind: 'Model',
    metadata: { name: 'digits', namespace: 'default' },
    spec,
    status: {
      state: 'Asleep',
      version: 1,
      generation: 1,
      createdAt: NOW,
      updatedAt: NOW,
      addresses: { path: '', host: 'http://digits.default.localhost/', infer: '', tags: {} },
      traffic: [],
      revisions: rows.map((row) =>
        Object.assign({ runtime: 'image' as const, createdAt: NOW }, row),
      ),
      instances: [],
      ...status,
    },
  };
}

function tell(model: ModelResource | undefined, before?: ModelObjectStatus, now = NOW) {
  return makeModelStatus({ generation: 2, before, model, refusal: undefined, now });
}

const ready: Row = { name: 'v1', state: 'Ready', reason: 'it sleeps' };
const pulling: Row = { name: 'v2', state: 'Proving', reason: 'waits for room' };
const broken: Row = { name: 'v0', state: 'Failed', reason: 'exited with status 3' };

test.each<[string, ModelResource | undefined, string]>([
  ['nothing yet', undefined, 'Unknown Pending there are none yet'],
  ['all is well', makeModel([ready]), 'True Ready '],
  [
    'an old one has failed, of which the spec does not speak',
    makeModel([broken, ready]),
    'True Ready ',
  ],
  [
    'one of the split has failed',
    makeModel([broken, ready], { traffic: [{ revision: 'v0', percent: 100 }] }),
    'False RevisionFailed v0: exited with status 3',
  ],
  ['the newest is not ready', makeModel([ready, pulling]), 'Unknown Proving v2: waits for room'],
  [
    'what is served does not start any more',
    makeModel(
      [{ ...ready, reason: 'the last start failed: no room' }],
      {},
      {
        state: 'Failed',
        traffic: [{ revision: 'v1', percent: 100 }],
      },
    ),
    'False StartFailed v1: the last start failed: no room',
  ],
])('%s', (_, model, expected) => {
  const condition = tell(model).conditions?.find(({ type }) => type === 'Ready');
  expect(`${condition?.status} ${condition?.reason} ${condition?.message}`).toBe(expected);
});

test('a condition says since when its status is what it is, whatever else changes', () => {
  const first = tell(makeModel([ready, pulling]));
  const second = tell(
    makeModel([ready, { ...pulling, reason: 'it is starting' }]),
    first,
    NOW + 60_000,
  );
  const third = tell(makeModel([ready, { ...pulling, state: 'Ready' }]), second, NOW + 120_000);
  const since = [first, second, third].map(
    ({ conditions }) => conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime,
  );
  expect(since).toEqual(['2030-01-01T12:00:00Z', '2030-01-01T12:00:00Z', '2030-01-01T12:02:00Z']);
});

test('very many revisions, and very long reasons, do not all fit into an object', () => {
  const many = Array.from({ length: 500 }, (_, index) => ({
    name: `v${index}`,
    state: 'Failed' as const,
    reason: 'x'.repeat(8192),
  }));
  const status = tell(makeModel(many));
  expect(status.revisions?.map(({ name }) => name).slice(0, 2)).toEqual(['v499', 'v498']);
  expect(JSON.stringify(status).length).toBeLessThan(20_000);
});
