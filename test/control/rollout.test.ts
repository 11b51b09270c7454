import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { RevisionLoad } from '#bus/messages.ts';
import type { ModelInput } from '#domain/model.ts';
import { ROLLOUT_ACTIONS, type RolloutAction } from '#domain/rollout.ts';
import { ADMIN, createHarness, deployed, type Harness, program, rest } from './harness.ts';

let harness: Harness;

beforeEach(async () => {
  harness = await createHarness({ memory: true });
});
afterEach(async () => {
  await harness.close();
});

type RolloutInput = NonNullable<ModelInput['spec']['rollout']>;

const CANARY: RolloutInput = {
  steps: [10, 50],
  interval: '2s',
  minSamples: 20,
  metrics: [{ metric: 'success', margin: 0.05 }],
};

function spec(name: string, rollout: RolloutInput = CANARY): ModelInput['spec'] {
  return { revision: program({ name, args: [`./${name}`] }), rollout };
}

async function deploy(name: string, rollout?: RolloutInput): Promise<void> {
  await deployed(harness, spec(name, rollout));
}

function shares(): Record<string, number> {
  const targets = harness.outlet.models.get('default/m')?.targets ?? [];
  return Object.fromEntries(targets.map(({ revision, percent }) => [revision, percent]));
}

function report(revision: string, part: Partial<RevisionLoad>): void {
  harness.load({ revision: `default/m/${revision}`, arrivals: 1, ...part });
}

/** One interval in which so many requests of each revision fail of so many. */
async function interval(counts: Record<string, readonly [ok: number, failed: number]>) {
  for (const [revision, [ok, failed]] of Object.entries(counts)) report(revision, { ok, failed });
  await harness.pass(2);
}

async function types(): Promise<string[]> {
  const events = await harness.events();
  return events.map(({ type }) => type).filter((type) => type.startsWith('Rollout'));
}

async function view() {
  return await harness.control.useCases.getRollout(ADMIN, 'default', 'm');
}

const act = async (action: RolloutAction) =>
  await harness.control.useCases.actOnRollout(ADMIN, 'default', 'm', action);

const GOOD = { v1: [900, 2], v2: [100, 0] } as const;
const BAD = { v1: [900, 2], v2: [80, 20] } as const;

test('the first revision serves at once', async () => {
  await deploy('v1');
  expect(shares()).toEqual({ v1: 100 });
  await expect(view()).rejects.toMatchObject({ code: 'not_found' });
});

test('without the key a new revision takes over when it is ready', async () => {
  await deployed(harness, { revision: program({ name: 'v1', args: ['./v1'] }) });
  await deployed(harness, { revision: program({ name: 'v2', args: ['./v2'] }) });
  expect(shares()).toEqual({ v2: 100 });
});

test('no request ever goes to a new revision before its rollout', async () => {
  await deploy('v1');
  const seen: number[] = [];
  harness.outlet.watch(() => seen.push(shares()['v2'] ?? 0));
  await deploy('v2');
  expect(shares()).toEqual({ v1: 90, v2: 10 });
  expect(Math.max(...seen)).toBe(10);
});

test('a good one is promoted step by step, with the reasons in the log', async () => {
  await deploy('v1');
  await deploy('v2');
  for (let count = 0; count < 8 && shares()['v2'] === 10; count++) await interval(GOOD);
  expect(shares()).toEqual({ v1: 50, v2: 50 });
  await interval(GOOD);
  expect(shares()).toEqual({ v2: 100 });
  expect(await view()).toMatchObject({ phase: 'Promoted', stable: 'v1', canary: 'v2' });
  const told = (await harness.events()).filter(({ type }) => type.startsWith('Rollout'));
  expect(told[0]).toMatchObject({
    type: 'RolloutStarted',
    revision: 'v2',
    why: 'a new revision is ready: v2 gets 10 %, v1 the rest',
    actor: { id: 'system:rollout' },
  });
  expect(told.at(-1)).toMatchObject({ type: 'RolloutPromoted' });
  expect(told.at(-1)?.why).toMatch(
    /^v2 gets all requests: success: 100 % of \d+ against 99\.\d+ %/,
  );
  expect(await harness.control.metrics()).toContain(
    'rouse_policy_decisions_total{policy="rollout",decision="promote"} 1',
  );
});

