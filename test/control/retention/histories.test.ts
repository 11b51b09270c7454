import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RevisionLoad } from '#bus/messages.ts';
import type { ModelInput, TrafficTarget } from '#domain/model.ts';
import { partsOfRevisionKey } from '#domain/names.ts';
import { ROLLOUT_PHASES } from '#domain/rollout.ts';
import { RETENTION_DEFAULTS, type RetentionDefaults } from '#domain/retention.ts';
import { Fault } from '#lib/fault.ts';
import { ADMIN, program, rest } from '../harness.ts';
import { findLeft, findWrongs, type Limits, type Truth } from './oracle.ts';
import { isOpen, readRollouts, type Snapshot, takeSnapshot } from './snapshot.ts';
import { type Brings, type Keeps, type Step, step } from './steps.ts';
import { createWorld, digestOf, type World } from './world.ts';

/**
 * Whatever happens, in any order, while control is killed between any two of its steps: nothing in use ever goes, and
 * what nobody uses goes. The judge knows what really happened, and of control's world only what is stored.
 */

const HISTORIES = 1000;
/** What histories count time in, ms: short, for control looks at much each second. */
const SPAN = 10_000;
const LIMITS: Limits = {
  model: 30 * SPAN,
  revision: 10 * SPAN,
  keep: 1,
  artifact: 15 * SPAN,
  undo: 20 * SPAN,
};
const RULES: RetentionDefaults = {
  ...RETENTION_DEFAULTS,
  models: { unusedFor: LIMITS.model },
  revisions: { unusedFor: LIMITS.revision, keep: LIMITS.keep },
  artifacts: { unusedFor: LIMITS.artifact },
  undo: LIMITS.undo,
};

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

/** Of a revision in a span: enough to decide on. */
const REQUESTS = 500;
const ROLLOUT: NonNullable<ModelInput['spec']['rollout']> = {
  steps: [30],
  interval: '10s',
  minSamples: 20,
  metrics: [{ metric: 'success', margin: 0.05 }],
};
const KEEPS: Record<Keeps, Partial<ModelInput['spec']>> = {
  nothing: {},
  pinned: { retention: { pinned: true } },
  lasting: { retention: { models: { unusedFor: 'never' } } },
};
const SELECTION = { strategy: 'manual' } as const;
/** What decides which revision of a model serves: `a` is rolled out, mostly. */
const BRINGS: Record<string, Record<Brings, Partial<ModelInput['spec']>>> = {
  a: { itself: { rollout: ROLLOUT }, choice: { rollout: ROLLOUT, selection: SELECTION } },
  b: { itself: {}, choice: { selection: SELECTION } },
};

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

/** What a data plane tells of a revision. */
type Load = Partial<RevisionLoad> & Pick<RevisionLoad, 'revision'>;

/** Not while a deletion of one is being written, for which it comes too late. */
async function use(world: World, truth: Truth, find: () => readonly Load[]): Promise<void> {
  await world.rest();
  const { killable, outlet } = world.life;
  if (killable.isDead) return;
  const loads = find();
  for (const { revision } of loads) truth.used.set(revision, world.clock.now());
  const revisions = loads.map((load) => makeLoad(load, truth.busy.has(load.revision) ? 1 : 0));
  outlet.say({ type: 'load', at: world.clock.now(), revisions });
}

function makeLoad(load: Load, inFlight: number): RevisionLoad {
  const none = { queued: 0, concurrency: 0, coldArrivals: 0, busySeconds: 0, coldSeconds: 0 };
  return { ...none, arrivals: 1, inFlight, ...load };
}

/** Requests of a span, by the shares that the data planes were told of. */
function findServed(world: World, model: string, newestFails: boolean): Load[] {
  const { targets = [] } = world.life.outlet.models.get(`default/${model}`) ?? {};
  const served = targets.filter(({ percent }) => percent > 0).map(({ revision }) => revision);
  const newest = served.toSorted().at(-1);
  return served.map((name) => {
    const failed = newestFails && name === newest && served.length > 1 ? REQUESTS : 0;
    return { revision: `default/${model}/${name}`, failed, ok: REQUESTS - failed };
  });
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
        spec: {
          revision: program({ source }),
          ...KEEPS[what.keeps],
          ...BRINGS[what.model]?.[what.brings],
        },
      } as const;
      await attempt(world, cases.applyModel(ADMIN, input));
      // It is fetched and proven.
      return await pass(world, truth, { spans: 1, by: 1 });
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
    case 'hold':
      return await use(world, truth, () => {
        if (what.do === 'hold') truth.busy.add(what.revision);
        return [{ revision: what.revision }];
      });
    case 'let go':
      return void truth.busy.delete(what.revision);
    case 'delete revision':
      return await attempt(world, cases.deleteRevision(ADMIN, what.revision));
    case 'restore revision':
      return await attempt(world, cases.restoreRevision(ADMIN, what.revision));
    case 'roll out':
      return await attempt(world, cases.actOnRollout(ADMIN, 'default', what.model, what.action));
    case 'select': {
      const { namespace, model, revision } = partsOfRevisionKey(what.revision);
      const wanted = { revision, change: 'now' } as const;
      return await attempt(world, cases.select(ADMIN, namespace, model, wanted));
    }
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

