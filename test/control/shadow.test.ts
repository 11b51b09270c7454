import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ModelInput } from '#domain/model.ts';
import { ADMIN, createHarness, deployed, type Harness, program } from './harness.ts';

let harness: Harness;

beforeEach(async () => {
  harness = await createHarness({ memory: true });
});
afterEach(async () => {
  await harness.close();
});

const TO_V1: ModelInput['spec']['traffic'] = [{ revision: 'v1', percent: 100 }];
const v1 = program({ name: 'v1', args: ['./one'] });
const v2 = program({ name: 'v2', args: ['./two'] });

function told(): unknown {
  return harness.outlet.models.get('default/m')?.shadow;
}

async function shown(): Promise<unknown> {
  return (await harness.control.useCases.getModel(ADMIN, 'default', 'm')).shadow;
}

test('data planes are told of a shadow that is ready and serves nobody', async () => {
  await deployed(harness, { revision: v1 });
  await deployed(harness, { revision: v2, traffic: TO_V1 });
  expect(told()).toBeUndefined();
  await harness.apply({ traffic: TO_V1, shadow: { revision: 'v2', percent: 5 } });
  const expected = {
    revision: 'v2',
    percent: 5,
    wake: false,
    tolerance: 0,
    ignore: ['model_version', 'id', 'created'],
  };
  expect(told()).toEqual(expected);
  expect(await shown()).toEqual(expected);
  await harness.control.useCases.setTraffic(ADMIN, 'default', 'm', [
    { revision: 'v1', percent: 90 },
    { revision: 'v2', percent: 10 },
  ]);
  expect(told(), 'with a share it is compared by what its callers get').toBeUndefined();
  await harness.control.useCases.setTraffic(ADMIN, 'default', 'm', [
    { revision: 'v1', percent: 100 },
    { revision: 'v2', percent: 0, tag: 'next' },
  ]);
  expect(told(), 'a tag is no share').toEqual(expected);
});

test('a shadow that does not exist is refused, and one that does is not deleted', async () => {
  await deployed(harness, { revision: v1 });
  await expect(harness.apply({ shadow: { revision: 'v2' } })).rejects.toMatchObject({
    code: 'invalid',
    problems: [{ key: 'spec.shadow.revision', value: '"v2"', expected: 'one of v1' }],
  });
  await deployed(harness, { revision: v2, traffic: TO_V1, shadow: { revision: 'v2' } });
  await expect(
    harness.control.useCases.deleteRevision(ADMIN, 'default/m/v2'),
  ).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('is a shadow') });
});

describe('in a rollout', () => {
  const rollout = {
    shadow: 20,
    steps: [10],
    interval: '2s',
    minSamples: 20,
    metrics: [{ metric: 'success', margin: 0.05 }],
  } satisfies ModelInput['spec']['rollout'];

  async function interval(ok: number, failed: number): Promise<void> {
    harness.load({ revision: 'default/m/v1', arrivals: 1, ok: 900, failed: 2 });
    harness.load({ revision: 'default/m/v2', ok, failed });
    await harness.pass(2);
  }

  async function begun(): Promise<void> {
    await deployed(harness, { revision: v1, rollout });
    await deployed(harness, { revision: v2, rollout });
    expect(harness.outlet.models.get('default/m')?.targets).toEqual([
      { revision: 'v1', percent: 100 },
      { revision: 'v2', percent: 0 },
    ]);
    expect(told()).toMatchObject({ revision: 'v2', percent: 20, wake: true });
  }

  test('copies come first, then shares, then all', async () => {
    await begun();
    await interval(300, 0);
    expect(harness.outlet.models.get('default/m')?.targets).toEqual([
      { revision: 'v1', percent: 90 },
      { revision: 'v2', percent: 10 },
    ]);
    expect(told()).toBeUndefined();
    await interval(300, 0);
    expect(harness.outlet.models.get('default/m')?.targets).toEqual([
      { revision: 'v2', percent: 100 },
    ]);
  });

  test('control that is killed while there are only copies goes on with what they told', async () => {
    await begun();
    await interval(15, 0);
    await harness.restart();
    expect(harness.outlet.models.get('default/m')?.targets).toEqual([
      { revision: 'v1', percent: 100 },
      { revision: 'v2', percent: 0 },
    ]);
    expect(told()).toMatchObject({ revision: 'v2', percent: 20, wake: true });
    await interval(300, 0);
    expect(harness.outlet.models.get('default/m')?.targets).toEqual([
      { revision: 'v1', percent: 90 },
      { revision: 'v2', percent: 10 },
    ]);
    expect((await harness.events('RolloutAdvanced')).at(-1)?.why).toContain('100 % of 315 against');
  });

  test('one that fails with copies never gets a request', async () => {
    await begun();
    await interval(10, 90);
    expect(harness.outlet.models.get('default/m')?.targets).toEqual([
      { revision: 'v1', percent: 100 },
    ]);
    expect(told()).toBeUndefined();
    const [event] = await harness.events('RolloutRolledBack');
    expect(event?.why).toContain('back to v1: success is worse');
  });
});