test('a worse one is rolled back within one interval of the evidence, and stays out', async () => {
  await deploy('v1');
  await deploy('v2');
  await interval(BAD);
  expect(shares()).toEqual({ v1: 100 });
  expect(await view()).toMatchObject({ phase: 'RolledBack', percent: 0 });
  expect((await view()).why).toMatch(
    /^back to v1: success is worse: 80 % of 100 against 99\.78 % of 902/,
  );
  await interval(GOOD);
  await harness.apply({ scaling: { max: 2 }, rollout: CANARY });
  await harness.restart();
  await harness.pass(4);
  expect(shares()).toEqual({ v1: 100 });
});

test('after a rollback the next revision is rolled out against the one that serves', async () => {
  await deploy('v1');
  await deploy('v2');
  await interval(BAD);
  await deploy('v3');
  expect(shares()).toEqual({ v1: 90, v3: 10 });
});

test('another revision under the name of one that went back is rolled out', async () => {
  await deploy('v1');
  await deploy('v2');
  await interval(BAD);
  await harness.control.useCases.deleteRevision(ADMIN, 'default/m/v2');
  const revision = program({ name: 'v2', args: ['./mended'] });
  await deployed(harness, { revision, rollout: CANARY });
  expect(shares()).toEqual({ v1: 90, v2: 10 });
});

test('one that went back stays out when a later one that went back is deleted', async () => {
  await deploy('v1');
  await deploy('v2');
  await interval(BAD);
  await deploy('v3');
  await interval({ v1: BAD.v1, v3: BAD.v2 });
  await harness.control.useCases.deleteRevision(ADMIN, 'default/m/v3');
  await rest();
  expect(shares()).toEqual({ v1: 100 });
  await deploy('v4');
  expect(shares()).toEqual({ v1: 90, v4: 10 });
});

test('one that went back stays out when the model is deleted and restored', async () => {
  await deploy('v1');
  await deploy('v2');
  await interval(BAD);
  await harness.control.useCases.deleteModel(ADMIN, 'default', 'm');
  await harness.pass(2);
  await harness.control.useCases.restoreModel(ADMIN, 'default', 'm');
  await harness.pass(2);
  expect(shares()).toEqual({ v1: 100 });
  await deploy('v3');
  expect(shares()).toEqual({ v1: 90, v3: 10 });
});

test('a model that was deleted in the middle and is restored begins its rollout anew', async () => {
  await deploy('v1');
  await deploy('v2');
  await act('skip');
  await harness.control.useCases.deleteModel(ADMIN, 'default', 'm');
  await harness.pass(2);
  await harness.control.useCases.restoreModel(ADMIN, 'default', 'm');
  await harness.pass(2);
  expect(shares()).toEqual({ v1: 90, v2: 10 });
  await interval(BAD);
  expect(shares()).toEqual({ v1: 100 });
});

test('over a restart at which the clock is set back it goes on, and ends once', async () => {
  const { clock } = harness;
  const month = 30 * 24 * 3_600_000;
  await deploy('v1');
  await deploy('v2');
  await harness.restart(() => clock.set(clock.now() - month));
  for (let count = 0; count < 8 && shares()['v2'] === 10; count++) await interval(GOOD);
  expect(shares()).toEqual({ v1: 50, v2: 50 });
  for (let count = 0; count < 3 && shares()['v2'] === 50; count++) {
    await interval({ v1: [500, 0], v2: [100, 400] });
  }
  await harness.pass(4);
  expect(shares()).toEqual({ v1: 100 });
  expect((await types()).filter((type) => type !== 'RolloutHeld')).toEqual([
    'RolloutStarted',
    'RolloutAdvanced',
    'RolloutRolledBack',
  ]);
});

