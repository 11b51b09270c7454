import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ModelInput } from '#domain/model.ts';
import type { Instance } from '#runtime/runtime.ts';
import { type Harness, MIB, createHarness, deployed, program, rest } from './harness.ts';

/** The learned keep-alive as control runs it: virtual time, a runtime in memory, the real store. */

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(async () => {
  await harness.close();
});

const MINUTE = 60;
const HOUR = 60 * MINUTE;
/** Starts take 0.1 s, so that at the least price one is worth 15.4 minutes of the memory. */
const ADAPTIVE = {
  revision: program({ resources: { memory: '400Mi' } }),
  keepAlive: { policy: 'adaptive' },
} as const satisfies ModelInput['spec'];

function stateOf(key: string): Instance['state'] | 'none' {
  return harness.runtime.instances(key).find(({ state }) => state !== 'draining')?.state ?? 'none';
}

function letGo(): void {
  for (const { id, state } of harness.outlet.instances.values()) {
    if (state === 'draining') harness.outlet.say({ type: 'drained', instance: id });
  }
}

/** Seconds pass in which nobody comes; the data planes let go of what drains. */
async function quiet(seconds: number, each?: () => void): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    each?.();
    letGo();
    harness.clock.advance(1000);
    if (second % 10 === 9) await rest();
  }
  await rest();
}

/** One request, answered within a second; whether it found an instance. */
async function ask(key: string): Promise<'warm' | 'cold'> {
  const isWarm = stateOf(key) === 'ready';
  if (!isWarm) harness.outlet.say({ type: 'wake', revision: key, queued: 1 });
  await quiet(1);
  harness.load({ revision: key, arrivals: 1, coldArrivals: isWarm ? 0 : 1, busySeconds: 0.1 });
  return isWarm ? 'warm' : 'cold';
}

/** Asked every ten minutes so often. */
async function askByTimer(key: string, times: number): Promise<string[]> {
  const found: string[] = [];
  for (let round = 0; round < times; round++) {
    found.push(await ask(key));
    await quiet(10 * MINUTE - 1);
  }
  return found;
}

async function lastWhy(type = 'ScaleDecided'): Promise<string> {
  return (await harness.events(type)).at(-1)?.why ?? '';
}

