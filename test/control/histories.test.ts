import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ModelInput, TrafficTarget } from '#domain/model.ts';
import { Fault } from '#lib/fault.ts';
import { ADMIN, type Harness, MIB, createHarness, program, rest } from './harness.ts';

/** What can happen to two small models, in any order. */
type Step =
  | { do: 'apply'; model: string; variant: number; min: number; initial: number }
  | { do: 'traffic'; model: string; first: number; share: number }
  | { do: 'wake'; revision: string; queued: number }
  | { do: 'load'; revision: string; inFlight: number; queued: number; plane: string }
  | { do: 'crash' | 'drained' | 'suspect'; pick: number }
  | { do: 'fail' | 'heal' | 'hold'; revision: string }
  | { do: 'pass'; ms: number }
  | { do: 'delete'; model: string }
  | { do: 'delete revision'; revision: string }
  | { do: 'leave'; plane: string }
  | { do: 'restart' };

const MAX = 3;
const MODELS = ['a', 'b'];
const REVISIONS = MODELS.flatMap((model) => [1, 2, 3].map((n) => `default/${model}/0000${n}`));

const model = fc.constantFrom(...MODELS);
const revision = fc.constantFrom(...REVISIONS);
const plane = fc.constantFrom('plane-1', 'plane-2');
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('apply' as const),
      model,
      variant: fc.integer({ min: 1, max: 3 }),
      min: fc.nat(1),
      initial: fc.nat(2),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('traffic' as const),
      model,
      first: fc.integer({ min: 1, max: 2 }),
      share: fc.nat(100),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('wake' as const), revision, queued: fc.nat(40) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('load' as const),
      revision,
      inFlight: fc.nat(30),
      queued: fc.nat(30),
      plane,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('crash' as const, 'drained' as const, 'suspect' as const),
      pick: fc.nat(9),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('fail' as const, 'heal' as const, 'hold' as const),
      revision,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      ms: fc.integer({ min: 1, max: 90_000 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), model }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete revision' as const), revision }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), plane }) },
  { weight: 1, arbitrary: fc.constant({ do: 'restart' as const }) },
);

/** A refusal is an outcome like any other; everything else is a bug. */
async function attempt(work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    if (!(error instanceof Fault) || error.code === 'internal') throw error;
  });
}

async function run(
  harness: Harness,
  what: Step,
  keepAlive: ModelInput['spec']['keepAlive'],
): Promise<void> {
  const { runtime, outlet, control, clock } = harness;
  const instances = [...outlet.instances.values()];
  switch (what.do) {
    case 'apply': {
      const { min, initial, variant } = what;
      const spec = program({ concurrency: variant, resources: { memory: '100Mi' } });
      const scaling = { min, initial, max: MAX };
      return await attempt(harness.apply({ revision: spec, scaling, keepAlive }, what.model));
    }
    case 'traffic': {
      const rows: TrafficTarget[] = [
        { revision: `0000${what.first}`, percent: what.share },
        { revision: `0000${what.first + 1}`, percent: 100 - what.share, tag: 'next' },
      ];
      return await attempt(control.useCases.setTraffic(ADMIN, 'default', what.model, rows));
    }
    case 'wake':
      return outlet.say({ type: 'wake', revision: what.revision, queued: what.queued });
    case 'load': {
      const { inFlight, queued } = what;
      const load = { revision: what.revision, inFlight, queued, concurrency: inFlight + queued };
      return harness.load({ ...load, arrivals: inFlight }, what.plane);
    }
    case 'crash': {
      const all = runtime.instances();
      const victim = all[what.pick % Math.max(1, all.length)];
      return victim && runtime.crash(victim.id);
    }
    case 'drained': {
      const instance = instances[what.pick % Math.max(1, instances.length)];
      if (instance?.state !== 'draining') return;
      for (const name of ['plane-1', 'plane-2']) {
        outlet.say({ type: 'drained', instance: instance.id }, name);
      }
      return;
    }
    case 'suspect': {
      const instance = instances[what.pick % Math.max(1, instances.length)]?.id ?? 'nobody';
      return outlet.say({ type: 'suspect', instance, reason: 'refused' });
    }
    case 'fail':
      return runtime.failStarts(what.revision, 'exited with status 1');
    case 'heal':
      runtime.failStarts(what.revision, undefined);
      return runtime.letGo(what.revision);
    case 'hold':
      return runtime.holdStarts(what.revision);
    case 'pass':
      return clock.advance(what.ms);
    case 'delete':
      return await attempt(control.useCases.deleteModel(ADMIN, 'default', what.model));
    case 'delete revision':
      return await attempt(control.useCases.deleteRevision(ADMIN, what.revision));
    case 'leave':
      return outlet.leave(what.plane);
    case 'restart':
      return await harness.restart();
    default:
      what satisfies never;
  }
}