test('without enough requests it stays where it is, and says so once', async () => {
  await deploy('v1');
  await deploy('v2');
  for (let count = 0; count < 5; count++) await interval({ v1: [20, 0], v2: [2, 0] });
  expect(shares()).toEqual({ v1: 90, v2: 10 });
  expect((await view()).why).toBe('10 of at least 20 warm requests in this step');
  expect(await types()).toEqual(['RolloutStarted', 'RolloutHeld']);
});

test('control that is killed in the middle goes on with what it had seen', async () => {
  await deploy('v1');
  await deploy('v2');
  await interval({ v1: [900, 2], v2: [30, 0] });
  expect(shares()).toEqual({ v1: 90, v2: 10 });
  await harness.restart();
  expect(shares()).toEqual({ v1: 90, v2: 10 });
  expect((await view()).why).toContain('100 % of 30 against');
  await interval({ v1: [900, 2], v2: [200, 0] });
  expect(shares()).toEqual({ v1: 50, v2: 50 });
  await harness.restartControl();
  await interval({ v1: [500, 0], v2: [400, 100] });
  expect(shares()).toEqual({ v1: 100 });
});

test('what was made ready while control was killed before the rollout is rolled out', async () => {
  await deploy('v1');
  await deploy('v2');
  await harness.control.close();
  await harness.store.write([{ kind: 'memory', key: 'rollout/default/m', value: undefined }]);
  await harness.restart();
  await rest();
  expect(shares()).toEqual({ v1: 90, v2: 10 });
});

