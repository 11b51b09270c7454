import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideJob, type Happening } from '#control/jobs/state.ts';
import { isEnded, JOB_ACTIONS, JOB_STATES, type JobRecord, type JobState } from '#domain/job.ts';

const ACTOR = { id: 'key:abcdefgh', role: 'deploy' } as const;
const REPORT = {
  rows: { total: 3, done: 3, failed: 1 },
  failures: [],
  seconds: 2,
  rowsPerSecond: 1.5,
  requests: 1,
  retries: 0,
  latency: { p50: 1, p95: 1, p99: 1, max: 1 },
  batchSize: 3,
  instanceSeconds: 2,
  outputs: [],
};

function recordIn(state: JobState): JobRecord {
  return {
    id: 'm-1',
    namespace: 'default',
    spec: { model: 'm', input: { location: '/in.csv' }, output: { path: '/out.csv' } },
    revision: 'v1',
    state,
    reason: '',
    createdAt: 1,
    createdBy: ACTOR,
    rows: { done: 0, failed: 0 },
    instanceSeconds: 0,
  };
}

const asked = (action: (typeof JOB_ACTIONS)[number]): Happening => ({
  kind: 'asked',
  action,
  actor: ACTOR,
});
const BEGUN: Happening = { kind: 'begun' };
const DONE: Happening = { kind: 'done', report: REPORT };
const FAILED: Happening = { kind: 'failed', why: 'no disk' };

describe('what becomes of a job', () => {
  test.each<[JobState, Happening, JobState, string]>([
    ['Pending', BEGUN, 'Running', 'its rows are scored'],
    ['Pending', asked('pause'), 'Paused', 'paused by key:abcdefgh'],
    ['Running', asked('pause'), 'Paused', 'paused by key:abcdefgh'],
    ['Running', asked('cancel'), 'Cancelled', 'cancelled by key:abcdefgh'],
    ['Running', DONE, 'Succeeded', '3 rows in 2.0 s, 1 of them failed'],
    ['Running', FAILED, 'Failed', 'no disk'],
    ['Paused', asked('resume'), 'Pending', 'resumed by key:abcdefgh'],
    ['Paused', FAILED, 'Failed', 'no disk'],
  ])('%s, %o: %s', (state, happening, next, reason) => {
    const change = decideJob(recordIn(state), happening, 5);
    expect(change?.record).toMatchObject({ state: next, reason });
    expect(change?.record.endedAt).toBe(isEnded(next) ? 5 : undefined);
  });

  test.each<[JobState, Happening]>([
    ['Running', BEGUN],
    ['Running', asked('resume')],
    ['Pending', asked('resume')],
    ['Paused', asked('pause')],
  ])('%s, %o: nothing', (state, happening) => {
    expect(decideJob(recordIn(state), happening, 5)).toBeUndefined();
  });

  test('what has ended stays as it is, and says so to who asks', () => {
    const ended = fc.constantFrom(...JOB_STATES.filter(isEnded));
    fc.assert(
      fc.property(ended, fc.constantFrom(BEGUN, DONE, FAILED), (state, happening) => {
        expect(decideJob(recordIn(state), happening, 5)).toBeUndefined();
      }),
    );
    fc.assert(
      fc.property(ended, fc.constantFrom(...JOB_ACTIONS), (state, action) => {
        expect(() => decideJob(recordIn(state), asked(action), 5)).toThrow(`it is ${state}`);
      }),
    );
  });

  test('the time of the first start stays', () => {
    const { record } = decideJob({ ...recordIn('Pending'), startedAt: 2 }, BEGUN, 9)!;
    expect(record.startedAt).toBe(2);
  });
});
