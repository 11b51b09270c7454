import { beforeEach, expect, test } from 'vitest';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';
import {
  call,
  makeInstance,
  makeModel,
  startInstance,
  startStill,
  type StillHarness,
} from '../harness.ts';

/** What a cold start is made of, as callers and as the metrics are told: the same phases, on a clock that stands still. */

const PATH = '/models/default/digits/x';
const teardown = useTeardown();
let harness: StillHarness;
let answer: () => void;
let begun: number;
let port: number;

beforeEach(async () => {
  begun = 0;
  const answers: (() => void)[] = [];
  answer = () => answers.splice(0).forEach((one) => one());
  const instance = await startInstance((_, response) => {
    begun += 1;
    answers.push(() => response.end('done'));
  });
  port = instance.port;
  teardown(() => instance.close());
  harness = await startStill();
  teardown(() => harness.close());
  harness.publisher.update({ models: [makeModel()] });
  await harness.activator.ready;
});

async function rows(): Promise<string[]> {
  const text = await harness.scrape();
  return text.split('\n').filter((row) => /^rouse_cold_start_seconds_(sum|count)/.test(row));
}

async function timing(asked: ReturnType<typeof call>): Promise<unknown> {
  return (await asked).headers['server-timing'];
}

test('what was spent on a start is no waiting in a queue; who joins late did not wait for all of it', async () => {
  const { clock } = harness;
  const at = clock.now();
  const queued = (count: number): Promise<void> =>
    until(`${count} wait`, async () => (await harness.gauge('rouse_queue_depth')) === count);
  const first = call(harness.port, PATH);
  await queued(1);
  clock.advance(50);
  const late = call(harness.port, PATH);
  await queued(2);
  clock.advance(50);
  const times = { askedAt: at + 10, startedAt: at + 30, readyAt: at + 90 };
  harness.publisher.update({ instances: [makeInstance(port, times)] });
  await until('both run', () => begun === 2);
  clock.advance(5);
  answer();
  expect([await timing(first), await timing(late)]).toEqual([
    'queue;dur=20.00, start;dur=20.00, load;dur=60.00, infer;dur=5.00',
    'queue;dur=10.00, start;dur=0.00, load;dur=40.00, infer;dur=5.00',
  ]);
  // What a start takes is counted where it is made, once.
  const counted = [
    'rouse_cold_start_seconds_sum{phase="queue"} 0.03',
    'rouse_cold_start_seconds_count{phase="queue"} 2',
    'rouse_cold_start_seconds_sum{phase="infer"} 0.01',
    'rouse_cold_start_seconds_count{phase="infer"} 2',
  ];
  expect(await rows()).toEqual(counted);
  const warm = call(harness.port, PATH);
  await until('it runs', () => begun === 3);
  answer();
  expect(await timing(warm)).toBe('queue;dur=0.00, infer;dur=0.00');
  expect(await rows()).toEqual(counted);
});
