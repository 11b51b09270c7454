import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ProgramEnd } from '#control/jobs/program-runner.ts';
import type { ProgramRecord } from '#domain/job.ts';
import type { ProgramMetrics, ProgramRequest } from '#domain/program-job.ts';
import { RETENTION_DEFAULTS } from '#domain/retention.ts';
import type { ScheduleInput } from '#domain/schedule.ts';
import { until } from '#test/until.ts';
import {
  ADMIN,
  createHarness,
  deployed,
  type Harness,
  program,
  reaches,
  rest,
} from '../harness.ts';
import { createFakePrograms, type FakeProgram, type FakePrograms } from './fake-programs.ts';
import { createFakeRunner, makeBatch } from './fake-runner.ts';

const SELECTION = {
  strategy: 'periodicBest',
  schedule: { every: '1s' },
  change: 'now',
} as const;

let programs: FakePrograms;
let harness: Harness;
let count = 0;

/** Content that nobody needs goes after so many seconds. */
const UNUSED_SECONDS = 30;

beforeEach(async () => {
  programs = createFakePrograms();
  const batch = { ...makeBatch(createFakeRunner(), () => `${++count}`), programs };
  const retention = { ...RETENTION_DEFAULTS, artifacts: { unusedFor: UNUSED_SECONDS * 1000 } };
  harness = await createHarness({ batch, retention });
});
afterEach(() => harness.close());

/** A model with content, whose selection judges what comes next. */
async function deployModel(): Promise<void> {
  const source = await harness.upload('first');
  await deployed(harness, { revision: program({ source }), selection: SELECTION });
  await harness.pass(2);
}

async function create(part: Partial<ProgramRequest> = {}): Promise<string> {
  const request = { kind: 'program' as const, args: ['./train'], model: 'm', ...part };
  return (await harness.control.useCases.createJob(ADMIN, 'default', request)).value.id;
}

async function get(id: string): Promise<ProgramRecord> {
  return (await harness.control.useCases.getJob(ADMIN, 'default', id)).value as ProgramRecord;
}

/** The one that runs, once so many were started. */
async function running(starts = 1): Promise<FakeProgram> {
  await passUntil(`${starts} were started`, async () => programs.started.length >= starts);
  expect(programs.started.length).toBe(starts);
  return programs.started.at(-1)!;
}

async function passUntil(what: string, holds: () => Promise<boolean>): Promise<void> {
  await until(what, async () => {
    if (await holds()) return true;
    await harness.pass(1);
    return false;
  });
}

const comesTo = (id: string, state: string): Promise<void> =>
  passUntil(`job ${id} is ${state}`, async () => (await get(id)).state === state);

const FIGURES = { seconds: 1.5, cpuSeconds: 1, memoryBytes: 1000 };

async function makeDone(text: string, measured: Partial<ProgramMetrics> = {}): Promise<ProgramEnd> {
  const digest = (await harness.upload(text)).slice('sha256:'.length);
  const artifact = { digest, size: text.length, name: 'model.bin', kind: 'file' } as const;
  const made = { artifact, metrics: {}, parent: {}, ...measured };
  return { kind: 'done', result: { ...FIGURES, made } };
}

const accuracy = (value: number) => ({ accuracy: { value, count: 1000 } });

async function shares(): Promise<string[]> {
  const { targets } = await harness.control.useCases.getModel(ADMIN, 'default', 'm');
  return targets.map(({ revision, percent }) => `${revision}=${percent}`);
}

