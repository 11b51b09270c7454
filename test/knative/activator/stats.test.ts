import { describe, expect, test } from 'vitest';
import type { RevisionLoad } from '#bus/messages.ts';
import { createReporter } from '#knative/activator/reporter.ts';
import { encodeStats, type Stat } from '#knative/activator/stats.ts';

describe('the bytes', () => {
  test('are those of Knative', () => {
    const stat = { namespace: 'default', revision: 'r', concurrency: 1, count: 1 };
    expect(Buffer.from(encodeStats('a', [stat])).toString('hex')).toBe(
      '0a230a0764656661756c741201721a150a016111000000000000f03f21000000000000f03f',
    );
  });

  test('leave out what is zero, and hold several', () => {
    const none = { namespace: 'n', revision: 'r', concurrency: 0, count: 0 };
    const one = '0a0b0a016e1201721a030a0161';
    expect(Buffer.from(encodeStats('a', [none, none])).toString('hex')).toBe(one + one);
    expect(encodeStats('a', [])).toHaveLength(0);
  });
});

describe('what is told of revisions', () => {
  const KEY = 'n/r/r';
  const load = (concurrency: number, arrivals: number, revision = KEY): RevisionLoad => ({
    revision,
    concurrency,
    arrivals,
    inFlight: 0,
    queued: 0,
    coldArrivals: 0,
    busySeconds: 0,
    coldSeconds: 0,
  });

  function start() {
    const sent: Stat[] = [];
    let isAway = false;
    const reporter = createReporter((stats) => {
      if (!isAway) sent.push(...stats);
      return !isAway;
    });
    return {
      reporter,
      away: (is: boolean) => (isAway = is),
      take: () => sent.splice(0).map((s) => [s.revision, s.concurrency, s.count]),
    };
  }

  test('the first request at once, and not twice', () => {
    const { reporter, take } = start();
    reporter.wake(KEY);
    expect(take()).toEqual([['r', 1, 1]]);
    reporter.wake(KEY);
    expect(take()).toEqual([]);
    reporter.load([load(2.5, 3)]);
    expect(take()).toEqual([['r', 1.5, 2]]);
    reporter.load([load(3, 1)]);
    expect(take()).toEqual([['r', 3, 1]]);
  });

  test('all of it with the first report, when what was to be told at once was lost', () => {
    const { reporter, take, away } = start();
    away(true);
    reporter.wake(KEY);
    away(false);
    reporter.load([load(1, 1)]);
    expect(take()).toEqual([['r', 1, 1]]);
    reporter.load([load(1, 0)]);
    expect(take()).toEqual([['r', 1, 0]]);
  });

  test('never less than nothing', () => {
    const { reporter, take } = start();
    reporter.wake(KEY);
    reporter.load([load(0.25, 1)]);
    expect(take()).toContainEqual(['r', 0, 0]);
  });

  test('once more when nothing comes, and then no more; who comes again is new', () => {
    const { reporter, take } = start();
    reporter.wake(KEY);
    reporter.load([load(1, 1)]);
    take();
    reporter.load([]);
    expect(take()).toEqual([['r', 0, 0]]);
    reporter.load([]);
    expect(take()).toEqual([]);
    reporter.wake(KEY);
    expect(take()).toEqual([['r', 1, 1]]);
  });

  test('what was awake all the time is told of with its first report', () => {
    const { reporter, take } = start();
    reporter.load([load(0.5, 2), load(1, 1, 'n/other/other')]);
    expect(take()).toEqual([
      ['r', 0.5, 2],
      ['other', 1, 1],
    ]);
  });
});
