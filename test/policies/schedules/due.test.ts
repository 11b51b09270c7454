import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCron } from '#domain/cron.ts';
import { decideDue, type DueMemory, type Timing } from '#policies/schedules/due.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function timing(part: Partial<Timing> = {}): Timing {
  return {
    schedule: '0 3 * * *',
    timeZone: 'UTC',
    concurrencyPolicy: 'Allow',
    startingDeadline: undefined,
    suspend: false,
    ...part,
  };
}

const at = (text: string): number => Date.parse(text);
const NONE = { delayMs: 0, active: [] };

/** What is done when it is looked at in these moments, each time with what the last look left. */
function looks(spec: Timing, after: string, moments: readonly string[], seen = NONE): unknown[] {
  let memory: DueMemory = { after: at(after) };
  return moments.map((moment) => {
    const decided = decideDue(spec, seen, memory, at(moment));
    memory = decided.memory;
    const { decision } = decided;
    if (decision.kind === 'wait') {
      return decision.until === undefined ? 'never' : `until ${iso(decision.until)}`;
    }
    const missed = decision.missed > 0 ? `, ${decision.missed} missed` : '';
    return `${decision.kind} ${iso(decision.scheduledAt)}${missed}`;
  });
}

const iso = (time: number): string => new Date(time).toISOString().slice(0, 16);

describe('a time that is due', () => {
  test('starts once, and the next one is waited for', () => {
    const moments = ['2026-03-01T02:59:59Z', '2026-03-01T03:00:00Z', '2026-03-01T03:00:01Z'];
    expect(looks(timing(), '2026-03-01T00:00:00Z', moments)).toEqual([
      'until 2026-03-01T03:00',
      'start 2026-03-01T03:00',
      'until 2026-03-02T03:00',
    ]);
  });

  test('comes later by its share of the jitter', () => {
    const moments = ['2026-03-01T03:04:59Z', '2026-03-01T03:05:00Z', '2026-03-01T03:05:01Z'];
    const seen = { delayMs: 5 * MINUTE, active: [] };
    expect(looks(timing(), '2026-03-01T00:00:00Z', moments, seen)).toEqual([
      'until 2026-03-01T03:05',
      'start 2026-03-01T03:00',
      'until 2026-03-02T03:05',
    ]);
  });

  test('does not come while it is suspended, and never where there is none', () => {
    const moments = ['2026-03-01T03:00:00Z'];
    expect(looks(timing({ suspend: true }), '2026-03-01T00:00:00Z', moments)).toEqual(['never']);
  });
});

describe('what was missed', () => {
  const moments = ['2026-03-04T08:00:00Z', '2026-03-04T08:00:01Z'];

  test('is caught up once: the last one, and the others are counted', () => {
    expect(looks(timing(), '2026-03-01T04:00:00Z', moments)).toEqual([
      'start 2026-03-04T03:00, 2 missed',
      'until 2026-03-05T03:00',
    ]);
  });

  test('is skipped when its starting deadline has passed', () => {
    const spec = timing({ startingDeadline: HOUR });
    expect(looks(spec, '2026-03-01T04:00:00Z', moments)).toEqual([
      'skip 2026-03-04T03:00, 2 missed',
      'until 2026-03-05T03:00',
    ]);
    const { why } = decideDue(spec, NONE, { after: at('2026-03-01T04:00:00Z') }, at(moments[0]!));
    expect(why).toBe('5h late, its starting deadline is 60m');
  });

  test('is told apart from what is on time', () => {
    const decide = (moment: string) =>
      decideDue(timing(), NONE, { after: at('2026-03-01T00:00:00Z') }, at(moment));
    expect(decide('2026-03-01T03:01:00Z').decision).toMatchObject({ isLate: false });
    expect(decide('2026-03-01T03:01:01Z')).toMatchObject({
      decision: { isLate: true },
      why: 'due at 2026-03-01T03:00:00Z, 61s late',
    });
  });

  test('in a year of minutes is found at once, the last one', () => {
    const spec = timing({ schedule: '* * * * *' });
    expect(looks(spec, '2025-03-01T00:00:00Z', ['2026-03-01T00:00:30Z'])).toEqual([
      'start 2026-03-01T00:00, 1000 missed',
    ]);
  });
});

describe('while an earlier run has not ended', () => {
  const seen = { delayMs: 0, active: ['n-1', 'n-2'] };
  const decide = (spec: Timing, active: readonly string[] = seen.active) =>
    decideDue(
      spec,
      { ...seen, active },
      { after: at('2026-03-01T00:00:00Z') },
      at('2026-03-01T03:00:00Z'),
    );

  test.each([
    ['Allow', { kind: 'start', replaces: [] }],
    ['Forbid', { kind: 'skip' }],
    ['Replace', { kind: 'start', replaces: ['n-1', 'n-2'] }],
  ] as const)('%s', (concurrencyPolicy, decision) => {
    expect(decide(timing({ concurrencyPolicy })).decision).toMatchObject(decision);
  });

  test('it says which', () => {
    expect(decide(timing({ concurrencyPolicy: 'Forbid' })).why).toBe('run n-1 has not ended');
  });

  test('Allow has an end, too', () => {
    const active = Array.from({ length: 20 }, (_, index) => `n-${index}`);
    expect(decide(timing(), active)).toMatchObject({
      decision: { kind: 'skip' },
      why: '20 of its runs have not ended',
    });
    expect(decide(timing({ concurrencyPolicy: 'Replace' }), active).decision.kind).toBe('start');
  });
});

