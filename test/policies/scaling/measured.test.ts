import { expect, test } from 'vitest';
import { latencyBucket } from '#domain/latency.ts';
import { recordLatency } from '#policies/scaling/latency-window.ts';
import { makeMeasured, sightLatency, sightTotal } from '#policies/scaling/measured.ts';
import { recordLoad } from '#policies/window.ts';

const NOW = 1_000_000;

test('a total is the mean of what is known, and nothing before there is enough of it', () => {
  const { since, load } = makeMeasured(NOW);
  for (let second = 0; second < 6; second++) recordLoad(load, NOW + second * 1000, 8);
  expect(sightTotal(since, load, NOW + 3900)).toMatchObject({
    value: undefined,
    missing: 'is not known for long enough',
  });
  expect(sightTotal(since, load, NOW + 6000)).toMatchObject({ value: 8, burst: 8 });
});

test('the last seconds show a burst before the mean does', () => {
  const { load } = makeMeasured(NOW);
  for (let second = 0; second < 20; second++) {
    recordLoad(load, NOW + second * 1000, second < 16 ? 2 : 12);
  }
  expect(sightTotal(NOW, load, NOW + 20_000)).toMatchObject({ value: 6, burst: 12 });
});

test('a latency is that of all but the slowest twentieth, among those that were ready', () => {
  const measured = makeMeasured(NOW);
  for (let second = 0; second < 10; second++) {
    const at = NOW + second * 1000;
    recordLoad(measured.ready, at, second < 6 ? 2 : 4);
    recordLatency(measured.latency, at, [latencyBucket(100), 9, latencyBucket(400), 1]);
  }
  const { value, among } = sightLatency(measured, measured.latency, NOW + 10_000);
  expect(value).toBeGreaterThan(350);
  expect(among).toBe(3);
  const empty = sightLatency(measured, measured.waits, NOW + 10_000);
  expect(empty).toMatchObject({ value: undefined, missing: 'has no requests' });
  expect(sightLatency(measured, measured.latency, NOW + 2000).missing).toContain('long enough');
});
