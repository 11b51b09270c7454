import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ModelInput, TrafficTarget } from '#domain/model.ts';
import { RETENTION_DEFAULTS, type RetentionDefaults } from '#domain/retention.ts';
import { Fault } from '#lib/fault.ts';
import { ADMIN, program, rest } from '../harness.ts';
import {
  findLeft,
  findWrongs,
  type Limits,
  type Snapshot,
  takeSnapshot,
  type Truth,
} from './oracle.ts';
import { createWorld, digestOf, type World } from './world.ts';

/**
 * What can happen, in any order, while control is killed between any two of its steps: nothing in use ever goes, and
 * what nobody uses goes. The judge knows what really happened, and of control's world only what is stored.
 */
type Step =
  | { do: 'deploy'; model: string; content: number; keeps: 'nothing' | 'pinned' | 'lasting' }
  | { do: 'push'; content: number }
  | { do: 'traffic'; model: string; first: number; share: number }
  | { do: 'use' | 'hold' | 'let go' | 'delete revision' | 'restore revision'; revision: string }
  | { do: 'delete'; model: string; now: boolean }
  | { do: 'restore'; model: string }
  | { do: 'collect' }
  | { do: 'pass'; minutes: number }
  | { do: 'kill'; after: number; away: number }
  | { do: 'restart'; away: number };

const HISTORIES = 1000;
const MINUTE = 60_000;
const LIMITS: Limits = {
  model: 30 * MINUTE,
  revision: 10 * MINUTE,
  keep: 1,
  artifact: 15 * MINUTE,
  undo: 20 * MINUTE,
};
const RULES: RetentionDefaults = {
  ...RETENTION_DEFAULTS,
  models: { unusedFor: LIMITS.model },
  revisions: { unusedFor: LIMITS.revision, keep: LIMITS.keep },
  artifacts: { unusedFor: LIMITS.artifact },
  undo: LIMITS.undo,
};

const MODELS = ['a', 'b'];
const model = fc.constantFrom(...MODELS);
const revision = fc
  .tuple(model, fc.integer({ min: 1, max: 4 }))
  .map(([name, number]) => `default/${name}/0000${number}`);
const away = fc.constantFrom(0, 1, 90);
const content = fc.integer({ min: 1, max: 4 });

function one<T extends Step['do']>(what: T): { do: fc.Arbitrary<T> } {
  return { do: fc.constant(what) };
}

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      ...one('deploy'),
      model,
      content,
      keeps: fc.constantFrom(
        'nothing' as const,
        'nothing' as const,
        'pinned' as const,
        'lasting' as const,
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ ...one('push'), content }) },
  {
    weight: 2,
    arbitrary: fc.record({
      ...one('traffic'),
      model,
      first: fc.integer({ min: 1, max: 3 }),
      share: fc.nat(100),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('use' as const, 'use' as const, 'hold' as const, 'let go' as const),
      revision,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('delete revision' as const, 'restore revision' as const),
      revision,
    }),
  },
  { weight: 2, arbitrary: fc.record({ ...one('delete'), model, now: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ ...one('restore'), model }) },
  { weight: 1, arbitrary: fc.record(one('collect')) },
  {
    weight: 8,
    arbitrary: fc.record({ ...one('pass'), minutes: fc.integer({ min: 1, max: 25 }) }),
  },
  { weight: 2, arbitrary: fc.record({ ...one('kill'), after: fc.nat(40), away }) },
  { weight: 1, arbitrary: fc.record({ ...one('restart'), away }) },
);

/** A refusal is an outcome like any other, and whoever is killed answers nothing. */
async function attempt(world: World, work: Promise<unknown>): Promise<void> {
  let failure: unknown;
  let isOver = false;
  const ended = work.then(
    () => (isOver = true),
    (error: unknown) => {
      failure = error instanceof Fault && error.code !== 'internal' ? undefined : error;
      isOver = true;
    },
  );
  while (!isOver && !world.life.killable.isDead) await rest();
  if (isOver) await ended;
  if (failure !== undefined) throw failure;
}

function makeSpec(source: string, keeps: string): ModelInput['spec'] {
  const kept = {
    nothing: {},
    pinned: { retention: { pinned: true } },
    lasting: { retention: { models: { unusedFor: 'never' } } },
  }[keeps];
  return { revision: program({ source }), ...kept };
}

async function push(world: World, truth: Truth, number: number): Promise<string> {
  const text = `content ${number}`;
  const digest = digestOf(text);
  truth.touched.set(digest, world.clock.now());
  const bytes = (async function* () {
    yield Buffer.from(text);
  })();
  const { useCases } = world.life.control;
  await attempt(world, useCases.putArtifact(ADMIN, digest, bytes, { name: 'm', kind: 'file' }));
  return `sha256:${digest}`;
}

