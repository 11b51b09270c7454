import { beforeEach, describe, expect, test } from 'vitest';
import { createStatLink, type StatLink } from '#knative/activator/stat-link.ts';
import { encodeStats } from '#knative/activator/stats.ts';
import { silentLog } from '#lib/log.ts';
import { createFakeClock, type FakeClock } from '#test/fake-clock.ts';
import { type FakeAutoscaler, startFakeAutoscaler } from '#test/serve/activator/fake-autoscaler.ts';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';

const teardown = useTeardown();
let autoscaler: FakeAutoscaler;
let clock: FakeClock;
let link: StatLink;

beforeEach(async () => {
  autoscaler = await startFakeAutoscaler();
  teardown(() => autoscaler.close());
  clock = createFakeClock();
  link = createStatLink({ url: autoscaler.url, clock, log: silentLog });
  teardown(() => link.close());
  await link.ready;
});

const BYTES = encodeStats('a', [{ namespace: 'n', revision: 'r', concurrency: 1, count: 2 }]);

describe('the link to the autoscaler', () => {
  test('carries statistics', async () => {
    expect(link.send(BYTES)).toBe(true);
    await until('it has come', () => autoscaler.stats.length === 1);
    expect(autoscaler.stats[0]).toMatchObject({ revision: 'r', concurrency: 1, count: 2 });
  });

  test('that was cut loses what is sent meanwhile, and comes again', async () => {
    autoscaler.drop();
    await until('it is away', () => !link.linked);
    expect(link.send(BYTES)).toBe(false);
    clock.advance(100);
    await until('it is back', () => link.linked);
    expect(autoscaler.openings.length).toBe(2);
  });

  test('is taken for broken when pings are not answered', async () => {
    autoscaler.hang();
    // Four pings, of which none is answered.
    clock.advance(14_000);
    await until('it is away', () => !link.linked);
    clock.advance(100);
    await until('there is another', () => autoscaler.openings.length === 2);
  });

  test('that is answered stays', async () => {
    for (let i = 0; i < 12; i += 1) {
      const pings = autoscaler.pings;
      clock.advance(3_334);
      await until('it was asked', () => autoscaler.pings > pings);
      // The answer is behind it on the same connection: what is sent now comes after that was read.
      await autoscaler.settle();
    }
    expect(link.linked).toBe(true);
    expect(autoscaler.openings.length).toBe(1);
  });

  test('that is closed opens nothing any more', async () => {
    link.close();
    clock.advance(60_000);
    expect(clock.pending).toBe(0);
    expect(link.linked).toBe(false);
  });
});