/** Lets time pass, and asks the judge now and then. `find`: who is asked in each part of it, beside what is busy. */
async function pass(
  world: World,
  truth: Truth,
  time: { readonly spans: number; readonly by: number },
  find: () => readonly Load[] = () => [],
): Promise<void> {
  const findAll = (): Load[] => [...find(), ...[...truth.busy].map((revision) => ({ revision }))];
  let before = await takeSnapshot(world);
  for (let left = time.spans; left > 0; left -= time.by) {
    await use(world, truth, findAll);
    world.clock.advance(Math.min(left, time.by) * SPAN);
    await rest();
    before = await judge(world, truth, before);
  }
}

async function judge(world: World, truth: Truth, before: Snapshot): Promise<Snapshot> {
  const after = await takeSnapshot(world);
  const about = { truth, limits: LIMITS, now: world.clock.now() };
  expect(findWrongs(before, after, about)).toEqual([]);
  for (const { phase } of after.rollouts.values()) truth.met.add(phase);
  return after;
}

async function revive(world: World, truth: Truth, spans: number): Promise<void> {
  // Nobody serves requests meanwhile: one process, one fate.
  truth.busy.clear();
  const rollouts = await readRollouts(world.store);
  if ([...rollouts.values()].some(isOpen)) truth.met.add('the middle of a rollout');
  world.clock.advance(spans * SPAN);
  await world.begin();
}

async function run(world: World, truth: Truth, what: Step): Promise<void> {
  if (world.life.killable.isDead) await revive(world, truth, 0);
  switch (what.do) {
    case 'pass':
      return await pass(world, truth, { spans: what.spans, by: 2 });
    case 'serve': {
      const { model, spans, newestFails } = what;
      const find = (): Load[] => findServed(world, model, newestFails);
      return await pass(world, truth, { spans, by: 1 }, find);
    }
    case 'collect': {
      const before = await takeSnapshot(world);
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
/** Each is a millisecond or so, in which files are read and removed. */
const MOST_LOOKS = 500;

async function checkWhatIsLeft(world: World, truth: Truth): Promise<void> {
  if (world.life.killable.isDead) await revive(world, truth, 0);
  world.life.killable.killAfter(Infinity);
  truth.busy.clear();
  await pass(world, truth, { spans: LONG_ENOUGH, by: 10 });
  let left = await leftIn(world);
  // Files take their own time.
  for (let more = 0; left.length > 0 && more < MOST_LOOKS; more++) {
    await pass(world, truth, { spans: 20, by: 10 });
    left = await leftIn(world);
  }
  expect(left).toEqual([]);
}

async function leftIn(world: World): Promise<string[]> {
  return findLeft(await takeSnapshot(world), LIMITS);
}

const ONE_SPAN: Step = { do: 'pass', spans: 1 };
/** Content of `a`, of which the second is rolled out. */
const DEPLOYED = [1, 2].map((content): Step => {
  return { do: 'deploy', model: 'a', content, keeps: 'nothing', brings: 'itself' };
});
const BEGUN: Step[] = [...DEPLOYED, ONE_SPAN];
const PAUSED: Step = { do: 'roll out', model: 'a', action: 'pause' };
/** All that has to be met, however the others turn out. */
const COURSES: Step[][] = [
  [...BEGUN, PAUSED, ONE_SPAN, { do: 'restart', away: 0 }, ONE_SPAN],
  [...BEGUN, { do: 'traffic', model: 'a', first: 1, share: 50 }, ONE_SPAN],
  [...BEGUN, { do: 'roll out', model: 'a', action: 'abort' }, ONE_SPAN],
  [...BEGUN, { do: 'serve', model: 'a', spans: 6, newestFails: false }],
  [...BEGUN, { do: 'serve', model: 'a', spans: 6, newestFails: true }],
];

test(`in ${HISTORIES} histories nothing in use goes, and what nobody uses goes`, async () => {
  const met = new Set<string>();
  const property = fc.asyncProperty(
    fc.array(step, { maxLength: 25, size: 'max' }),
    async (steps) => {
      const world = await createWorld(RULES);
      const truth: Truth = { used: new Map(), busy: new Set(), touched: new Map(), met };
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
  const examples = COURSES.map((steps): [Step[]] => [steps]);
  await fc.assert(property, { numRuns: HISTORIES, examples });
  expect([...met]).toEqual(expect.arrayContaining([...ROLLOUT_PHASES, 'the middle of a rollout']));
}, 900_000);
