import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRandom } from '#test/fuzz/random.ts';
import { until } from '#test/until.ts';
import { drawPicture } from './drawn-digits.ts';
import { makeFolder, type Platform, removeFolder, startPlatform } from './platform.ts';

const SAMPLES = resolve(import.meta.dirname, '../../functions/samples/digits');
const ROWS = 200;
const MINUTE = 60_000;

let platform: Platform;

beforeEach(async () => {
  platform = await startPlatform(await makeFolder());
});

afterEach(async () => {
  await platform.end('SIGKILL');
  await removeFolder(platform.folder);
});

const inFolder = (name: string): string => join(platform.folder, name);

const DIGITS = `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: digits }
spec:
  revision: { name: v2, runtime: onnx, source: ${SAMPLES}/v2.onnx }
`;

const scheduleOf = (times: string): string => `---
apiVersion: rouse.dev/v1alpha1
kind: Schedule
metadata: { name: minutely }
spec:
  schedule: '${times}'
  batch:
    model: digits
    input: { location: ${inFolder('in.csv')} }
    output: { path: '${inFolder('{run}.csv')}', columns: [id] }
    map: { image: [${PIXELS.join(', ')}] }
`;

const PIXELS = Array.from({ length: 64 }, (_, pixel) => `p${pixel}`);

/** Gives when it runs for the first time, as the platform says it. */
async function setUp(times: string): Promise<number> {
  const random = createRandom(1, 0);
  const rows = Array.from({ length: ROWS }, (_, id) =>
    [id, ...drawPicture(random).pixels.map((pixel) => pixel.toFixed(2))].join(','),
  );
  await writeFile(inFolder('in.csv'), [['id', ...PIXELS].join(','), ...rows].join('\n'));
  await writeFile(inFolder('all.yaml'), DIGITS + scheduleOf(times));
  const ran = await platform.rouse('apply', '-f', 'all.yaml');
  expect(ran).toMatchObject({ status: 0 });
  const [, next = ''] =
    /^digits .*Ready\nminutely {2}created {4}next (\S+)$/m.exec(ran.stdout) ?? [];
  expect(Date.parse(next), ran.stdout).toBeGreaterThan(0);
  return Date.parse(next);
}

interface RunShape {
  readonly id: string;
  readonly trigger: string;
  readonly state: string;
  readonly reason: string;
  readonly scheduledAt: number;
}

async function list<T>(path: string): Promise<readonly T[]> {
  const response = await fetch(`${platform.control}/api/v1/namespaces/default/${path}`);
  return ((await response.json()) as { items: readonly T[] }).items;
}

const runs = (name = 'minutely'): Promise<readonly RunShape[]> => list(`schedules/${name}/runs`);

async function idsOf(run: RunShape): Promise<number[]> {
  const [, ...rows] = (await readFile(inFolder(`${run.id}.csv`), 'utf8')).trimEnd().split('\n');
  return rows.map((row) => Number(row.split(',')[0]));
}

const ALL_IDS = Array.from({ length: ROWS }, (_, id) => id);

