import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ModelInput } from '#domain/model.ts';
import {
  MIB,
  ADMIN,
  createHarness,
  deployed,
  type Harness,
  program,
  reaches,
  rest,
} from './harness.ts';

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(async () => {
  await harness.close();
});

type Spec = NonNullable<ModelInput['spec']['selection']>;
const MINUTE = 60;
const HOUR = 60 * MINUTE;

/** Revisions v1, v2, … with the first serving, and then a selection. */
async function setUp(
  selection: Spec,
  count = 2,
  more: Partial<ModelInput['spec']> = {},
): Promise<void> {
  const revisions = Array.from({ length: count }, (_, n) => named(`v${n + 1}`));
  const traffic = [{ revision: 'v1', percent: 100 }];
  await harness.apply({ revisions, traffic });
  for (const { name } of revisions) await reaches(harness, `default/m/${name}`, 'Ready');
  await harness.apply({ revisions, traffic, selection, ...more });
  await rest();
}

const named = (name: string) => ({ ...program(), name });

function serving(): string | undefined {
  const { targets = [] } = harness.outlet.models.get('default/m') ?? {};
  return targets.map(({ revision, percent }) => `${revision}=${percent}`).join(' ');
}

async function tell(
  revision: string | undefined,
  value: number,
  more: { name?: string; count?: number; deviation?: number; at?: number } = {},
): Promise<void> {
  const { name = 'accuracy', ...rest } = more;
  const measure = { ...(revision !== undefined && { revision }), name, value, ...rest };
  await harness.control.useCases.addMeasures(ADMIN, 'default', 'm', [measure]);
}

/** What was decided since it began, oldest first: kind, revision, and the reason in words. */
async function decisions(): Promise<[string, string | undefined, string][]> {
  const told = (await harness.events()).filter(({ type }) => type.startsWith('Selection'));
  return told
    .slice(1)
    .map(({ type, revision, why }) => [type.replace('Selection', ''), revision, why]);
}

const lastChange = async () => (await decisions()).findLast(([type]) => type === 'Changed');

const view = () => harness.control.useCases.getSelection(ADMIN, 'default', 'm');
const select = (revision: string, change: 'now' | 'lowTraffic' = 'now') =>
  harness.control.useCases.select(ADMIN, 'default', 'm', { revision, change });

describe('accuracyDriven', () => {
  const driven: Spec = { strategy: 'accuracyDriven', bound: 0.9, change: 'now' };

  test('the revision that serves is replaced when its score is beyond the bound', async () => {
    await setUp(driven);
    await tell('v1', 0.95, { count: 500 });
    await tell('v2', 0.96, { count: 500 });
    await harness.pass(2 * MINUTE);
    expect(serving()).toBe('v1=100');
    await tell('v1', 0.7, { count: 500 });
    await harness.pass(MINUTE + 1);
    expect(serving()).toBe('v2=100');
    expect(await decisions()).toEqual([
      ['Decided', undefined, 'v1 has accuracy 0.95 (500 samples), within the bound of 0.9'],
      [
        'Changed',
        'v2',
        'v1 has accuracy 0.825 (1000 samples), beyond the bound of 0.9; v2 has accuracy 0.96 (500 samples); at once',
      ],
    ]);
    expect(await harness.control.metrics()).toContain(
      'rouse_policy_decisions_total{policy="selection",decision="change"} 1',
    );
  });

  test('thin data change nothing, and are named', async () => {
    await setUp(driven);
    await tell('v1', 0.1, { count: 99 });
    await tell('v2', 0.99, { count: 500 });
    await harness.pass(2 * MINUTE);
    expect(serving()).toBe('v1=100');
    expect((await view()).decided).toMatchObject({
      action: 'stay',
      reason: 'thin',
      why: 'v1 has 99 samples of accuracy, 100 are needed',
    });
  });

  test('what is beyond the window is not counted', async () => {
    await setUp(driven);
    await tell('v1', 0.1, { count: 5000 });
    await harness.pass(MINUTE / 2);
    harness.clock.advance(90 * MINUTE * 1000);
    await tell('v1', 0.95, { count: 500 });
    await tell('v2', 0.99, { count: 500 });
    await harness.pass(2 * MINUTE);
    expect(serving()).toBe('v1=100');
  });
});

