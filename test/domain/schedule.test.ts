import { describe, expect, test } from 'vitest';
import { parseDocument } from '#domain/parse.ts';
import { scheduleDocument } from '#domain/schedule.ts';
import { fillIn, runIdOf } from '#domain/schedule-run.ts';

const BATCH = { model: 'm', input: { location: '/in.csv' }, output: { path: '/out.csv' } };

function parse(spec: Record<string, unknown>, name = 'nightly') {
  const document = {
    apiVersion: 'rouse.dev/v1alpha1',
    kind: 'Schedule',
    metadata: { name },
    spec: { schedule: '0 3 * * *', batch: BATCH, ...spec },
  };
  return parseDocument(scheduleDocument, document, 'schedule');
}

test('what is left out is as a CronJob has it', () => {
  expect(parse({}).spec).toMatchObject({
    timeZone: 'UTC',
    concurrencyPolicy: 'Allow',
    suspend: false,
    jitter: 0,
    history: 20,
  });
});

test.each([
  [
    { schedule: '0 25 * * *' },
    'spec.schedule: found "0 25 * * *", expected hour "25": expected 0–23',
  ],
  [{ timeZone: 'Mars/Olympus' }, 'expected a time zone such as Europe/Berlin'],
  [{ concurrencyPolicy: 'forbid' }, 'expected one of Allow, Forbid, Replace'],
  [{ startingDeadline: '5s' }, 'expected at least 10s'],
  [{ startingDeadlineSeconds: 60 }, 'startingDeadline'],
  [{ jitter: 5 }, 'expected a duration such as'],
  [{ history: 0 }, 'spec.history: found 0, expected at least 1'],
  [{ batch: undefined }, 'expected what is done: one of batch, program, warmUp, probe'],
  [{ warmUp: { model: 'm', duration: '10h' } }, 'no warmUp: it does batch already'],
  [{ batch: undefined, warmUp: { model: 'm', duration: '10s' } }, 'expected at least 1m'],
  [{ batch: undefined, probe: { model: 'm', request: { path: 'x' } } }, "a path of the model's"],
  [{ batch: { ...BATCH, output: { path: 'out.csv' } } }, 'spec.batch.output.path'],
])('%j is refused', (spec, why) => {
  expect(() => parse(spec)).toThrow(why);
});

test('a name leaves room for the time of a run', () => {
  expect(() => parse({}, 'n'.repeat(47))).toThrow('at most 46 characters');
  const id = runIdOf('n'.repeat(46), Date.UTC(2100, 0, 1));
  // A job has a model `job-ID`, which is a label of a host.
  expect(`job-${id}`.length).toBeLessThanOrEqual(63);
});

describe('in the paths of a run', () => {
  const run = { id: 'n-29', scheduledAt: Date.UTC(2026, 2, 29, 22, 30) };

  test.each([
    ['/out/{date}.csv', 'UTC', '/out/2026-03-29.csv'],
    ['/out/{date}T{time}.csv', 'Europe/Berlin', '/out/2026-03-30T00-30.csv'],
    ['/out/{run}/{a,b}.csv', 'UTC', '/out/n-29/{a,b}.csv'],
  ])('%s in %s is %s', (text, timeZone, filled) => {
    expect(fillIn(text, run, timeZone)).toBe(filled);
  });
});