/** Not while a deletion of it is being written, for which it comes too late. */
async function use(world: World, truth: Truth, key: string, holds = false): Promise<void> {
  await world.rest();
  const { killable, outlet } = world.life;
  if (killable.isDead) return;
  if (holds) truth.busy.add(key);
  truth.used.set(key, world.clock.now());
  const none = { queued: 0, concurrency: 0, coldArrivals: 0, busySeconds: 0, coldSeconds: 0 };
  const load = { ...none, revision: key, arrivals: 1, inFlight: truth.busy.has(key) ? 1 : 0 };
  outlet.say({ type: 'load', at: world.clock.now(), revisions: [load] });
}

async function carryOut(world: World, truth: Truth, what: Step): Promise<void> {
  const cases = world.life.control.useCases;
  switch (what.do) {
    case 'deploy': {
      const source = await push(world, truth, what.content);
      truth.touched.set(source.slice(7), world.clock.now());
      const input = {
        apiVersion: 'rouse.dev/v1alpha1',
        kind: 'Model',
        metadata: { name: what.model },
        spec: makeSpec(source, what.keeps),
      } as const;
      return await attempt(world, cases.applyModel(ADMIN, input));
    }
    case 'push':
      return void (await push(world, truth, what.content));
    case 'traffic': {
      const rows: TrafficTarget[] = [
        { revision: `0000${what.first}`, percent: what.share },
        { revision: `0000${what.first + 1}`, percent: 100 - what.share, tag: 'next' },
      ];
      return await attempt(world, cases.setTraffic(ADMIN, 'default', what.model, rows));
    }
    case 'use':
      return await use(world, truth, what.revision);
    case 'hold':
      return await use(world, truth, what.revision, true);
    case 'let go':
      return void truth.busy.delete(what.revision);
    case 'delete revision':
      return await attempt(world, cases.deleteRevision(ADMIN, what.revision));
    case 'restore revision':
      return await attempt(world, cases.restoreRevision(ADMIN, what.revision));
    case 'delete':
      return await attempt(
        world,
        cases.deleteModel(ADMIN, 'default', what.model, { now: what.now }),
      );
    case 'restore':
      return await attempt(world, cases.restoreModel(ADMIN, 'default', what.model));
    default:
  }
}

/** Lets time pass, and asks the judge now and then. */
async function pass(world: World, truth: Truth, minutes: number, by: number): Promise<void> {
  let before = await takeSnapshot(world.store, world.artifacts);
  for (let left = minutes; left > 0; left -= by) {
    for (const key of truth.busy) await use(world, truth, key);
    world.clock.advance(Math.min(left, by) * MINUTE);
    await rest();
    before = await judge(world, truth, before);
  }
}

async function judge(world: World, truth: Truth, before: Snapshot): Promise<Snapshot> {
  const after = await takeSnapshot(world.store, world.artifacts);
  const about = { truth, limits: LIMITS, now: world.clock.now() };
  expect(findWrongs(before, after, about)).toEqual([]);
  return after;
}

async function revive(world: World, truth: Truth, minutes: number): Promise<void> {
  // Nobody serves requests meanwhile: one process, one fate.
  truth.busy.clear();
  world.clock.advance(minutes * MINUTE);
  await world.begin();
}

async function run(world: World, truth: Truth, what: Step): Promise<void> {
  if (world.life.killable.isDead) await revive(world, truth, 0);
  switch (what.do) {
    case 'pass':
      return await pass(world, truth, what.minutes, 2);
    case 'collect': {
      const before = await takeSnapshot(world.store, world.artifacts);
      await attempt(world, world.life.control.useCases.collect(ADMIN, undefined));
      return void (await judge(world, truth, before));
    }
    case 'kill':
      return world.life.killable.killAfter(what.after);
    case 'restart':
      await attempt(world, world.end());
      return await revive(world, truth, what.away);
    default:
      return await carryOut(world, truth, what);
  }
}

/** Longer than all limits one after the other, each begun anew. */
const LONG_ENOUGH = 120;

async function checkWhatIsLeft(world: World, truth: Truth): Promise<void> {
  if (world.life.killable.isDead) await revive(world, truth, 0);
  world.life.killable.killAfter(Infinity);
  truth.busy.clear();
  await pass(world, truth, LONG_ENOUGH, 10);
  let left = await leftIn(world);
  // Files take their own time.
  for (let more = 0; left.length > 0 && more < 10; more++) {
    await pass(world, truth, 20, 10);
    left = await leftIn(world);
  }
  expect(left).toEqual([]);
}

async function leftIn(world: World): Promise<string[]> {
  return findLeft(await takeSnapshot(world.store, world.artifacts), LIMITS);
}

test(`in ${HISTORIES} histories nothing in use goes, and what nobody uses goes`, async () => {
  const property = fc.asyncProperty(
    fc.array(step, { maxLength: 25, size: 'max' }),
    async (steps) => {
      const world = await createWorld(RULES);
      const truth: Truth = { used: new Map(), busy: new Set(), touched: new Map() };
      try {
        for (const what of steps) {
          await run(world, truth, what);
          await rest();
        }
        await checkWhatIsLeft(world, truth);
      } finally {
        await world.close();
      }
    },
  );
  await fc.assert(property, { numRuns: HISTORIES });
}, 900_000);