test('what serves is judged though there are many newer ones', async () => {
  const selection: Spec = { strategy: 'accuracyDriven', bound: 0.9, change: 'now' };
  await setUp(selection, 64);
  const traffic = [{ revision: 'v1', percent: 100 }];
  await harness.apply({ revision: named('v65'), traffic, selection });
  await reaches(harness, 'default/m/v65', 'Ready');
  await tell('v1', 0.7, { count: 500 });
  await tell('v65', 0.99, { count: 500 });
  await harness.pass(MINUTE + 1);
  expect(serving()).toBe('v65=100');
});

describe('periodicBest', () => {
  test('the best of the window serves, at the time of the schedule', async () => {
    // The clock of the tests begins at midnight UTC, one in Berlin.
    const schedule = { cron: '30 1 * * *', timeZone: 'Europe/Berlin' };
    await setUp({ strategy: 'periodicBest', schedule, change: 'now' }, 3);
    await tell('v1', 0.9, { count: 1000 });
    await tell('v2', 0.97, { count: 1000 });
    await tell('v3', 0.95, { count: 1000 });
    await skip(25);
    expect(serving()).toBe('v1=100');
    expect((await view()).nextLookAt).toBe(Date.UTC(2030, 0, 1, 0, 30));
    await skip(10);
    expect(serving()).toBe('v2=100');
    expect((await view()).nextLookAt).toBe(Date.UTC(2030, 0, 2, 0, 30));
  });

  test('what is waited for is told at once, also where a change is carried out at once', async () => {
    await setUp({ strategy: 'periodicBest', change: 'now' });
    const why = 'what serves stays, and is compared with others first at 2030-01-02T00:00:00Z';
    expect((await harness.events('SelectionDecided')).map((event) => event.why)).toEqual([why]);
    expect((await view()).decided).toMatchObject({ action: 'stay', reason: 'begun', why });
  });

  test('when that is, is searched once', async () => {
    const schedule = { cron: '30 1 * * *', timeZone: 'Europe/Berlin' };
    await setUp({ strategy: 'periodicBest', schedule, change: 'now' });
    await harness.pass(2);
    const asked = vi.spyOn(Intl.DateTimeFormat.prototype, 'formatToParts');
    try {
      await harness.pass(20);
      await view();
      await harness.control.useCases.listModels(ADMIN, undefined);
      expect(asked).not.toHaveBeenCalled();
      await skip(35);
      expect((await view()).nextLookAt).toBe(Date.UTC(2030, 0, 2, 0, 30));
      expect(asked).toHaveBeenCalled();
    } finally {
      asked.mockRestore();
    }
  });
});

describe('threshold', () => {
  test('traffic beyond a bound, and back', async () => {
    const usage: Spec = {
      strategy: 'threshold',
      measure: 'usage.requests',
      above: 100,
      hysteresis: 50,
      to: 'v2',
      otherwise: 'v1',
      window: '2m',
      change: 'now',
    };
    await setUp(usage);
    const come = (each: number) => () => {
      harness.load({ revision: 'default/m/v1', arrivals: each });
    };
    await harness.pass(4 * MINUTE, come(3));
    expect(serving()).toBe('v2=100');
    expect(await lastChange()).toEqual([
      'Changed',
      'v2',
      expect.stringMatching(/^usage.requests is 1\d\d(\.\d)? \(2 samples\), above 100; at once$/),
    ]);
    await harness.pass(4 * MINUTE, come(1));
    expect(serving()).toBe('v2=100');
    await harness.pass(4 * MINUTE);
    expect(serving()).toBe('v1=100');
  });

  test('a measure of the revision that serves, or of the model as a whole', async () => {
    await setUp({
      strategy: 'threshold',
      measure: 'complaints',
      above: 0.1,
      minSamples: 50,
      to: 'v2',
      change: 'now',
    });
    await tell('v2', 1, { name: 'complaints', count: 500 });
    await harness.pass(2 * MINUTE);
    expect((await view()).decided?.reason).toBe('thin');
    await tell(undefined, 0.2, { name: 'complaints', count: 50 });
    await harness.pass(MINUTE + 1);
    expect(serving()).toBe('v2=100');
  });
});

