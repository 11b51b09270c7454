import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { latencyBucket } from '#domain/latency.ts';
import { ADMIN, type Harness, createHarness } from '../harness.ts';
import { awake, lastWhy, live, run } from './busy-model.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(async () => {
  await harness.close();
});

describe('signals steer', () => {
  test('by the processor time that the runtime measures', async () => {
    const key = await awake(harness, { signals: [{ signal: 'cpu', target: 0.5 }] });
    await run(harness, key, 8, 0.9);
    expect(live(harness, key)).toBe(2);
    await run(harness, key, 20, 2.4);
    expect(live(harness, key)).toBe(5);
    expect(await lastWhy(harness)).toMatch(/\((signals|a burst)\): [\d.]+ by cpu [\d.]+/);
    await run(harness, key, 60, 0.1);
    expect(live(harness, key)).toBe(1);
  });

  test('by requests per second, and by what they take', async () => {
    const key = await awake(harness, {
      signals: [
        { signal: 'requests', target: 10, weight: 1 },
        { signal: 'latency', target: '200ms' },
      ],
    });
    await run(harness, key, 8, 0, { arrivals: 30 });
    expect(live(harness, key)).toBe(3);
    await run(harness, key, 8, 0, { latency: [latencyBucket(300), 10], arrivals: 30 });
    expect(live(harness, key)).toBeGreaterThanOrEqual(5);
  });

  test('without a signal that is known the number stays, and it is said why', async () => {
    const key = await awake(harness, {
      signals: [
        { signal: 'gpu', target: 0.5, weight: 1 },
        { signal: 'prometheus', target: 1, query: 'up' },
      ],
    });
    await run(harness, key, 20, 0.9, { concurrency: 100 });
    expect(live(harness, key)).toBe(1);
    expect(await lastWhy(harness)).toMatch(
      /no signal that could lower it.*left out: gpu was not .*, prometheus up (was not asked|has no server)/,
    );
  });

  test('on trial they are told, and the requests at once decide', async () => {
    const key = await awake(harness, { dryRun: true, signals: [{ signal: 'cpu', target: 0.1 }] });
    await run(harness, key, 10, 0.9);
    expect(live(harness, key)).toBe(1);
    const why = await lastWhy(harness, 'ScaleDryRun');
    expect(why).toMatch(/^dry run: the load needs \d+ instances \((signals|a burst)\)/);
  });

  test('by what users post', async () => {
    const signals = [{ signal: 'custom' as const, measure: 'backlog', target: 5 }];
    const key = await awake(harness, { signals });
    const { useCases } = harness.control;
    await useCases.addMeasures(ADMIN, 'default', 'm', [{ name: 'backlog', value: 22 }]);
    await run(harness, key, 40, 0);
    expect(live(harness, key)).toBe(5);
  });

  test('what ran before control keeps its number until there is something to judge by', async () => {
    const key = await awake(harness, { signals: [{ signal: 'cpu', target: 0.5 }] });
    await run(harness, key, 12, 0.9);
    const before = live(harness, key);
    expect(before).toBeGreaterThan(1);
    await harness.restartControl();
    await run(harness, key, 5, 0.9);
    expect(live(harness, key)).toBeGreaterThanOrEqual(before);
  });

  test('meters that fall silent are late, not idle', async () => {
    const key = await awake(harness, { signals: [{ signal: 'cpu', target: 0.5 }] });
    await run(harness, key, 20, 0.9);
    const before = live(harness, key);
    await harness.pass(90, () => harness.load({ revision: key, inFlight: 1, concurrency: 1 }));
    expect(live(harness, key)).toBe(before);
    expect(await lastWhy(harness)).toMatch(/no signal.*left out: cpu is [\d.]+ s old/);
  });
});