describe('what a program leaves', () => {
  beforeEach(deployModel);

  test('is the next revision: like its parent but for its source, with where it comes from', async () => {
    const id = await create();
    const run = await running();
    expect(run.order.parent).toMatchObject({ revision: '00001' });
    run.end(await makeDone('second', { metrics: accuracy(0.9), parent: accuracy(0.8) }));
    await comesTo(id, 'Succeeded');
    await reaches(harness, 'default/m/00002', 'Ready');
    const { value } = (await harness.store.get('revision', 'default/m/00002'))!;
    expect(value).toMatchObject({
      spec: { ...program(), source: await harness.upload('second') },
      createdBy: { id: 'system:jobs' },
      lineage: { job: id, parent: '00001', metrics: accuracy(0.9), parentMetrics: accuracy(0.8) },
    });
    expect((await get(id)).report).toMatchObject({ revision: '00002', isNew: true });
    const created = (await harness.events('RevisionCreated')).find(
      ({ revision }) => revision === '00002',
    );
    expect(created?.why).toBe(
      `made by job ${id} from 00001: accuracy 0.9 of 1000 (00001: accuracy 0.8 of 1000); its selection decides whether it serves`,
    );
  });

  test('serves when it is better', async () => {
    const id = await create();
    (await running()).end(
      await makeDone('better', { metrics: accuracy(0.9), parent: accuracy(0.8) }),
    );
    await comesTo(id, 'Succeeded');
    await passUntil('it serves', async () => (await shares())[0] === '00002=100');
    const [event] = await harness.events('SelectionChanged');
    expect(event?.why).toContain('00002 has accuracy 0.9 (1000 samples), better by 0.1');
  });

  test('stays without traffic when it is worse, and it is said why, once', async () => {
    const id = await create();
    (await running()).end(
      await makeDone('worse', { metrics: accuracy(0.7), parent: accuracy(0.8) }),
    );
    await comesTo(id, 'Succeeded');
    await reaches(harness, 'default/m/00002', 'Ready');
    await harness.pass(100);
    expect(await shares()).toEqual(['00001=100']);
    const told = (await harness.events('SelectionDecided')).filter(({ why }) =>
      why.includes('00002 has accuracy 0.7 (1000 samples)'),
    );
    expect(told.length).toBe(1);
  });

  test('is measured once, also if control begins again', async () => {
    const id = await create();
    (await running()).end(await makeDone('second', { metrics: accuracy(0.9) }));
    await comesTo(id, 'Succeeded');
    await harness.pass(2);
    await harness.restart();
    await harness.pass(2);
    const minute = Math.floor(harness.clock.now() / 60_000);
    const rows = await harness.store.measures({
      namespace: 'default',
      model: 'm',
      revision: '00002',
      from: minute - 10,
      to: minute,
      limit: 10,
    });
    expect(rows.map(({ name, count: samples }) => [name, samples])).toEqual([['accuracy', 1000]]);
  });

  test('is no new revision when it is what there is', async () => {
    const id = await create();
    (await running()).end(await makeDone('first'));
    await comesTo(id, 'Succeeded');
    expect(await get(id)).toMatchObject({
      reason: 'done in 1.5 s: what it left is revision 00001 of model m already',
      report: { revision: '00001', isNew: false },
    });
  });

  test('is not taken for what people wrote: their file changes nothing when it is applied again', async () => {
    const id = await create();
    (await running()).end(await makeDone('second'));
    await comesTo(id, 'Succeeded');
    const source = await harness.upload('first');
    const applied = await harness.apply({ revision: program({ source }), selection: SELECTION });
    expect(applied).toMatchObject({ outcome: 'unchanged', newRevisions: [] });
  });

  test('has no traffic before somebody chooses it, however new it is', async () => {
    const source = await harness.upload('first');
    await harness.apply({ revision: program({ source }), selection: { strategy: 'manual' } });
    const id = await create();
    (await running()).end(await makeDone('second'));
    await comesTo(id, 'Succeeded');
    await reaches(harness, 'default/m/00002', 'Ready');
    await harness.pass(10);
    expect(await shares()).toEqual(['00001=100']);
    await harness.control.useCases.select(ADMIN, 'default', 'm', {
      revision: '00002',
      change: 'now',
    });
    expect(await shares()).toEqual(['00002=100']);
  });

  test('is lost with its model', async () => {
    const id = await create();
    const run = await running();
    await harness.control.useCases.deleteModel(ADMIN, 'default', 'm', { now: true });
    run.end(await makeDone('second'));
    await comesTo(id, 'Failed');
    expect((await get(id)).reason).toContain('there is no model default/m');
  });
});

