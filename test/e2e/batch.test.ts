import { readFileSync } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { makeCertificate } from '#test/fixtures/certificate.ts';
import { createRandom, type Random } from '#test/fuzz/random.ts';
import { until } from '#test/until.ts';
import { drawPicture } from './drawn-digits.ts';
import {
  makeFolder,
  type Platform,
  processesOf,
  type Ran,
  removeFolder,
  startPlatform,
} from './platform.ts';

const SAMPLES = resolve(import.meta.dirname, '../../functions/samples/digits');
const HELD_OUT = resolve(import.meta.dirname, '../fixtures/digits/held-out.csv.gz');
const PIXELS = 64;
const PIXEL_MAP = ['--map', 'image=p*'] as const;
const SEED = Date.now() % 1_000_000_000;

let platform: Platform | undefined;

beforeAll(async () => {
  platform = await startPlatform(await makeFolder());
  await write('digits.yaml', DIGITS);
  expect(await platform.rouse('apply', '-f', 'digits.yaml')).toMatchObject({ status: 0 });
});

afterEach(async () => {
  for (const { id, state } of await jobs()) {
    if (state === 'Running' || state === 'Pending') await platform?.rouse('job', 'cancel', id);
    await platform?.rouse('job', 'delete', id);
  }
  for (const name of await files()) await rm(inFolder(name), { force: true });
});

afterAll(async () => {
  await platform?.end('SIGKILL');
  if (platform) await removeFolder(platform.folder);
});

/** What tests have made. */
async function files(): Promise<string[]> {
  const names = await readdir(platform?.folder ?? '');
  return names.filter((name) => name !== 'state' && name !== 'digits.yaml').toSorted();
}

const DIGITS = `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: digits }
spec:
  revision: { name: v2, runtime: onnx, source: ${SAMPLES}/v2.onnx }
  scaling: { max: 2 }
`;

const inFolder = (name: string): string => join(platform?.folder ?? '', name);

async function write(name: string, text: string): Promise<void> {
  await writeFile(inFolder(name), text);
}

function batch(...args: string[]): Promise<Ran> {
  return platform!.rouse('batch', 'digits', ...args);
}

const HEAD = ['id', ...Array.from({ length: PIXELS }, (_, pixel) => `p${pixel}`)].join(',');

function drawRows(random: Random, count: number): string[] {
  return Array.from({ length: count }, (_, id) => {
    const { pixels } = drawPicture(random);
    return [id, ...pixels.map((pixel) => pixel.toFixed(2))].join(',');
  });
}

function linesOf(text: string): string[] {
  return text.trimEnd().split('\n');
}

interface JobShape {
  readonly id: string;
  readonly state: string;
  readonly reason: string;
  readonly rows: { readonly done: number; readonly failed: number; readonly total?: number };
  readonly progress?: {
    readonly rowsPerSecond: number;
    readonly fraction?: number;
    readonly etaSeconds?: number;
  };
}

async function jobs(): Promise<JobShape[]> {
  const response = await fetch(`${platform?.control}/api/v1/jobs`);
  return ((await response.json()) as { items: JobShape[] }).items;
}

async function untilDone(rows: number): Promise<void> {
  await until(`${rows} rows are done`, async () => {
    const [job] = await jobs();
    return (job?.rows.done ?? 0) >= rows || job?.state === 'Succeeded';
  });
}

test('scores the rows that were held out as well as scikit-learn did', async () => {
  const args = ['--columns', 'label', '--map', 'image=p*'];
  const ran = await batch(HELD_OUT, '-o', 'out.jsonl', ...args);
  expect(ran).toMatchObject({ status: 0 });
  const rows = linesOf(await readFile(inFolder('out.jsonl'), 'utf8')).map(
    (line) => JSON.parse(line) as { label: number; predicted_label: number },
  );
  const held = linesOf(gunzipSync(readFileSync(HELD_OUT)).toString()).slice(1);
  expect(rows.map(({ label }) => String(label))).toEqual(
    held.map((line) => line.split(',').at(-1)),
  );
  const right = rows.filter(({ label, predicted_label: said }) => label === said).length;
  const response = await fetch(
    `${platform?.control}/api/v1/namespaces/default/models/digits/revisions/v2`,
  );
  const revision = (await response.json()) as { inspection: { properties: { accuracy: string } } };
  expect((right / rows.length).toFixed(4)).toBe(revision.inspection.properties.accuracy);
});