describe('a batch job on a schedule', () => {
  test('killed as soon as its run is written down: each minute has one run, one job, each row once', async () => {
    const first = (await setUp('* * * * *')) / MINUTE;
    for (let minute = first; minute < first + 2; minute++) {
      await until('the minute is nearly over', () => Date.now() > minute * MINUTE - 8000);
      await until('its run is there', async () =>
        (await runs()).some(({ scheduledAt }) => scheduledAt === minute * MINUTE),
      );
      await platform.end('SIGKILL');
      platform = await startPlatform(platform.folder);
      await until('it has ended', async () => (await runs())[0]?.state === 'Succeeded');
    }
    const all = await runs();
    const times = all.map(({ scheduledAt }) => scheduledAt / MINUTE - first);
    expect(new Set(times).size).toBe(times.length);
    expect(times.slice(-2)).toEqual([1, 0]);
    const jobs = await list<{ readonly id: string }>('jobs');
    expect(jobs.map(({ id }) => id).toSorted()).toEqual(all.map(({ id }) => id).toSorted());
    for (const run of all.slice(-2)) expect(await idsOf(run)).toEqual(ALL_IDS);
  }, 300_000);

  test('runs when somebody wants it, and is shown with its runs', async () => {
    await setUp('0 0 1 1 *');
    const ran = await platform.rouse('run', 'minutely', 'now');
    expect(ran.stdout).toMatch(/minutely-\w+ +minutely +manual +Starting/);
    await until('it has ended', async () => (await runs())[0]?.state === 'Succeeded');
    const [run] = await runs();
    expect(await idsOf(run!)).toEqual(ALL_IDS);
    const shown = await platform.rouse('get', 'schedules');
    expect(shown.stdout).toMatch(
      /minutely +0 0 1 1 \* +UTC +batch digits +\S+-01-01T00:00:00Z +0 +Succeeded/,
    );
    const table = await platform.rouse('get', 'runs', 'minutely');
    expect(table.stdout).toContain(run?.id);
    expect((await platform.rouse('why', 'digits')).stdout).toContain('schedule minutely: run');
    expect(await platform.rouse('schedule', 'delete', 'minutely')).toMatchObject({ status: 0 });
    expect((await platform.rouse('get', 'schedules')).stderr).toContain('no schedules');
  });
});

test('a probe tells a model that answers as it should from one that does not', async () => {
  await setUp('0 0 1 1 *');
  const body: unknown = JSON.parse(await readFile(join(SAMPLES, 'three.json'), 'utf8'));
  const path = '/v2/models/digits/infer';
  const sent = { method: 'POST', body: JSON.stringify(body) };
  const right = (await (await fetch(platform.requests + path, sent)).json()) as {
    outputs: readonly { data: readonly number[] }[];
  };
  const wrong = { ...right, outputs: right.outputs.map((one) => ({ ...one, data: [4] })) };
  for (const [name, expected] of Object.entries({ right, wrong })) {
    const probe = { model: 'digits', request: { path, body }, expect: { body: expected } };
    const document = {
      apiVersion: 'rouse.dev/v1alpha1',
      kind: 'Schedule',
      metadata: { name },
      spec: { schedule: '@yearly', probe: { ...probe, measure: name } },
    };
    await writeFile(inFolder(`${name}.json`), JSON.stringify(document));
    expect(await platform.rouse('apply', '-f', `${name}.json`)).toMatchObject({ status: 0 });
    expect(await platform.rouse('run', name, 'now')).toMatchObject({ status: 0 });
    await until('it has ended', async () => (await runs(name))[0]?.state !== 'Starting');
  }
  expect(await runs('right')).toMatchObject([{ state: 'Succeeded' }]);
  expect(await runs('wrong')).toMatchObject([
    {
      state: 'Failed',
      reason: expect.stringContaining('v2: another body than expected') as string,
    },
  ]);
  const { stdout } = await platform.rouse('get', 'measures', 'digits');
  expect(stdout).toMatch(/right +1 /);
  expect(stdout).toMatch(/wrong +1 /);
});

test('a program is run to its end', async () => {
  const args = ['sh', '-c', `echo done > ${inFolder('made')}`];
  const document = {
    apiVersion: 'rouse.dev/v1alpha1',
    kind: 'Schedule',
    metadata: { name: 'tidy' },
    spec: { schedule: '@yearly', program: { kind: 'program', args } },
  };
  await writeFile(inFolder('tidy.json'), JSON.stringify(document));
  expect(await platform.rouse('apply', '-f', 'tidy.json')).toMatchObject({ status: 0 });
  expect(await platform.rouse('run', 'tidy', 'now')).toMatchObject({ status: 0 });
  await until('it has ended', async () => (await runs('tidy'))[0]?.state === 'Succeeded');
  expect(await readFile(inFolder('made'), 'utf8')).toBe('done\n');
});