describe('a program that fails', () => {
  const FAILED: ProgramEnd = { kind: 'failed', why: 'its program exited with status 3' };

  test('is begun again as often as it may be', async () => {
    const id = await create({ model: undefined, retries: 2 });
    for (const starts of [1, 2, 3]) (await running(starts)).end(FAILED);
    await comesTo(id, 'Failed');
    expect(await get(id)).toMatchObject({
      reason: 'its program exited with status 3 (3 times)',
      attempts: 3,
      failures: 3,
    });
    await harness.pass(100);
    expect(programs.started.length).toBe(3);
    expect(programs.cleared).toContain(id);
  });

  test('has failed, however much there is to be said of it', async () => {
    const id = await create({ model: undefined, retries: 1 });
    for (const starts of [1, 2]) {
      (await running(starts)).end({ kind: 'failed', why: 'metrics.json: '.repeat(1000) });
    }
    await comesTo(id, 'Failed');
  });

  test('with Rouse is begun again from the beginning, and counted', async () => {
    const id = await create({ model: undefined });
    const first = await running();
    await harness.restart();
    expect(first.isEnded).toBe(true);
    const second = await running(2);
    expect(await get(id)).toMatchObject({ state: 'Running', attempts: 2, failures: 0 });
    second.end({ kind: 'done', result: FIGURES });
    await comesTo(id, 'Succeeded');
    await harness.restart();
    await harness.pass(5);
    expect(programs.started.length).toBe(2);
    const [event] = await harness.events('JobAttempt');
    expect(event?.why).toBe(`job ${id}: attempt 2, from the beginning: 0 failed, 1 cut off`);
  });

  test('is not begun again, uncounted, while Rouse ends', async () => {
    const id = await create({ model: undefined, retries: 1 });
    const other = await create({ model: undefined });
    await running(2);
    const cleared = Promise.withResolvers<void>();
    programs.clear = () => cleared.promise;
    await harness.control.useCases.actOnJob(ADMIN, 'default', other, 'cancel');
    programs.started.find(({ order }) => order.id === id)?.end(FAILED);
    await until('it has failed', async () => (await get(id)).failures === 1);
    const ended = harness.restart();
    await rest();
    harness.clock.advance(2000);
    await rest();
    const begun = programs.started.length;
    cleared.resolve();
    await ended;
    expect(begun).toBe(2);
    await running(3);
    expect(await get(id)).toMatchObject({ attempts: 2, failures: 1 });
  });

  test('with Rouse again and again is left', async () => {
    const id = await create({ model: undefined });
    for (let starts = 1; starts <= 11; starts++) {
      await running(starts);
      await harness.restart();
    }
    await comesTo(id, 'Failed');
    expect((await get(id)).reason).toBe('it was cut off 11 times');
  });
});

describe('a program that outlives Rouse', () => {
  async function begin(): Promise<string> {
    await harness.close();
    programs = createFakePrograms({ outlives: true });
    const batch = { ...makeBatch(createFakeRunner(), () => `${++count}`), programs };
    harness = await createHarness({ batch });
    return await create({ model: undefined });
  }

  test('goes on, and is no other attempt', async () => {
    const id = await begin();
    const run = await running();
    await harness.restart();
    await harness.restart();
    expect(run.isEnded).toBe(false);
    run.end({ kind: 'done', result: FIGURES });
    await comesTo(id, 'Succeeded');
    expect(await get(id)).toMatchObject({ attempts: 1, failures: 0 });
    expect(programs.started.length).toBe(1);
  });

  test('is begun again when it is not found any more, and that is counted', async () => {
    const id = await begin();
    await running();
    programs.vanish(id);
    await harness.restart();
    (await running(2)).end({ kind: 'done', result: FIGURES });
    await comesTo(id, 'Succeeded');
    expect(await get(id)).toMatchObject({ attempts: 2, failures: 0 });
    expect(programs.started.map(({ order }) => order.attempt)).toEqual([1, 2]);
  });

  test('that failed while Rouse was away has failed once', async () => {
    const id = await begin();
    const run = await running();
    await harness.restart(() => run.end({ kind: 'failed', why: 'no rows' }));
    await comesTo(id, 'Failed');
    expect(await get(id)).toMatchObject({ reason: 'no rows', attempts: 1, failures: 1 });
  });

  test('is ended when its job is cancelled', async () => {
    const id = await begin();
    const run = await running();
    await harness.restart();
    await harness.pass(2);
    await harness.control.useCases.actOnJob(ADMIN, 'default', id, 'cancel');
    await harness.pass(2);
    expect(run.isEnded).toBe(true);
  });

  test('hands over what it has left while its attempt runs, and not later', async () => {
    const id = await begin();
    await running();
    async function* content(): AsyncGenerator<Uint8Array> {}
    const offer = async (attempt: number) => {
      const about = { namespace: 'default', id, attempt };
      const key = harness.artifactKeys.outputKeyOf(about);
      return await harness.control.useCases.takeOutput(key, about, content());
    };
    expect(await offer(1)).toMatchObject({ name: 'output' });
    await expect(offer(2)).rejects.toMatchObject({ code: 'conflict' });
    await harness.control.useCases.actOnJob(ADMIN, 'default', id, 'cancel');
    await expect(offer(1)).rejects.toMatchObject({ code: 'conflict' });
  });
});