test('goes from zero back to zero, on instances of its own', async () => {
  await write('in.csv', [HEAD, ...drawRows(createRandom(SEED, 0), 500)].join('\n'));
  const ran = await batch('in.csv', '-o', 'out.csv', '--columns', 'id', ...PIXEL_MAP);
  expect(ran).toMatchObject({ status: 0 });
  expect(ran.stdout).toMatch(/^digits-[0-9a-f]+ {2}Succeeded: 500 rows/);
  const [head, ...rows] = linesOf(await readFile(inFolder('out.csv'), 'utf8'));
  expect(head).toMatch(/^id,label,/);
  expect(rows.map((row) => Number(row.split(',')[0]))).toEqual(
    Array.from({ length: 500 }, (_, id) => id),
  );
  const { status } = await platform!.model('digits');
  expect(status.instances).toEqual([]);
  expect(status.state).toBe('Asleep');
  await until('nothing is left of it', async () => {
    const response = await fetch(`${platform?.control}/api/v1/models?jobs=true`);
    const { items } = (await response.json()) as { items: unknown[] };
    const left = await readdir(inFolder('state/jobs/default')).catch(() => []);
    return items.length === 1 && left.length === 0;
  });
  expect(await files()).toEqual(['in.csv', 'out.csv']);
});

describe(`five kills of runner, instance and Rouse, seed ${SEED}:`, () => {
  /** What a job writes that nobody disturbs, and what one writes that is killed again and again. */
  async function scoreTwice(count: number, format: 'csv' | 'jsonl', ...more: string[]) {
    const random = createRandom(SEED, 0);
    await write('in.csv', [HEAD, ...drawRows(random, count)].join('\n'));
    const args = ['--columns', 'id', ...more, ...PIXEL_MAP];
    const [calm, out] = [`calm.${format}`, `out.${format}`];
    expect(await batch('in.csv', '-o', calm, ...args)).toMatchObject({ status: 0 });
    const [first] = await jobs();
    expect(await platform!.rouse('job', 'delete', first?.id ?? '')).toMatchObject({ status: 0 });

    expect(await batch('in.csv', '-o', out, ...args, '--detach')).toMatchObject({ status: 0 });
    for (let kill = 1; kill <= 5; kill++) {
      await untilDone(Math.floor((count * (kill - 1)) / 6 + random.int(Math.floor(count / 6))));
      await killSomething(random);
    }
    await until('it has ended', async () => (await jobs())[0]?.state === 'Succeeded');
    return [await readFile(inFolder(calm)), await readFile(inFolder(out))] as const;
  }

  test.each([
    ['csv', 6001],
    ['jsonl', 6000],
  ] as const)(
    '%s is the same byte for byte when requests have a fixed size',
    async (format, lines) => {
      const [one, other] = await scoreTwice(6000, format, '--batch-size', '16');
      expect(other.equals(one)).toBe(true);
      expect(linesOf(one.toString()).length).toBe(lines);
    },
    600_000,
  );

  test('the same rows in the same order, with the same numbers, when the size is found', async () => {
    const [one, other] = await scoreTwice(20_000, 'csv');
    const [rows, others] = [one, other].map((bytes) => linesOf(bytes.toString()).slice(1));
    expect(rows).toHaveLength(20_000);
    expect(others).toHaveLength(20_000);
    for (const [index, row] of rows!.entries()) {
      const [expected, found] = [row, others![index]!].map(numbersOf);
      const isSame = expected!.every((number, at) => isClose(number, found![at]!));
      expect(isSame, `row ${index}: ${others![index]}, without kills ${row}`).toBe(true);
    }
  }, 600_000);
});

/** Also of cells that are lists. */
function numbersOf(row: string): number[] {
  return (row.match(/-?\d+(\.\d+)?(e[-+]?\d+)?/gi) ?? []).map(Number);
}

function isClose(one: number, other: number): boolean {
  return Math.abs(one - other) <= 1e-6 * Math.max(Math.abs(one), Math.abs(other), 1e-6);
}

/** A process of the job, or all. What is not there now is not killed. */
async function killSomething(random: Random): Promise<void> {
  const what = random.pick(['runner', 'instance', 'rouse'] as const);
  if (what === 'rouse') {
    const { folder } = platform!;
    await platform!.end('SIGKILL');
    platform = await startPlatform(folder);
    return;
  }
  for (const pid of await (what === 'runner' ? runners() : instances())) {
    killIfThere(pid);
  }
}