describe('adaptive keep-alive, live', () => {
  test('what nobody has asked for is not kept', async () => {
    const key = await deployed(harness, ADAPTIVE);
    await quiet(2);
    expect(stateOf(key)).toBe('none');
    expect(await lastWhy()).toContain('no request has come that would be worth keeping it for');
  });

  test('without history it is kept for a fifth of what its cold start is worth, and says so', async () => {
    const key = await deployed(harness, ADAPTIVE);
    await ask(key);
    await quiet(3 * MINUTE);
    expect(stateOf(key)).toBe('ready');
    const planned = (await harness.events('KeepAlivePlanned')).at(-1);
    expect(planned?.why).toMatch(
      /^parked after 3.1m, .*: never idle before; .* worth 15.4m of its/,
    );
    expect(planned?.data).toMatchObject({ decision: { plan: [{ state: 'parked' }, {}] } });
    await quiet(20 * MINUTE);
    expect(stateOf(key)).toBe('none');
    expect(await lastWhy()).toMatch(
      /^no instance: idle for .*, keep-alive is adaptive: parked after/,
    );
  });

  test('a timer is learned: unloaded at once, loaded ahead of the next request, and explained', async () => {
    const key = await deployed(harness, ADAPTIVE);
    const found = await askByTimer(key, 10);
    expect(found.slice(4)).toEqual(Array.from({ length: 6 }, () => 'warm'));
    await ask(key);
    await quiet(5 * MINUTE);
    expect(stateOf(key)).toBe('none');
    await quiet(5 * MINUTE - 1);
    expect(stateOf(key)).toBe('ready');
    const told = (await harness.events('ScaleDecided')).at(-1);
    expect(told?.why).toMatch(
      /^1 instance: loaded ahead of a request, .*hot after 9.9m, .*idle 10 times/,
    );
    expect(told?.data).toMatchObject({ decision: { desired: 1, reason: 'ahead' } });
    expect(await harness.control.metrics()).toContain(
      'rouse_policy_decisions_total{policy="ahead",decision="up"}',
    );
    // Nobody comes: it goes again, once.
    await quiet(30 * MINUTE);
    expect(stateOf(key)).toBe('none');
  });

  test('what no traffic leads to is not loaded ahead', async () => {
    const key = await deployed(harness, ADAPTIVE);
    await askByTimer(key, 10);
    await ask(key);
    await quiet(5);
    await harness.apply({ ...ADAPTIVE, revision: program({ resources: { memory: '300Mi' } }) });
    await quiet(12 * MINUTE);
    expect(stateOf(key)).toBe('none');
  });

  test('nor what has no room: nobody goes for it', async () => {
    const keepAlive = { policy: 'fixed', idle: '2h' } as const;
    const large = program({ resources: { memory: '700Mi' } });
    const other = await deployed(harness, { revision: large, keepAlive }, 'other');
    const key = await deployed(harness, ADAPTIVE);
    await askByTimer(key, 10);
    await ask(key);
    await quiet(3 * MINUTE);
    await ask(other);
    await quiet(7 * MINUTE - 2);
    expect(stateOf(other)).toBe('ready');
    expect(stateOf(key)).toBe('none');
    // A request is another matter.
    await ask(key);
    await quiet(2);
    expect(stateOf(other)).toBe('none');
  });

  test('a floor holds whatever is planned, and so does a fixed time', async () => {
    const held = await deployed(harness, { ...ADAPTIVE, scaling: { min: 1 } }, 'held');
    const keepAlive = { policy: 'fixed', idle: '90m' } as const;
    const fixed = await deployed(harness, { ...ADAPTIVE, keepAlive }, 'fixed');
    await ask(held);
    await ask(fixed);
    await quiet(HOUR);
    expect([held, fixed].map(stateOf)).toEqual(['ready', 'ready']);
    await quiet(31 * MINUTE);
    expect([held, fixed].map(stateOf)).toEqual(['ready', 'none']);
    expect(await harness.events('KeepAlivePlanned')).toEqual([]);
  });

  test('a policy that changes while it idles holds from then on', async () => {
    const keepAlive = { policy: 'fixed', idle: '9h' } as const;
    const key = await deployed(harness, { ...ADAPTIVE, keepAlive });
    await ask(key);
    await quiet(HOUR);
    expect(stateOf(key)).toBe('ready');
    await harness.apply(ADAPTIVE);
    await quiet(5);
    expect(stateOf(key)).toBe('none');
  });

  test('is parked only where that gives back a third of the memory', async () => {
    const key = await deployed(harness, ADAPTIVE);
    await ask(key);
    await quiet(190);
    expect(stateOf(key)).toBe('parked');
    const [instance] = harness.runtime.instances(key);
    harness.runtime.setMemory(instance?.id ?? '', 390 * MIB);
    await quiet(10);
    // So soon after freezing it says nothing: the memory is still being given back.
    expect(stateOf(key)).toBe('parked');
    await quiet(20);
    harness.runtime.setMemory(instance?.id ?? '', 390 * MIB);
    await quiet(30);
    expect(stateOf(key)).toBe('none');
    await ask(key);
    const plan = (await harness.events('KeepAlivePlanned')).at(-1);
    await quiet(2 * MINUTE);
    expect((await lastWhy('KeepAlivePlanned')).includes('parked')).toBe(false);
    expect(plan?.why).toContain('parked after');
  });

  test('for another one goes what is least worth its memory, not what idles longest', async () => {
    const keepAlive = { policy: 'fixed', idle: '2h' } as const;
    const one = await deployed(harness, { ...ADAPTIVE, keepAlive }, 'one');
    const two = await deployed(harness, { ...ADAPTIVE, keepAlive }, 'two');
    // One is asked every ten minutes; two was asked a minute before it.
    for (let round = 0; round < 8; round++) {
      await ask(one);
      await quiet(round < 7 ? 10 * MINUTE - 1 : 8 * MINUTE);
    }
    await ask(two);
    await quiet(80);
    harness.outlet.watch(letGo);
    const third = await deployed(harness, { ...ADAPTIVE, keepAlive }, 'third');
    await ask(third);
    await quiet(5);
    expect([one, two, third].map(stateOf)).toEqual(['ready', 'none', 'ready']);
    const told = (await harness.events('WaitingForMemory')).map(({ why }) => why).join('\n');
    expect(told).toContain(`the idle that are least worth it go first: ${two}`);
    expect(told).not.toContain(one);
  });

  test('memory is dearer when others use most of it', async () => {
    const large = program({ resources: { memory: '700Mi' } });
    const other = await deployed(harness, { revision: large }, 'other');
    const small = { ...ADAPTIVE, revision: program({ resources: { memory: '250Mi' } }) };
    const key = await deployed(harness, small);
    const busy = (): void => {
      harness.load({ revision: other, inFlight: 1, concurrency: 1 }, 'plane-2');
    };
    harness.outlet.say({ type: 'wake', revision: other, queued: 1 });
    for (let round = 0; round < 24; round++) {
      await ask(key);
      await quiet(2 * MINUTE + 13 * (round % 7), busy);
    }
    await ask(key);
    await quiet(HOUR, busy);
    const told = (await harness.events()).findLast(({ why }) => why.includes('is worth'));
    const [, count, unit] = /worth ([0-9.]+)(s|m) of its memory/.exec(told?.why ?? '') ?? [];
    const minutes = Number(count) / (unit === 's' ? 60 : 1);
    // Where nobody else wants it: 24.6.
    expect(minutes).toBeGreaterThan(0);
    expect(minutes).toBeLessThan(12);
  });

  test('what is small has its price, too, where memory is for few of many', async () => {
    await harness.close();
    harness = await createHarness({ memoryBudget: 48 * MIB });
    const small = { ...ADAPTIVE, revision: program({ resources: { memory: '16Mi' } }) };
    const keys: string[] = [];
    for (let model = 0; model < 12; model++) {
      keys.push(await deployed(harness, small, `m${model}`));
    }
    for (let round = 0; round < 20; round++) {
      for (const key of keys) await ask(key);
      await quiet(48);
    }
    await quiet(5 * MINUTE);
    const told = (await harness.events()).filter(({ why }) => why.includes('is worth'));
    const worths = told.map(({ why }) => /worth ([0-9.]+)s of its memory/.exec(why)?.[1]);
    // They idle for 59 s; four fifths of 48 MiB are enough for 12 s of each.
    expect(Number(worths.at(-1))).toBeLessThan(20);
  });
});