/** Content that was uploaded. */
const isKept = async (uri: string): Promise<boolean> =>
  (await harness.artifacts.stat(uri.slice('sha256:'.length))) !== undefined;

describe('a program', () => {
  test('that is cancelled is ended, and what was made for it goes', async () => {
    const id = await create({ model: undefined });
    const run = await running();
    const { useCases } = harness.control;
    await useCases.actOnJob(ADMIN, 'default', id, 'cancel');
    await harness.pass(2);
    expect([run.isEnded, programs.cleared]).toEqual([true, [id]]);
    expect((await get(id)).state).toBe('Cancelled');
  });

  test('that waits for room says so, also to who watches, until it has some', async () => {
    const id = await create({ model: undefined });
    await running();
    const told: string[] = [];
    const { signal } = new AbortController();
    const { useCases } = harness.control;
    const tell = async (): Promise<void> => void told.push((await get(id)).reason);
    useCases.watchJob(ADMIN, 'default', id, () => void tell(), signal);
    programs.waits = 'waits for room: 1 Insufficient cpu';
    await harness.pass(3);
    programs.waits = undefined;
    await harness.pass(3);
    expect(told).toEqual(['waits for room: 1 Insufficient cpu', 'its program runs']);
  });

  test('has a deadline, and cannot be paused', async () => {
    const id = await create({ model: undefined, deadline: '1m' });
    const run = await running();
    const { useCases } = harness.control;
    await expect(useCases.actOnJob(ADMIN, 'default', id, 'pause')).rejects.toThrow(
      'is a program, which can be cancelled only',
    );
    await harness.pass(62);
    expect((await get(id)).reason).toBe('not done within its deadline of 60s');
    expect(run.isEnded).toBe(true);
  });

  test('keeps what it needs, though nobody asks for it', async () => {
    const source = await harness.upload('its code');
    const id = await create({ model: undefined, source });
    const other = await harness.upload('what nobody needs');
    await passUntil('the other goes', async () => !(await isKept(other)));
    await harness.pass(2 * UNUSED_SECONDS);
    expect(await isKept(source)).toBe(true);
    await harness.control.useCases.actOnJob(ADMIN, 'default', id, 'cancel');
    await passUntil('it goes, too', async () => !(await isKept(source)));
  });

  test('that a schedule runs keeps what it needs between the runs', async () => {
    const source = await harness.upload('its code');
    const data = await harness.upload('its data');
    const { useCases } = harness.control;
    const schedule: ScheduleInput = {
      apiVersion: 'rouse.dev/v1alpha1',
      kind: 'Schedule',
      metadata: { name: 'weekly' },
      spec: {
        schedule: '@weekly',
        program: { kind: 'program', args: ['./train'], source, data },
      },
    };
    await useCases.applySchedule(ADMIN, schedule);
    const other = await harness.upload('what nobody needs');
    await passUntil('the other goes', async () => !(await isKept(other)));
    await harness.pass(2 * UNUSED_SECONDS);
    expect([await isKept(source), await isKept(data)]).toEqual([true, true]);
    await useCases.deleteSchedule(ADMIN, 'default', 'weekly');
    await passUntil('it goes, too', async () => !(await isKept(source)));
    await expect(useCases.applySchedule(ADMIN, schedule)).rejects.toThrow(
      `spec.program.source: found "${source}", expected content that was uploaded before`,
    );
  });

  test('cannot make a revision that nothing would judge', async () => {
    await deployed(harness, { revision: program({ source: await harness.upload('first') }) });
    await expect(create()).rejects.toThrow('has no spec.selection');
  });

  test('cannot make a revision of what has no content', async () => {
    await deployed(harness, { selection: SELECTION });
    await expect(create()).rejects.toThrow('has no stored content (runtime command)');
  });

  test.each<[string, Partial<ProgramRequest>, string]>([
    ['no program', { args: [] }, 'args: found [], expected the program and its arguments'],
    ['a parent of no model', { model: undefined, parent: 'v1' }, 'no parent without a model'],
    ['a relative path', { data: 'rows.csv' }, 'data: found "rows.csv", expected an absolute path'],
    ['code that was not pushed', { source: './train.py' }, 'the sha256: digest of what was pushed'],
  ])('is refused with %s', async (_, part, why) => {
    await expect(create(part)).rejects.toThrow(why);
  });
});