/** It may have ended since it was found. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

async function runners(): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const line = await readFile(`/proc/${name}/cmdline`, 'latin1').catch(() => '');
    const stat = await readFile(`/proc/${name}/stat`, 'latin1').catch(() => '');
    const parent = Number(stat.slice(stat.lastIndexOf(')')).split(' ')[2]);
    if (line.includes('batch/main') && parent === platform?.pid) found.push(Number(name));
  }
  return found;
}

async function instances(): Promise<number[]> {
  const found: number[] = [];
  for (const pid of await processesOf(platform?.folder ?? '')) {
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
    if (environment.includes('ROUSE_MODEL=job-')) found.push(pid);
  }
  return found;
}

test('runs where connections begin with TLS and a PROXY header, though Rouse is no trusted proxy', async () => {
  const folder = await makeFolder();
  const { certificate, key } = makeCertificate(['model.test']);
  const [certificateFile, keyFile] = [join(folder, 'own.crt'), join(folder, 'own.key')];
  await writeFile(certificateFile, certificate);
  await writeFile(keyFile, key);
  const tls = ['--tls-certificate', certificateFile, '--tls-key', keyFile];
  const proxied = ['--proxy-protocol', '--trusted-proxies', '192.0.2.0/24'];
  const behind = await startPlatform(folder, { args: [...tls, ...proxied] });
  try {
    await writeFile(join(folder, 'digits.yaml'), DIGITS);
    expect(await behind.rouse('apply', '-f', 'digits.yaml')).toMatchObject({ status: 0 });
    const rows = [HEAD, ...drawRows(createRandom(SEED, 0), 20)];
    await writeFile(join(folder, 'in.csv'), rows.join('\n'));
    const ran = await behind.rouse('batch', 'digits', 'in.csv', '-o', 'out.csv', ...PIXEL_MAP);
    expect(ran).toMatchObject({ status: 0 });
    expect(linesOf(await readFile(join(folder, 'out.csv'), 'utf8')).length).toBe(21);
  } finally {
    await behind.end('SIGKILL');
    await removeFolder(folder);
  }
});

describe('rows that cannot be scored', () => {
  test('stand in a file of their own, and cost no other its place', async () => {
    const rows = drawRows(createRandom(SEED, 0), 100);
    rows[41] = rows[41]!.replace(/,[^,]*$/, ',abc');
    await write('in.csv', [HEAD, ...rows].join('\n'));
    const ran = await batch('in.csv', '-o', 'out.jsonl', '--columns', 'id', '--map', 'image=p*');
    expect(ran).toMatchObject({ status: 0 });
    const ids = linesOf(await readFile(inFolder('out.jsonl'), 'utf8')).map(
      (line) => (JSON.parse(line) as { id: number }).id,
    );
    expect(ids).toEqual(Array.from({ length: 100 }, (_, id) => id).filter((id) => id !== 41));
    const [failed, ...others] = linesOf(await readFile(inFolder('out.jsonl.failed.jsonl'), 'utf8'));
    expect(others).toEqual([]);
    expect(JSON.parse(failed!)).toMatchObject({
      row: 41,
      reason: expect.stringContaining('abc') as string,
      input: { id: 41 },
    });
  });

  test('end the job when they are more than may be, and nothing is written', async () => {
    const rows = drawRows(createRandom(SEED, 0), 100).map((row, index) =>
      index % 2 === 0 ? row : row.replace(/,[^,]*$/, ',abc'),
    );
    await write('in.csv', [HEAD, ...rows].join('\n'));
    const args = ['--max-failed', '10', '--map', 'image=p*'];
    const ran = await batch('in.csv', '-o', 'out.csv', ...args);
    expect(ran.status).toBe(1);
    expect(ran.stdout).toMatch(
      /Failed: \d+ of \d+ rows have failed, at most 10 may: column "p63": found abc, expected /,
    );
    expect(await files()).toEqual(['in.csv']);
  });
});

describe('what cannot be done is refused before anything begins', () => {
  test.each([
    [
      'an unknown column',
      ['in.csv', '-o', 'out.csv', '--columns', 'idd', ...PIXEL_MAP],
      'no column "idd"',
    ],
    ['an output that is there', ['in.csv', '-o', 'in.csv', ...PIXEL_MAP], 'exists already'],
    ['an input that is not there', ['none.csv', '-o', 'out.csv'], 'there is no such file'],
    ['an empty file', ['empty.csv', '-o', 'out.csv'], 'the file is empty'],
    [
      'a folder that is not there',
      ['in.csv', '-o', 'x/out.csv', ...PIXEL_MAP],
      'its folder is not there',
    ],
    ['a file of Rouse', ['state/rouse.db', '-o', 'out.csv', '--format', 'csv'], 'data folder'],
    ['an output of Rouse', ['in.csv', '-o', 'state/out.csv'], 'data folder'],
    ['no output', ['in.csv'], 'expected -o FILE'],
    ['too few columns', ['narrow.csv', '-o', 'out.csv'], 'input "image" FP32'],
  ])('%s', async (_, args, why) => {
    await write('in.csv', [HEAD, ...drawRows(createRandom(1, 0), 3)].join('\n'));
    await write('empty.csv', '');
    await write('narrow.csv', 'a,b\n1,2\n');
    const ran = await batch(...args);
    expect(ran.status).not.toBe(0);
    expect(ran.stderr).toContain(why);
    expect(await jobs()).toEqual([]);
  });
});

test('a job that is cancelled leaves nothing behind, and its name is free at once', async () => {
  await write('in.csv', [HEAD, ...drawRows(createRandom(SEED, 0), 4000)].join('\n'));
  const args = ['--batch-size', '1', ...PIXEL_MAP];
  expect(await batch('in.csv', '-o', 'out.csv', ...args, '--detach')).toMatchObject({ status: 0 });
  await untilDone(10);
  const [job] = await jobs();
  // What a runner leaves that is killed while it puts the parts together.
  await write(`..out.csv.${job?.id}.partial`, 'half');
  expect(await platform!.rouse('job', 'cancel', job?.id ?? '')).toMatchObject({ status: 0 });
  await until('all has gone', async () => {
    const left = await readdir(inFolder('state/jobs/default')).catch(() => []);
    const counts = [left.length, (await files()).length, (await instances()).length];
    return counts.join() === '0,1,0';
  });
});

test('how far it is, and for how long it goes on, is told also of rows that nobody has counted', async () => {
  await write('in.csv', [HEAD, ...drawRows(createRandom(SEED, 0), 4000)].join('\n'));
  const args = ['--batch-size', '1', ...PIXEL_MAP];
  expect(await batch('in.csv', '-o', 'out.csv', ...args, '--detach')).toMatchObject({ status: 0 });
  const [job] = await jobs();
  const response = await fetch(`${platform?.control}/api/v1/namespaces/default/jobs/${job?.id}`, {
    headers: { accept: 'text/event-stream' },
  });
  const { progress, rows } = await firstWith(response, ({ progress: told }) => told?.etaSeconds);
  expect(rows.total).toBeUndefined();
  expect(progress?.fraction).toBeCloseTo(rows.done / 4000, 6);
  expect(progress?.etaSeconds).toBeCloseTo((4000 - rows.done) / progress!.rowsPerSecond, 6);
});

/** Of the events of a job the first of which that is told. */
async function firstWith(response: Response, told: (job: JobShape) => unknown): Promise<JobShape> {
  let text = '';
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    text += piece;
    for (const [, json = ''] of text.matchAll(/^data: (.*)\n/gm)) {
      const job = JSON.parse(json) as JobShape;
      if (told(job) !== undefined) return job;
    }
  }
  throw new Error(`the stream has ended: ${text}`);
}