describe('schedules', () => {
  /** The clock begins on a Tuesday at midnight. */
  const EARLY = { cron: '30 0 * * *', duration: '30m' };
  const ASLEEP = { ...ADAPTIVE, keepAlive: { policy: 'fixed', idle: '60s' } } as const;
  const SCHEDULED: ModelInput['spec'] = {
    ...ADAPTIVE,
    keepAlive: { policy: 'adaptive', schedules: [EARLY] },
  };

  async function quietUntil(minute: number, each?: () => void): Promise<void> {
    const midnight = Date.UTC(2030, 0, 1);
    await quiet(Math.ceil((midnight + minute * 60_000 - harness.clock.now()) / 1000), each);
  }

  test.each<[string, ModelInput['spec']]>([
    ['adaptive', SCHEDULED],
    ['fixed', { ...SCHEDULED, keepAlive: { policy: 'fixed', idle: '60s', schedules: [EARLY] } }],
  ])(
    '%s: what nobody asks is ready in these times, and only then, and says why',
    async (_, spec) => {
      const key = await deployed(harness, spec);
      await quietUntil(29);
      expect(stateOf(key)).toBe('none');
      await quietUntil(31);
      expect(stateOf(key)).toBe('ready');
      const told = (await harness.events('ScaleDecided')).at(-1);
      expect(told?.why).toMatch(/^1 instance: its schedule 30 0 \* \* \* \(UTC\) keeps 1 for 30m/);
      expect(told?.data).toMatchObject({ decision: { desired: 1, reason: 'floor:schedule' } });
      await quietUntil(59);
      expect(stateOf(key)).toBe('ready');
      await quietUntil(61);
      expect(stateOf(key)).toBe('none');
      const turns = (await harness.events('ScheduleTurned')).map(({ data }) => data);
      expect(turns).toMatchObject([{ decision: { count: 1 } }, { decision: { count: 0 } }]);
    },
  );

  test('what is awake stays whatever was planned, and is planned for when the time is over', async () => {
    const key = await deployed(harness, SCHEDULED);
    await quietUntil(29.5);
    await ask(key);
    await quietUntil(59);
    expect(stateOf(key)).toBe('ready');
    expect(await harness.events('KeepAlivePlanned')).toEqual([]);
    await quietUntil(65);
    const planned = (await harness.events('KeepAlivePlanned')).at(-1);
    expect(planned?.why).toContain('never idle before');
    await quietUntil(90);
    expect(stateOf(key)).toBe('none');
  });

  test('no memory goes to others from what a schedule keeps', async () => {
    const key = await deployed(harness, SCHEDULED);
    const large = { ...ASLEEP, revision: program({ resources: { memory: '700Mi' } }) };
    const other = await deployed(harness, large, 'other');
    await quietUntil(31);
    const waits = (): void => harness.outlet.say({ type: 'wake', revision: other, queued: 1 });
    await quietUntil(59, waits);
    expect([key, other].map(stateOf)).toEqual(['ready', 'none']);
    await quietUntil(61, waits);
    expect([key, other].map(stateOf)).toEqual(['none', 'ready']);
  });

  test('holds from the moment in which it is written, over a restart, until it is taken away', async () => {
    const key = await deployed(harness, ASLEEP);
    await quietUntil(35);
    expect(stateOf(key)).toBe('none');
    await harness.apply(SCHEDULED);
    await quiet(2);
    expect(stateOf(key)).toBe('ready');
    await harness.restart();
    await quiet(2);
    expect(stateOf(key)).toBe('ready');
    await harness.apply(ASLEEP);
    await quiet(2);
    expect(stateOf(key)).toBe('none');
  });

  test('goes by the hour as it is, also after the clock was put back', async () => {
    let hourOff = 0;
    await harness.close();
    harness = await createHarness({ hourOff: () => hourOff });
    const key = await deployed(harness, SCHEDULED);
    await quietUntil(31);
    expect(stateOf(key)).toBe('ready');
    hourOff = -20 * MINUTE * 1000;
    await quietUntil(32);
    expect(stateOf(key)).toBe('none');
    await quietUntil(49);
    expect(stateOf(key)).toBe('none');
    await quietUntil(51);
    expect(stateOf(key)).toBe('ready');
    await quietUntil(79);
    expect(stateOf(key)).toBe('ready');
    await quietUntil(81);
    expect(stateOf(key)).toBe('none');
  });

  test('only what traffic leads to is kept, as many as it says', async () => {
    const schedules = [EARLY, { ...EARLY, cron: '40 0 * * *', min: 2, duration: '5m' }];
    const small = program({ resources: { memory: '100Mi' } });
    const spec = { keepAlive: { policy: 'adaptive', schedules } } as const;
    const old = await deployed(harness, { ...spec, revision: small });
    const key = await deployed(harness, { ...spec, revision: { ...small, concurrency: 3 } });
    await quietUntil(41);
    expect(stateOf(old)).toBe('none');
    expect(harness.runtime.instances(key)).toHaveLength(2);
    await quietUntil(50);
    expect(harness.runtime.instances(key)).toHaveLength(1);
  });
});