describe('what people may do', () => {
  beforeEach(async () => {
    await deploy('v1');
    await deploy('v2');
  });

  test('pause: no step, but a rollback', async () => {
    await act('pause');
    for (let count = 0; count < 8; count++) await interval(GOOD);
    expect(shares()).toEqual({ v1: 90, v2: 10 });
    expect((await view()).why).toBe('ready for the next step');
    await expect(act('pause')).rejects.toMatchObject({ code: 'conflict' });
    await act('resume');
    await harness.pass(2);
    expect(shares()).toEqual({ v1: 50, v2: 50 });
    await act('pause');
    for (let count = 0; count < 3 && shares()['v2']; count++) {
      await interval({ v1: [500, 0], v2: [100, 400] });
    }
    expect(shares()).toEqual({ v1: 100 });
  });

  test('a pause outlives a crash', async () => {
    await act('pause');
    await harness.restart();
    for (let count = 0; count < 8; count++) await interval(GOOD);
    expect(shares()).toEqual({ v1: 90, v2: 10 });
    expect(await view()).toMatchObject({ phase: 'Paused', why: 'ready for the next step' });
    await act('resume');
    await harness.pass(2);
    expect(shares()).toEqual({ v1: 50, v2: 50 });
  });

  test('skip: the next step, and after the last all', async () => {
    await act('skip');
    expect(shares()).toEqual({ v1: 50, v2: 50 });
    await act('skip');
    expect(shares()).toEqual({ v2: 100 });
    await expect(act('skip')).rejects.toMatchObject({ code: 'conflict' });
  });

  test('abort: back', async () => {
    const { phase, why } = await act('abort');
    expect({ phase, why }).toEqual({ phase: 'Aborted', why: 'back to v1: aborted by local' });
    expect(shares()).toEqual({ v1: 100 });
  });

  test('promote: all at once', async () => {
    await act('promote');
    expect(shares()).toEqual({ v2: 100 });
    expect((await types()).at(-1)).toBe('RolloutPromoted');
  });

  const rollBack = () => interval(BAD);
  const abort = () => act('abort');
  const promote = () => act('promote');
  test.each([
    ['RolledBack', rollBack, { v1: 100 }],
    ['Aborted', abort, { v1: 100 }],
    ['Promoted', promote, { v2: 100 }],
    [
      'Ended',
      () => harness.apply({ traffic: [{ revision: 'v1', percent: 100 }], rollout: CANARY }),
      { v1: 100 },
    ],
  ])('what is %s takes no more actions, and it is said what does', async (phase, end, serving) => {
    await end();
    await rest();
    expect(await view()).toMatchObject({ phase });
    for (const action of ROLLOUT_ACTIONS) {
      await expect(act(action), action).rejects.toMatchObject({
        code: 'conflict',
        message: `the rollout of v2 has ended: ${phase}${phase === 'Promoted' ? '' : '; to have v2 serve all the same: npx rouse traffic m latest=100'}`,
      });
    }
    expect(shares()).toEqual(serving);
    expect(await view()).toMatchObject({ phase });
  });

  test('after its end: traffic to the latest brings it in, again and again, and the next one is rolled out', async () => {
    const latest = [{ latest: true as const, percent: 100 }];
    await act('abort');
    await harness.control.useCases.setTraffic(ADMIN, 'default', 'm', latest);
    expect(shares()).toEqual({ v2: 100 });
    await deployed(harness, { ...spec('v3'), traffic: latest });
    expect(shares()).toEqual({ v2: 90, v3: 10 });
    await act('abort');
    // As it is written already.
    await harness.control.useCases.setTraffic(ADMIN, 'default', 'm', latest);
    expect(shares()).toEqual({ v3: 100 });
    const told = await harness.events('TrafficChanged');
    expect(told.map(({ why }) => why)).toEqual(Array(2).fill('latest=100, set by local'));
    const { version } = await harness.control.useCases.getModel(ADMIN, 'default', 'm');
    const again = await harness.control.useCases.setTraffic(ADMIN, 'default', 'm', latest);
    expect(again.version).toBe(version);
  });

  test('after its end, when a later one is there: traffic by its name', async () => {
    await act('abort');
    const traffic = [{ revision: 'v1', percent: 100 }];
    await deployed(harness, { ...spec('v3'), traffic });
    await expect(act('promote')).rejects.toThrow(/traffic m v2=100$/);
  });

  test('after its end, when it has gone: nothing brings it in', async () => {
    await act('abort');
    await harness.control.useCases.deleteRevision(ADMIN, 'default/m/v2');
    await expect(act('promote')).rejects.toThrow(/^the rollout of v2 has ended: Aborted$/);
    const revision = program({ name: 'v2', args: ['./mended'] });
    await deployed(harness, { revision, rollout: CANARY });
    expect(shares()).toEqual({ v1: 90, v2: 10 });
  });

  test('other steps: it goes on from the last that is not above its share', async () => {
    await act('skip');
    const steps = { ...CANARY, steps: [5, 60, 80] };
    await harness.apply({ rollout: steps });
    await rest();
    expect(shares()).toEqual({ v1: 50, v2: 50 });
    expect(await view()).toMatchObject({ step: 0, steps: [5, 60, 80] });
    await act('skip');
    expect(shares()).toEqual({ v1: 40, v2: 60 });
  });

  test('other steps while it is paused: its share stays until it is resumed', async () => {
    await act('pause');
    await harness.apply({ rollout: { ...CANARY, steps: [30, 60] } });
    await rest();
    expect(shares()).toEqual({ v1: 90, v2: 10 });
    expect(await act('resume')).toMatchObject({ phase: 'Running', percent: 30, step: 0 });
    expect(shares()).toEqual({ v1: 70, v2: 30 });
    await act('pause');
    await harness.apply({ rollout: { ...CANARY, steps: [40, 60] } });
    await rest();
    await act('skip');
    expect(shares()).toEqual({ v1: 60, v2: 40 });
    expect((await view()).phase).toBe('Paused');
  });

  test('another strategy: a share is no switch, and nothing is promoted unjudged', async () => {
    await act('skip');
    const { steps: _, ...others } = CANARY;
    await harness.apply({ rollout: { ...others, strategy: 'blueGreen' } });
    await interval({ v1: [900, 2], v2: [25, 0] });
    expect(await view()).toMatchObject({ phase: 'Running', step: 1, percent: 100 });
    await interval({ v2: [450, 50] });
    expect(shares()).toEqual({ v1: 100 });
  });

  test('without its shadow it begins with the first step', async () => {
    await act('abort');
    await deploy('v3', { ...CANARY, shadow: 20 });
    expect(shares()).toEqual({ v1: 100, v3: 0 });
    await harness.apply({ rollout: CANARY });
    await rest();
    expect(shares()).toEqual({ v1: 90, v3: 10 });
    expect((await types()).at(-1)).toBe('RolloutAdvanced');
  });

  test('a split that they write ends it', async () => {
    const split = [{ revision: 'v2', percent: 100 }];
    await harness.control.useCases.setTraffic(ADMIN, 'default', 'm', split);
    await rest();
    expect(shares()).toEqual({ v2: 100 });
    expect(await view()).toMatchObject({
      phase: 'Ended',
      why: 'traffic was written by hand, which counts from now on',
    });
    await interval(BAD);
    expect(shares()).toEqual({ v2: 100 });
  });

  test('without the key it ends', async () => {
    await harness.apply({});
    await rest();
    expect(shares()).toEqual({ v2: 100 });
    expect(await view()).toMatchObject({ phase: 'Ended' });
  });

  test('a newer revision takes its place', async () => {
    await deploy('v3');
    expect(shares()).toEqual({ v1: 90, v3: 10 });
    expect(await types()).toEqual(['RolloutStarted', 'RolloutSuperseded', 'RolloutStarted']);
  });

  test('neither revision can be deleted meanwhile', async () => {
    const { useCases } = harness.control;
    for (const name of ['v1', 'v2']) {
      await expect(useCases.deleteRevision(ADMIN, `default/m/${name}`)).rejects.toMatchObject({
        code: 'conflict',
      });
    }
  });

  test('with the model its record goes', async () => {
    await harness.control.useCases.deleteModel(ADMIN, 'default', 'm');
    await harness.pass(2);
    expect(await harness.store.get('memory', 'rollout/default/m')).toBeUndefined();
    await deploy('v1');
    expect(shares()).toEqual({ v1: 100 });
  });

  test('who may only read cannot', async () => {
    const { useCases } = harness.control;
    const reader = { id: 'key:r', role: 'read' } as const;
    await expect(useCases.actOnRollout(reader, 'default', 'm', 'skip')).rejects.toMatchObject({
      code: 'forbidden',
    });
    expect(await useCases.getRollout(reader, 'default', 'm')).toMatchObject({ canary: 'v2' });
  });
});

