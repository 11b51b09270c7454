import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ScheduleInput } from '#domain/schedule.ts';
import { ADMIN, createHarness, deployed, type Harness } from '../harness.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let harness: Harness;
let revision: string;

beforeEach(async () => {
  harness = await createHarness();
  revision = await deployed(harness, { keepAlive: { policy: 'fixed', idle: '10s' } });
  await apply();
});

afterEach(() => harness.close());

const apply = (warmUp = { model: 'm', duration: '5m', min: 2 }) => {
  const document: ScheduleInput = {
    apiVersion: 'rouse.dev/v1alpha1',
    kind: 'Schedule',
    metadata: { name: 'warm' },
    spec: { schedule: '0 * * * *', warmUp },
  };
  return harness.control.useCases.applySchedule(ADMIN, document);
};

const runs = () => harness.control.useCases.listRuns(ADMIN, 'default', 'warm');
const ready = (): number =>
  harness.runtime.instances(revision).filter(({ state }) => state === 'ready').length;

/** Until so many seconds after the next full hour. */
async function untilHour(seconds: number): Promise<void> {
  const { clock } = harness;
  const hour = (Math.floor(clock.now() / HOUR) + 1) * HOUR;
  clock.advance(hour - 2000 - clock.now());
  await harness.pass(2 + seconds);
}

test('a model is ready in the time, and asleep before and after it', async () => {
  await harness.pass(20);
  expect(ready()).toBe(0);
  await untilHour(3);
  expect(ready()).toBe(2);
  expect((await runs())[0]).toMatchObject({ state: 'Running', task: 'warmUp' });
  const [event] = (await harness.events('ScaleDecided')).toReversed();
  expect(event?.why).toContain('schedule warm keeps 2 until 2030-01-01T01:05:00Z');
  await harness.pass(280);
  expect(ready()).toBe(2);
  await harness.pass(30);
  expect(ready()).toBe(0);
  expect((await runs())[0]).toMatchObject({
    state: 'Succeeded',
    reason: expect.stringMatching(/^ready after \S+, kept until 2030-01-01T01:05:00Z$/) as string,
  });
});

test('it goes on over a restart, and ends when it would have', async () => {
  await untilHour(3);
  await harness.restart();
  await harness.pass(3);
  expect(ready()).toBe(2);
  await harness.pass(320);
  expect(ready()).toBe(0);
  expect((await runs()).map(({ state }) => state)).toEqual(['Succeeded']);
});

test('what is left of it is caught up, and nothing when nothing is left', async () => {
  await harness.restart(() => harness.clock.advance(HOUR + MINUTE));
  await harness.pass(3);
  expect((await runs())[0]).toMatchObject({ state: 'Running' });
  await harness.restart(() => harness.clock.advance(HOUR + 20 * MINUTE));
  await harness.pass(3);
  expect((await runs()).map(({ state }) => state)).toEqual(['Skipped', 'Succeeded']);
  expect(ready()).toBe(0);
});

test('it ends with its schedule, or when that does something else', async () => {
  await untilHour(3);
  await apply({ model: 'm', duration: '5m', min: 1 });
  await harness.pass(15);
  expect(ready()).toBe(1);
  await harness.control.useCases.deleteSchedule(ADMIN, 'default', 'warm');
  await harness.pass(30);
  expect(ready()).toBe(0);
});

test('it has failed when no instance was ready', async () => {
  await untilHour(-1);
  harness.runtime.holdStarts(revision);
  await harness.pass(310);
  expect((await runs())[0]).toMatchObject({
    state: 'Failed',
    reason: 'no instance was ready until 2030-01-01T01:05:00Z',
  });
});