test('a dry run shows the mapping and the first answers, and writes nothing', async () => {
  await write('in.csv', [HEAD, ...drawRows(createRandom(SEED, 0), 300)].join('\n'));
  const args = ['--dry-run', '--columns', 'id', '--map', 'image=p*'];
  const ran = await batch('in.csv', '-o', 'out.csv', ...args);
  expect(ran).toMatchObject({ status: 0 });
  expect(ran.stdout).toMatch(/^image FP32 \[\?, 64\] ← p0, p1, p2, p3, p4, p5, … \(64 columns\)/);
  expect(ran.stdout).toMatch(/\nid +label/);
  expect(ran.stdout).toMatch(
    /\nabout 300 rows, [\d.]+Ki, about .+ and [\d.]+ instance-seconds at \d+ rows\/s of one request at a time\n$/,
  );
  expect(await jobs()).toEqual([]);
  expect(await files()).toEqual(['in.csv']);
});

const ROOT = `export default {
  inputs: [{ name: 'x', datatype: 'FP64', shape: [-1] }],
  predict({ x }: { x: number[] }) {
    if (Math.min(...x) < 0) throw new RangeError('no root of ' + Math.min(...x));
    return { y: x.map(Math.sqrt) };
  },
};
`;

test('rows that a model fails with say what it failed with; its callers are not told', async () => {
  await write('root.ts', ROOT);
  await write('in.csv', 'x\n1\n-2\n4\n');
  expect(await platform!.rouse('deploy', 'root', './root.ts')).toMatchObject({ status: 0 });
  const ran = await platform!.rouse('batch', 'root', 'in.csv', '-o', 'out.csv', '--columns', 'x');
  expect(ran).toMatchObject({ status: 0 });
  expect(JSON.parse(await readFile(inFolder('out.csv.failed.jsonl'), 'utf8'))).toEqual({
    row: 1,
    reason: 'the model failed: RangeError: no root of -2',
    input: { x: -2 },
  });
  const body = '{"instances":[-1]}';
  const asked = await fetch(`${platform!.requests}/v1/models/root:predict`, {
    method: 'POST',
    body,
  });
  expect(await asked.json()).toEqual({ error: 'the model failed; its log says why' });
});