test('labels that were posted roll a worse one back', async () => {
  const rollout: RolloutInput = {
    ...CANARY,
    metrics: [{ metric: 'custom', measure: 'accuracy', margin: 0.1 }],
  };
  await deploy('v1', rollout);
  await deploy('v2', rollout);
  const label = (revision: string, right: boolean) => ({
    revision,
    label: 'cat',
    prediction: right ? 'cat' : 'dog',
  });
  const measures = Array.from({ length: 200 }, (_, index) => [
    label('v1', index % 20 > 0),
    label('v2', index % 3 > 0),
  ]).flat();
  await harness.control.useCases.addMeasures(ADMIN, 'default', 'm', measures);
  await harness.pass(2);
  expect(shares()).toEqual({ v1: 100 });
  expect((await view()).why).toMatch(/^back to v1: accuracy is worse: 66\.5 % of 200 against 95 %/);
});

test('what is decided while somebody ends it is neither done nor counted', async () => {
  const rollout: RolloutInput = {
    ...CANARY,
    metrics: [{ metric: 'custom', measure: 'accuracy', margin: 0.1 }],
  };
  await deploy('v1', rollout);
  await deploy('v2', rollout);
  const read = vi.spyOn(harness.store, 'measures').mockImplementationOnce(async () => {
    await act('abort');
    return [];
  });
  await harness.pass(3);
  expect(read).toHaveBeenCalled();
  expect(shares()).toEqual({ v1: 100 });
  expect(await harness.control.metrics()).not.toContain('policy="rollout"');
});

test('a slower one is rolled back', async () => {
  const metrics = [{ metric: 'latency', ratio: 1.3 }] as const;
  const rollout: RolloutInput = { ...CANARY, metrics: [...metrics] };
  await deploy('v1', rollout);
  await deploy('v2', rollout);
  report('v1', { ok: 1000, latency: [20, 600, 30, 360, 35, 40] });
  report('v2', { ok: 100, latency: [20, 40, 30, 20, 40, 40] });
  await harness.pass(2);
  expect(shares()).toEqual({ v1: 100 });
  expect((await view()).why).toContain(
    'latency p95 is worse: 45ms against 17ms (40 % of 100 took longer than 17ms, against 4 % of 1000); ',
  );
});

