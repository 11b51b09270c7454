import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideProgram, MOST_LOST } from '#control/jobs/program-state.ts';
import { isEnded, type ProgramRecord } from '#domain/job.ts';

const ACTOR = { id: 'key:abcdefgh', role: 'deploy' } as const;
const REPORT = {
  seconds: 2,
  cpuSeconds: 1,
  memoryBytes: 1,
  isNew: true,
  metrics: {},
  parent: {},
} as const;

function record(part: Partial<ProgramRecord> = {}): ProgramRecord {
  return {
    id: 'program-1',
    namespace: 'default',
    spec: { kind: 'program', args: ['true'], retries: 1, model: 'm' },
    state: 'Running',
    reason: 'its program runs',
    createdAt: 1,
    createdBy: ACTOR,
    attempts: 1,
    failures: 0,
    ...part,
  };
}

describe('what becomes of a program', () => {
  test('its first attempt is counted, and nothing to tell of', () => {
    const change = decideProgram(record({ attempts: 0 }), { kind: 'attempt' }, 5);
    expect(change).toMatchObject({ record: { attempts: 1, reason: 'its program runs' } });
    expect(change?.type).toBeUndefined();
  });

  test.each([
    [1, 0, 'Running', 'attempt 2, from the beginning: 0 failed, 1 cut off'],
    [3, 1, 'Running', 'attempt 4, from the beginning: 1 failed, 2 cut off'],
    [MOST_LOST + 1, 0, 'Failed', `it was cut off ${MOST_LOST + 1} times`],
    [MOST_LOST + 1, 1, 'Running', /^attempt/],
  ])('%i attempts, %i failures, and one more: %s', (attempts, failures, state, reason) => {
    const change = decideProgram(record({ attempts, failures }), { kind: 'attempt' }, 5);
    expect(change?.record.state).toBe(state);
    expect(change?.record.reason).toMatch(reason);
  });

  test.each([
    [0, 'Running', 'no disk; it is begun again, 1 of 1 times'],
    [1, 'Failed', 'no disk (2 times)'],
  ])('it fails after %i failures: %s', (failures, state, reason) => {
    const change = decideProgram(
      record({ failures }),
      { kind: 'attemptFailed', why: 'no disk' },
      5,
    );
    expect(change?.record).toMatchObject({ state, reason, failures: failures + 1 });
  });

  test.each([
    [{ revision: 'v2', isNew: true }, 'done in 2.0 s: it made revision v2 of model m'],
    [
      { revision: 'v1', isNew: false },
      'done in 2.0 s: what it left is revision v1 of model m already',
    ],
    [{}, 'done in 2.0 s'],
  ])('it leaves %o', (part, reason) => {
    const report = { ...REPORT, ...part };
    const change = decideProgram(record(), { kind: 'made', report }, 5);
    expect(change?.record).toMatchObject({ state: 'Succeeded', endedAt: 5, report, reason });
  });

  test('it is begun at most as often as it may fail and be lost, and never when it has ended', () => {
    const happening = fc.constantFrom('attemptFailed', 'lost', 'made');
    const histories = fc.array(happening, { maxLength: 60 });
    fc.assert(
      fc.property(histories, fc.nat({ max: 5 }), (history, retries) => {
        const spec = { kind: 'program' as const, args: ['true'], retries };
        let now = record({ attempts: 0, spec });
        for (const kind of history) {
          now = decideProgram(now, { kind: 'attempt' }, 5)?.record ?? now;
          if (kind === 'attemptFailed') {
            now = decideProgram(now, { kind, why: 'no' }, 5)?.record ?? now;
          } else if (kind === 'made') {
            now = decideProgram(now, { kind, report: REPORT }, 5)?.record ?? now;
          }
        }
        expect(now.attempts).toBeLessThanOrEqual(retries + 1 + MOST_LOST + 1);
        expect(now.failures).toBeLessThanOrEqual(retries + 1);
        if (history.includes('made')) expect(isEnded(now.state)).toBe(true);
      }),
    );
  });
});