/** Holds after every single update that a data plane is sent. */
function checkTold({ outlet, runtime }: Harness): void {
  const real = new Map(runtime.instances().map((instance) => [instance.id, instance]));
  for (const told of outlet.instances.values()) {
    if (told.state !== 'ready') continue;
    expect(real.get(told.id)?.revision).toBe(told.revision);
  }
  for (const { targets, revisions } of outlet.models.values()) {
    const ready = new Set(revisions.filter((one) => one.state === 'Ready').map((one) => one.name));
    for (const target of targets) expect(ready.has(target.revision)).toBe(true);
    const sum = targets.reduce((total, target) => total + target.percent, 0);
    expect(sum).toBe(targets.some((target) => target.percent > 0) ? 100 : 0);
  }
}

/** Holds whenever nothing is being done. */
async function checkAtRest(
  { outlet, runtime, store, control }: Harness,
  budget: number,
): Promise<void> {
  for (const { wanted } of runtime.orders) {
    expect(wanted.desired).toBeLessThanOrEqual(Math.min(MAX, wanted.max));
    expect(wanted.min).toBeLessThanOrEqual(wanted.desired);
  }
  const alive = runtime.instances().filter((instance) => instance.state !== 'draining');
  expect(alive.length * 100 * MIB).toBeLessThanOrEqual(budget);
  for (const instance of alive) {
    expect(await store.get('revision', instance.revision)).toBeDefined();
  }
  const models = await store.list('model');
  expect([...outlet.models.keys()].sort()).toEqual(models.map((model) => model.key));
  for (const { key } of await store.list('revision')) {
    expect(outlet.models.get(key.split('/').slice(0, 2).join('/'))).toBeDefined();
    const view = await control.useCases.getRevision(ADMIN, key);
    expect(view).toEqual(await store.get('revision', key));
  }
}

/** When all is healed, nobody asks and time passes: what must run runs, and nothing else. */
async function checkComesToRest(harness: Harness, { steps, stepMs }: Rest): Promise<void> {
  for (const key of REVISIONS) harness.runtime.failStarts(key, undefined);
  harness.runtime.letGo();
  const letGo = (): void => {
    for (const name of ['plane-1', 'plane-2']) {
      harness.outlet.say({ type: 'load', at: 0, revisions: [] }, name);
      for (const { id, state } of harness.outlet.instances.values()) {
        if (state === 'draining') harness.outlet.say({ type: 'drained', instance: id }, name);
      }
    }
  };
  for (let step = 0; step < steps; step++) {
    await rest();
    letGo();
    harness.clock.advance(stepMs);
  }
  await rest();
  const floors = new Map<string, number>();
  for (const { key, value } of await harness.store.list('model')) {
    const routed = new Set(harness.outlet.models.get(key)?.targets.map((one) => one.revision));
    for (const name of routed) floors.set(`${key}/${name}`, value.document.spec.scaling?.min ?? 0);
  }
  for (const { key, value } of await harness.store.list('revision')) {
    expect(['Ready', 'Failed']).toContain(value.state);
    expect(harness.runtime.instances(key).length).toBeLessThanOrEqual(floors.get(key) ?? 0);
  }
  const wanted = [...floors.values()].reduce((sum, count) => sum + count, 0);
  expect(harness.runtime.instances().length).toBe(Math.min(wanted, ROOM));
}

/** Instances that the memory has room for: few, so that it is short most of the time. */
const ROOM = 2;

interface Rest {
  readonly steps: number;
  readonly stepMs: number;
}
/** Longer than a proof waits for memory; and than anything is kept that nobody asks for. */
const MINUTES: Rest = { steps: 30, stepMs: 30_000 };
const DAYS: Rest = { steps: 30, stepMs: 3_600_000 };

describe('any history', () => {
  test.each([
    [{ policy: 'fixed', idle: '60s' }, MINUTES, 1000],
    [{ policy: 'adaptive' }, DAYS, 40],
  ] as const)(
    'of changes, load and crashes keeps the invariants, and comes to rest: %j',
    async (keepAlive, longEnough, histories) => {
      const budget = (ROOM + 0.5) * 100 * MIB;
      const property = fc.asyncProperty(
        fc.array(step, { maxLength: 40, size: 'max' }),
        async (steps) => {
          const harness = await createHarness({
            memoryBudget: budget,
            proofsAtOnce: 2,
            memory: true,
          });
          try {
            for (const what of steps) {
              await run(harness, what, keepAlive);
              checkTold(harness);
              await rest();
              checkTold(harness);
              await checkAtRest(harness, budget);
            }
            await checkComesToRest(harness, longEnough);
          } finally {
            await harness.close();
          }
        },
      );
      await fc.assert(property, { numRuns: histories });
    },
    600_000,
  );
});