test('one that is as quick with three times the memory is rolled back by its cost', async () => {
  const rollout: RolloutInput = { ...CANARY, metrics: [{ metric: 'cost', ratio: 1.5 }] };
  const sized = (name: string, memory: string): ModelInput['spec'] => ({
    revision: program({ name, resources: { memory } }),
    rollout,
  });
  await deployed(harness, sized('v1', '100Mi'));
  await deployed(harness, sized('v2', '300Mi'));
  for (const name of ['v1', 'v2']) report(name, { ok: 200, latency: [30, 100, 31, 100] });
  await harness.pass(2);
  expect(shares()).toEqual({ v1: 100 });
  expect((await view()).why).toMatch(
    /^back to v1: cost is worse: 6\.\d+ ms of an instance for each of 200/,
  );
});

describe('blue-green', () => {
  const BLUE_GREEN: RolloutInput = {
    strategy: 'blueGreen',
    interval: '2s',
    minSamples: 20,
    metrics: [{ metric: 'success', margin: 0.05 }],
  };
  beforeEach(async () => {
    await deploy('v1', BLUE_GREEN);
    await deploy('v2', BLUE_GREEN);
  });

  test('tried out by name for an interval, then all at once, and the old one goes after another', async () => {
    expect(shares()).toEqual({ v1: 100, v2: 0 });
    await interval({ v1: [500, 1] });
    expect(shares()).toEqual({ v1: 0, v2: 100 });
    await interval({ v2: [500, 1] });
    expect(shares()).toEqual({ v2: 100 });
    expect(await view()).toMatchObject({ phase: 'Promoted' });
  });

  test('nobody asks the old one: it stays, and people may say otherwise', async () => {
    for (let count = 0; count < 5; count++) await interval({ v2: [100, 0] });
    expect(shares()).toEqual({ v1: 100, v2: 0 });
    expect((await view()).why).toBe(
      '0 of at least 20 warm requests of the old one before the switch, to compare it with; skip switches without',
    );
    await act('skip');
    expect(shares()).toEqual({ v1: 0, v2: 100 });
    // All that came failed, and still there is nothing to compare it with.
    for (let count = 0; count < 5; count++) await interval({ v2: [0, 100] });
    expect(shares()).toEqual({ v1: 0, v2: 100 });
    expect(await view()).toMatchObject({ phase: 'Running' });
    const held = await harness.events('RolloutHeld');
    expect(held.at(-1)?.why).toMatch(/^v2 gets 100 %: .* no more will come: promote or abort$/);
    await act('abort');
    expect(shares()).toEqual({ v1: 100 });
  });

  test('back at once if it does worse than the old one did before', async () => {
    await interval({ v1: [500, 1] });
    await interval({ v2: [450, 50] });
    expect(shares()).toEqual({ v1: 100 });
    expect(await view()).toMatchObject({ phase: 'RolledBack' });
  });

  test('control that is killed before the switch and after it goes on, with what the old one did', async () => {
    report('v1', { ok: 500, failed: 1 });
    await harness.pass(1);
    await harness.restart();
    expect(shares()).toEqual({ v1: 100, v2: 0 });
    // What came since the last look was lost with it.
    await interval({ v1: [500, 1] });
    expect(shares()).toEqual({ v1: 0, v2: 100 });
    await harness.restart();
    expect(shares()).toEqual({ v1: 0, v2: 100 });
    await interval({ v2: [450, 50] });
    expect(shares()).toEqual({ v1: 100 });
    expect((await view()).why).toMatch(/ against 99\.8 % of 501; evidence/);
    await harness.restart();
    expect(shares()).toEqual({ v1: 100 });
    expect((await types()).filter((type) => type === 'RolloutRolledBack')).toHaveLength(1);
  });
});