test('a threshold that names what does not exist is refused, as traffic is', async () => {
  const threshold = { strategy: 'threshold', measure: 'usage.requests', above: 100 } as const;
  const apply = (selection: Spec, revisions = ['v1', 'v2']) =>
    harness.apply({ revisions: revisions.map(named), selection });
  await expect(apply({ ...threshold, to: 'v3', otherwise: 'v4' })).rejects.toMatchObject({
    code: 'invalid',
    problems: [
      { key: 'spec.selection.to', value: '"v3"', expected: 'one of v1, v2' },
      { key: 'spec.selection.otherwise', value: '"v4"', expected: 'one of v1, v2' },
    ],
  });
  await apply({ ...threshold, to: 'v3', otherwise: 'v2' }, ['v1', 'v2', 'v3']);
  // It is there, though the file does not say so any more.
  await apply({ ...threshold, above: 200, to: 'v3' }, ['v1', 'v2']);
});

describe('dataDriven', () => {
  const age = (center: number) =>
    tell(undefined, center, { name: 'age', count: 1, at: harness.clock.now() });

  test('new data, once for each choice', async () => {
    await setUp({
      strategy: 'dataDriven',
      newData: { measure: 'rows', amount: 5000 },
      change: 'now',
    });
    const rows = (count: number) => tell(undefined, count, { name: 'rows' });
    await rows(4999);
    await harness.pass(2 * MINUTE);
    expect(serving()).toBe('v1=100');
    await rows(1);
    await harness.pass(MINUTE + 1);
    expect(serving()).toBe('v2=100');
    await harness.apply({
      revisions: ['v1', 'v2', 'v3'].map(named),
      traffic: [{ revision: 'v1', percent: 100 }],
      selection: (await harness.control.useCases.getModel(ADMIN, 'default', 'm')).value.document
        .spec.selection!,
    });
    await reaches(harness, 'default/m/v3', 'Ready');
    await harness.pass(2 * MINUTE);
    expect(serving()).toBe('v2=100');
    await rows(5000);
    await harness.pass(MINUTE + 1);
    expect(serving()).toBe('v3=100');
  });

  test('a drift', async () => {
    await setUp({
      strategy: 'dataDriven',
      features: ['age'],
      reference: '10m',
      window: '5m',
      minSamples: 60,
      change: 'now',
    });
    let count = 0;
    const come = (shift: number) => async () => {
      count += 1;
      await age(shift + ((count * 37) % 50));
    };
    for (let second = 0; second < 12 * MINUTE; second++) {
      await come(20)();
      harness.clock.advance(1000);
    }
    await rest();
    expect(serving()).toBe('v1=100');
    expect((await view()).decided).toMatchObject({ action: 'stay', reason: 'fits' });
    for (let second = 0; second < 5 * MINUTE; second++) {
      await come(60)();
      harness.clock.advance(1000);
      if (second % 20 === 0) await rest();
    }
    await rest();
    expect(serving()).toBe('v2=100');
    expect((await lastChange())?.[2]).toMatch(/^age: PSI \S+, KS \S+ \(.*v2 is the newest/);
  });
});

describe('by hand', () => {
  test('at once, whatever the strategy', async () => {
    await setUp({ strategy: 'manual' });
    expect(await select('v2')).toMatchObject({
      strategy: 'manual',
      serving: 'v2',
      decided: { action: 'change', revision: 'v2', why: 'chosen by local; at once' },
    });
    expect(serving()).toBe('v2=100');
    expect(await select('v1')).toMatchObject({ serving: 'v1' });
  });

  test('what cannot serve cannot be chosen', async () => {
    await setUp({ strategy: 'manual', candidates: ['v1'] });
    const refused = async (revision: string, message: string) => {
      await expect(select(revision)).rejects.toThrow(message);
    };
    await refused('v9', 'there is no revision v9');
    await refused('v2', 'none of the candidates of its selection: v1');
    await harness.apply({ revision: named('v1') }, 'plain');
    const { useCases } = harness.control;
    const wanted = { revision: 'v1', change: 'now' } as const;
    await expect(useCases.select(ADMIN, 'default', 'plain', wanted)).rejects.toThrow(
      'no spec.selection',
    );
    await expect(useCases.getSelection(ADMIN, 'default', 'plain')).rejects.toMatchObject({
      code: 'conflict',
    });
    const reader = { id: 'key:reader', role: 'invoke' } as const;
    await expect(useCases.select(reader, 'default', 'm', wanted)).rejects.toMatchObject({
      code: 'forbidden',
    });
  });

  test('a strategy does not take back what a person waits for', async () => {
    await setUp({ strategy: 'accuracyDriven', bound: 0.9 });
    await tell('v1', 0.99, { count: 500 });
    busy();
    await select('v2', 'lowTraffic');
    await harness.pass(3 * MINUTE, busy);
    expect((await view()).wanted).toMatchObject({ revision: 'v2', reason: 'manual' });
    expect(serving()).toBe('v1=100');
  });
});

function busy(): void {
  harness.load({ revision: 'default/m/v1', arrivals: 10 });
}

describe('the quiet time', () => {
  test('a change waits for it', async () => {
    await setUp({ strategy: 'manual' });
    // Days with a quiet hour at 03:00, as they are stored.
    const day = Math.floor(harness.clock.now() / 60_000);
    const rows = Array.from({ length: 4 * 1440 }, (_, n) => ({
      namespace: 'default',
      model: 'm',
      revision: 'v1',
      minute: day + n,
      arrivals: n % 1440 >= 180 && n % 1440 < 240 ? 1 : 50,
      coldArrivals: 0,
      busySeconds: 1,
      coldSeconds: 0,
      memoryByteSeconds: MIB,
    }));
    await harness.store.addUsage(rows);
    harness.clock.advance(3 * 24 * HOUR * 1000 - 2 * HOUR * 1000);
    await rest();
    await select('v2', 'lowTraffic');
    expect(await view()).toMatchObject({
      serving: 'v1',
      wanted: { revision: 'v2' },
      decided: {
        action: 'wait',
        why: 'chosen by local; the least traffic is expected from 03:00 UTC to 04:00 UTC',
      },
    });
    await skip(295);
    expect(serving()).toBe('v1=100');
    await skip(10);
    expect(serving()).toBe('v2=100');
    expect((await lastChange())?.[2]).toContain('the least traffic is now from 03:00 UTC');
  });

  test('nobody waits for ever', async () => {
    await setUp({ strategy: 'manual', lowTraffic: { wait: '10m' } });
    busy();
    await harness.pass(20, busy);
    await select('v2', 'lowTraffic');
    expect((await view()).decided?.why).toContain('0 hours of traffic are stored');
    await harness.pass(9 * MINUTE, busy);
    expect(serving()).toBe('v1=100');
    await harness.pass(2 * MINUTE, busy);
    expect(serving()).toBe('v2=100');
  });
});

/** Minutes, five at a time. */
async function skip(minutes: number): Promise<void> {
  for (let passed = 0; passed < minutes; passed += 5) {
    harness.clock.advance(5 * MINUTE * 1000);
    await rest();
  }
}

describe('what serves', () => {
  test('goes on when a newer revision gets ready', async () => {
    await harness.apply({ revision: named('v1') });
    await reaches(harness, 'default/m/v1', 'Ready');
    await harness.apply({ revision: named('v2'), selection: { strategy: 'manual' } });
    await reaches(harness, 'default/m/v2', 'Ready');
    await rest();
    expect(serving()).toBe('v1=100');
    await harness.apply({ revision: named('v3'), selection: { strategy: 'manual' } });
    await reaches(harness, 'default/m/v3', 'Ready');
    await rest();
    expect(serving()).toBe('v1=100');
  });

  test('is the latest of the first revisions, and then stays', async () => {
    const selection: Spec = { strategy: 'manual' };
    await harness.apply({ revisions: [named('v1'), named('v2')], selection });
    await reaches(harness, 'default/m/v1', 'Ready');
    await reaches(harness, 'default/m/v2', 'Ready');
    await rest();
    expect(serving()).toBe('v2=100');
    await harness.apply({ revision: named('v3'), selection });
    await reaches(harness, 'default/m/v3', 'Ready');
    await rest();
    expect(serving()).toBe('v2=100');
  });

  test('is what people write, and selection goes on from there', async () => {
    await setUp({ strategy: 'manual' }, 3);
    await select('v2');
    const split = [
      { revision: 'v1', percent: 30 },
      { revision: 'v3', percent: 70 },
    ];
    await harness.control.useCases.setTraffic(ADMIN, 'default', 'm', split);
    await rest();
    expect(serving()).toBe('v1=30 v3=70');
    expect(await select('v1')).toMatchObject({ serving: 'v1' });
    expect(serving()).toBe('v1=100');
  });

  test('is as written when selection is taken out of the file', async () => {
    await setUp({ strategy: 'manual' });
    await select('v2');
    await harness.apply({
      revisions: ['v1', 'v2'].map(named),
      traffic: [{ revision: 'v1', percent: 100 }],
    });
    await rest();
    expect(serving()).toBe('v1=100');
    expect(await harness.store.list('memory', { prefix: 'selection/' })).toEqual([]);
  });
});

describe('a restart', () => {
  test('what serves, what waits and what was decided are there again', async () => {
    await setUp({ strategy: 'manual' }, 3);
    await select('v2');
    busy();
    await harness.pass(20, busy);
    await select('v3', 'lowTraffic');
    const before = await view();
    expect(before.wanted?.revision).toBe('v3');
    await harness.restart();
    await rest();
    expect(serving()).toBe('v2=100');
    expect(await view()).toMatchObject({ serving: 'v2', wanted: before.wanted });
    await harness.pass(17 * MINUTE);
    expect(serving()).toBe('v3=100');
  });

  test('a look that was missed is made up for', async () => {
    await setUp({ strategy: 'periodicBest', schedule: { cron: '0 3 * * *' }, change: 'now' });
    await tell('v1', 0.9, { count: 1000 });
    await tell('v2', 0.97, { count: 1000 });
    await harness.control.close();
    harness.clock.advance(4 * HOUR * 1000);
    await harness.restartControl();
    await harness.pass(2);
    expect(serving()).toBe('v2=100');
  });
});

test('a restart at which the clock is set back: it goes on at once', async () => {
  await setUp({ strategy: 'accuracyDriven', bound: 0.9, change: 'now' });
  await tell('v1', 0.95, { count: 500 });
  await harness.pass(2 * MINUTE);
  const { clock } = harness;
  await harness.restart(() => clock.set(clock.now() - 30 * 24 * HOUR * 1000));
  await harness.pass(1);
  await tell('v1', 0.7, { count: 5000 });
  await tell('v2', 0.99, { count: 500 });
  await harness.pass(2 * MINUTE);
  expect(serving()).toBe('v2=100');
});

test('what may be chosen by name, and what is about to be, is kept by retention', async () => {
  const retention = { revisions: { keep: 0, unusedFor: '2m' } };
  const selection: Spec = { strategy: 'manual', candidates: ['v1', 'v3'] };
  await setUp(selection, 4, { retention });
  // What the file declares stays, too.
  await harness.apply({ revision: named('v4'), selection, retention });
  const kept = async () => {
    const { revisions } = await harness.control.useCases.getModel(ADMIN, 'default', 'm');
    return revisions.map(({ value }) => value.name);
  };
  await harness.pass(4 * MINUTE);
  expect(await kept()).toEqual(['v1', 'v3', 'v4']);
});

describe('what changes while it is decided', () => {
  const driven: Spec = { strategy: 'accuracyDriven', bound: 0.9, change: 'now' };

  /** Asked for once measures are read: ahead of what is decided by them. */
  async function whenRead(change: () => Promise<unknown>): Promise<void> {
    const read = harness.store.measures.bind(harness.store);
    let changed: Promise<unknown> | undefined;
    const reading = vi.spyOn(harness.store, 'measures').mockImplementation(async (query) => {
      const rows = await read(query);
      changed ??= change();
      return rows;
    });
    try {
      await harness.pass(MINUTE + 2);
      expect(changed).toBeDefined();
      await changed;
    } finally {
      reading.mockRestore();
    }
  }

  const lead = (revision: string) =>
    harness.control.useCases.setTraffic(ADMIN, 'default', 'm', [{ revision, percent: 100 }]);

  test('a split that a person writes counts, and is what is judged', async () => {
    await setUp(driven, 3);
    await tell('v1', 0.7, { count: 500 });
    await tell('v2', 0.99, { count: 500 });
    await tell('v3', 0.95, { count: 500 });
    await whenRead(() => lead('v3'));
    expect(serving()).toBe('v3=100');
    expect((await view()).decided).toMatchObject({ action: 'stay' });
    expect(await lastChange()).toBeUndefined();
  });

  test('of two splits that people write, one right after the other, the later one counts', async () => {
    await setUp({ strategy: 'manual' }, 3);
    await Promise.all([lead('v2'), lead('v3')]);
    await harness.pass(2);
    expect(serving()).toBe('v3=100');
  });

  test.each([
    ['with a rollout', { rollout: { steps: [50] } }],
    ['without one', {}],
  ])('a revision that goes is not led to, %s', async (_, more) => {
    await setUp(driven, 3, more);
    // The file does not declare it any more.
    const spec = { traffic: [{ revision: 'v1', percent: 100 }], selection: driven, ...more };
    await harness.apply({ revisions: [named('v1'), named('v3')], ...spec });
    await tell('v1', 0.7, { count: 500 });
    await tell('v2', 0.99, { count: 500 });
    await whenRead(() => harness.control.useCases.deleteRevision(ADMIN, 'default/m/v2'));
    expect(serving()).toBe('v1=100');
    expect((await view()).decided).toMatchObject({ action: 'stay' });
  });
});

describe('with a rollout', () => {
  const metrics = [{ metric: 'success', margin: 0.1 } as const];
  const rollout = { steps: [50], interval: '1s', minSamples: 10, metrics };
  const say = (revision: string, ok: boolean) => {
    const result = ok ? { ok: 50 } : { failed: 50 };
    harness.load({ revision: `default/m/${revision}`, arrivals: 50, ...result });
  };
  const state = async () =>
    (await harness.control.useCases.getModel(ADMIN, 'default', 'm')).rollout;
  const bound: Spec = { strategy: 'accuracyDriven', bound: 0.9, change: 'now' };

  /** Of two, the second is better, and a rollout of it has begun. */
  async function rollOutBetter(): Promise<void> {
    await setUp(bound, 2, { rollout });
    await tell('v1', 0.8, { count: 500 });
    await tell('v2', 0.99, { count: 500 });
    await harness.pass(MINUTE + 2);
  }

  async function takeBack(revision: string): Promise<void> {
    expect(await state()).toMatchObject({ phase: 'Running', canary: revision });
    await harness.control.useCases.actOnRollout(ADMIN, 'default', 'm', 'abort');
    await harness.pass(2);
  }

  test('a change is judged step by step, and serves when it has been', async () => {
    await setUp({ strategy: 'manual' }, 3, { rollout });
    await select('v2');
    expect(serving()).toBe('v1=50 v2=50');
    expect(await view()).toMatchObject({ serving: 'v1', rollingOut: 'v2' });
    await harness.pass(60, () => {
      say('v1', true);
      say('v2', true);
    });
    expect((await state())?.phase).toBe('Promoted');
    await harness.pass(2);
    expect(serving()).toBe('v2=100');
    const after = await view();
    expect(after).toMatchObject({ serving: 'v2' });
    expect(after).not.toHaveProperty('rollingOut');
    expect(after).not.toHaveProperty('wanted');
  });

  test('one that was rolled back is not chosen again soon', async () => {
    await rollOutBetter();
    expect((await state())?.phase).toBe('Running');
    await harness.pass(40, () => {
      say('v1', true);
      say('v2', false);
    });
    expect((await state())?.phase).toBe('RolledBack');
    await harness.pass(3 * MINUTE);
    expect(serving()).toBe('v1=100');
    expect((await view()).decided).toMatchObject({ action: 'stay', reason: 'none' });
  });

  test('what a person wants does not wait for a rollout that runs', async () => {
    await setUp({ strategy: 'manual' }, 3, { rollout });
    await select('v2');
    expect(serving()).toBe('v1=50 v2=50');
    await select('v3');
    expect(serving()).toBe('v1=50 v3=50');
    expect(await view()).toMatchObject({ rollingOut: 'v3' });
    expect(await select('v1')).toMatchObject({ decided: { action: 'change', revision: 'v1' } });
    expect(serving()).toBe('v1=100');
    expect(await state()).toMatchObject({ phase: 'Aborted', canary: 'v3' });
    await harness.pass(5);
    expect(serving()).toBe('v1=100');
    expect(await view()).not.toHaveProperty('rollingOut');
  });

  test('a strategy does not begin again what a person has taken back', async () => {
    await rollOutBetter();
    expect((await state())?.phase).toBe('Running');
    await select('v1');
    await harness.pass(3 * MINUTE);
    expect(serving()).toBe('v1=100');
  });

  test('another revision with the name of one that was rolled back may be chosen', async () => {
    await rollOutBetter();
    await harness.control.useCases.actOnRollout(ADMIN, 'default', 'm', 'abort');
    await harness.pass(2);
    await harness.control.useCases.deleteRevision(ADMIN, 'default/m/v2');
    const v2 = { ...program({ args: ['./mended'] }), name: 'v2' };
    const traffic = [{ revision: 'v1', percent: 100 }];
    await harness.apply({ revision: v2, traffic, selection: bound, rollout });
    await reaches(harness, 'default/m/v2', 'Ready');
    await tell('v2', 0.99, { count: 500 });
    await harness.pass(2 * MINUTE);
    expect(await state()).toMatchObject({ phase: 'Running', canary: 'v2' });
  });

  test('names of those that were rolled back are kept no longer than they are needed', async () => {
    await rollOutBetter();
    await takeBack('v2');
    await harness.control.useCases.deleteRevision(ADMIN, 'default/m/v2');
    for (const name of ['v3', 'v4']) {
      const traffic = [{ revision: 'v1', percent: 100 }];
      await harness.apply({ revision: named(name), traffic, selection: bound, rollout });
      await reaches(harness, `default/m/${name}`, 'Ready');
      await tell(name, 0.99, { count: 500 });
      await harness.pass(MINUTE + 2);
      await takeBack(name);
    }
    const kept = await harness.store.get('memory', 'selection/default/m');
    expect(Object.keys(Object(kept?.value['failed']))).toEqual(['v3', 'v4']);
  });

  test('what gets ready is a candidate and no more, also where a rollout came before', async () => {
    await deployed(harness, { revision: named('v1'), rollout });
    await deployed(harness, { revision: named('v2'), rollout });
    await harness.control.useCases.actOnRollout(ADMIN, 'default', 'm', 'promote');
    const selection: Spec = { strategy: 'manual' };
    await deployed(harness, { revision: named('v3'), rollout, selection });
    await harness.pass(5);
    expect(serving()).toBe('v2=100');
    await select('v3');
    expect(serving()).toBe('v2=50 v3=50');
  });

  test('a restart in the middle', async () => {
    await setUp({ strategy: 'manual' }, 2, { rollout });
    await select('v2');
    await harness.restart();
    await harness.pass(2);
    expect(await view()).toMatchObject({ rollingOut: 'v2' });
    await harness.pass(60, () => {
      say('v1', true);
      say('v2', true);
    });
    expect(await view()).toMatchObject({ serving: 'v2' });
    expect(await view()).not.toHaveProperty('rollingOut');
  });
});