describe('where the clock of the place is moved', () => {
  const berlin = (schedule: string): Timing => timing({ schedule, timeZone: 'Europe/Berlin' });

  test('forward: what it skips comes once, when it has been', () => {
    const moments = ['2026-03-29T00:59:59Z', '2026-03-29T01:00:00Z', '2026-03-29T01:00:01Z'];
    expect(looks(berlin('30 2 * * *'), '2026-03-28T12:00:00Z', moments)).toEqual([
      'until 2026-03-29T01:00',
      'start 2026-03-29T01:00',
      'until 2026-03-30T00:30',
    ]);
  });

  test('back: what it shows twice comes once', () => {
    const moments = ['2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z'];
    expect(looks(berlin('30 2 * * *'), '2026-10-25T00:00:00Z', moments)).toEqual([
      'start 2026-10-25T00:30',
      'until 2026-10-26T01:30',
    ]);
  });
});

describe('when the clock of the machine', () => {
  test('is put back, nothing comes again', () => {
    const moments = ['2026-03-02T03:00:00Z', '2026-03-01T22:00:00Z', '2026-03-02T03:00:00Z'];
    expect(looks(timing(), '2026-03-02T00:00:00Z', moments)).toEqual([
      'start 2026-03-02T03:00',
      'until 2026-03-03T03:00',
      'until 2026-03-03T03:00',
    ]);
  });

  test('was a year ahead, it goes by the right one from then on', () => {
    const moments = ['2027-03-02T03:00:00Z', '2026-03-02T02:00:00Z', '2026-03-02T03:00:00Z'];
    expect(looks(timing(), '2027-03-02T00:00:00Z', moments)).toEqual([
      'start 2027-03-02T03:00',
      'until 2026-03-02T03:00',
      'start 2026-03-02T03:00',
    ]);
  });
});

const schedule = fc.constantFrom(
  '* * * * *',
  '*/15 * * * *',
  '30 * * * *',
  '30 2 * * *',
  '0 3 * * MON-FRI',
  '15,45 1-3 * * *',
);
const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe');
/** Days in which clocks are moved, and others. */
const begin = fc
  .tuple(
    fc.constantFrom(
      '2026-03-28T12:00:00Z',
      '2026-10-24T12:00:00Z',
      '2026-03-07T12:00:00Z',
      '2026-06-01T00:00:00Z',
    ),
    fc.integer({ min: 0, max: 2 * 24 * 60 }),
  )
  .map(([day, minutes]) => at(day) + minutes * MINUTE);
/** Most looks come after a second, some after hours without anybody there. */
const gaps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 1000, max: 90_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 10 * MINUTE, max: 6 * HOUR }) },
  ),
  { minLength: 1, maxLength: 120 },
);

test('each time is dealt with once, in order: it has a run or was missed, whenever it is looked at', () => {
  const delay = fc.integer({ min: 0, max: 40 * MINUTE });
  fc.assert(
    fc.property(schedule, zone, begin, gaps, delay, (text, timeZone, start, steps, delayMs) => {
      const spec = timing({ schedule: text, timeZone });
      let memory: DueMemory = { after: start };
      let now = start;
      const dealt: number[] = [];
      let missed = 0;
      for (const gap of steps) {
        now += gap;
        const looked = decideDue(spec, { delayMs, active: [] }, memory, now);
        memory = looked.memory;
        if (looked.decision.kind === 'wait') continue;
        expect(looked.decision.scheduledAt + delayMs).toBeLessThanOrEqual(now);
        dealt.push(looked.decision.scheduledAt);
        missed += looked.decision.missed;
        // A second look at once, or a restart, finds nothing more to do.
        expect(decideDue(spec, { delayMs, active: [] }, memory, now).decision.kind).toBe('wait');
      }
      const all: number[] = [];
      const cron = parseCron(text, timeZone);
      for (let time = cron.nextRun(start); time !== undefined && time + delayMs <= now;) {
        all.push(time);
        time = cron.nextRun(time);
      }
      expect(dealt).toEqual([...new Set(dealt)].toSorted((a, b) => a - b));
      expect(dealt.every((time) => all.includes(time))).toBe(true);
      expect(dealt.length + missed).toBe(all.length);
    }),
    { numRuns: 200 },
  );
});

test('what it says to wait for is when it starts', () => {
  fc.assert(
    fc.property(schedule, zone, begin, (text, timeZone, start) => {
      const spec = timing({ schedule: text, timeZone });
      const first = decideDue(spec, NONE, { after: start }, start).decision;
      if (first.kind !== 'wait' || first.until === undefined) throw new Error('it has to wait');
      const before = decideDue(spec, NONE, { after: start }, first.until - 1).decision;
      expect(before.kind).toBe('wait');
      const then = decideDue(spec, NONE, { after: start }, first.until).decision;
      expect(then).toMatchObject({ kind: 'start', scheduledAt: first.until });
    }),
  );
});

test('a clock that jumps back and forth by hours has no time run twice', () => {
  const jumps = fc.array(fc.integer({ min: -12 * HOUR, max: 12 * HOUR }), { maxLength: 60 });
  fc.assert(
    fc.property(schedule, zone, begin, jumps, (text, timeZone, start, steps) => {
      const spec = timing({ schedule: text, timeZone });
      let memory: DueMemory = { after: start };
      let now = start;
      const dealt: number[] = [];
      for (const step of steps) {
        // Not further back than a day before the furthest that it has shown.
        now = Math.max(now + step, memory.after - DAY);
        const { decision, memory: next } = decideDue(spec, NONE, memory, now);
        memory = next;
        if (decision.kind !== 'wait') dealt.push(decision.scheduledAt);
      }
      expect(new Set(dealt).size).toBe(dealt.length);
    }),
  );
});
