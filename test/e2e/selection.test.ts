import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '#test/until.ts';
import { makeFolder, type Platform, removeFolder, startPlatform } from './platform.ts';

/** Each strategy of selection, live: what is measured of a model is posted, and another revision answers. */

const SELECTIONS = {
  manual: '{ strategy: manual }',
  accuracy: '{ strategy: accuracyDriven, bound: 0.9, hysteresis: 0.02, $ }',
  best: '{ strategy: periodicBest, margin: 0.01, window: 1h, $ }',
  threshold: '{ strategy: threshold, measure: complaints, above: 0.05, minSamples: 20, to: v2, $ }',
  data: '{ strategy: dataDriven, features: [input.age], window: 1m, reference: 30m, minSamples: 200, $ }',
};
type Name = keyof typeof SELECTIONS;
const NAMES: readonly Name[] = ['manual', 'accuracy', 'best', 'threshold', 'data'];

let platform: Platform;
let folder: string;

beforeAll(async () => {
  folder = await makeFolder();
  const says = 'export default () => new Response(process.env.ROUSE_REVISION);\n';
  await writeFile(join(folder, 'says.ts'), says);
  await writeFile(join(folder, 'models.yaml'), NAMES.map(makeModel).join('---\n'));
  platform = await startPlatform(folder);
  expect(await platform.rouse('apply', '-f', 'models.yaml')).toMatchObject({ status: 0 });
  for (const name of NAMES) {
    await platform.untilModel(name, ({ status }) =>
      status.revisions.every(({ state }) => state === 'Ready'),
    );
  }
  // Ten instances are proven.
}, 180_000);
afterAll(async () => {
  await platform.end('SIGKILL');
  await removeFolder(folder);
});

function makeModel(name: Name): string {
  const revision = (number: number): string =>
    `    - { name: v${number}, runtime: function, source: ./says.ts, env: { NUMBER: '${number}' } }`;
  return `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: ${name} }
spec:
  revisions:
${revision(1)}
${revision(2)}
  traffic: [{ revision: v1, percent: 100 }]
  selection: ${SELECTIONS[name].replace('$', 'schedule: { every: 1s }, change: now')}
`;
}

async function answer(name: Name): Promise<string> {
  return await (await fetch(`${platform.requests}/models/default/${name}/`)).text();
}

async function tell(name: Name, ...words: string[]): Promise<void> {
  expect(await platform.rouse('measure', name, ...words)).toMatchObject({ status: 0 });
}

async function untilChosen(name: Name, revision: string): Promise<string> {
  await until(`${revision} of ${name} answers`, async () => (await answer(name)) === revision);
  return (await platform.rouse('why', name)).stdout;
}

test('manual: by rouse select, and it outlives a crash', async () => {
  expect(await answer('manual')).toBe('v1');
  const run = await platform.rouse('select', 'manual', 'v2');
  expect(run.stdout).toMatch(/SERVING +v2/);
  expect(await untilChosen('manual', 'v2')).toMatch(
    /SelectionChanged v2 +chosen by local; at once/,
  );
  await platform.end('SIGKILL');
  platform = await startPlatform(folder);
  expect(await answer('manual')).toBe('v2');
  expect((await platform.rouse('select', 'manual')).stdout).toMatch(/SERVING +v2/);
}, 120_000);

test('accuracyDriven: labels say that what serves is beyond the bound', async () => {
  await tell('accuracy', 'revision=v2', 'accuracy=0.96', 'count=1000');
  const labels = Array.from({ length: 200 }, (_, n) => ({
    id: `request-${n}`,
    revision: 'v1',
    label: n % 10,
    prediction: n % 5 === 0 ? 'something else' : n % 10,
  }));
  const lines = labels.map((label) => JSON.stringify(label)).join('\n');
  await writeFile(join(folder, 'labels.jsonl'), lines);
  await tell('accuracy', '-f', 'labels.jsonl');
  const why = await untilChosen('accuracy', 'v2');
  expect(why).toContain('v1 has accuracy 0.8 (200 samples), beyond the bound of 0.9');
  expect((await platform.rouse('get', 'measures', 'accuracy')).stdout).toMatch(/v1 +accuracy +200/);
});

test('periodicBest: the best of the window', async () => {
  await tell('best', 'revision=v1', 'accuracy=0.91', 'count=5000');
  await tell('best', 'revision=v2', 'accuracy=0.95', 'count=5000');
  expect(await untilChosen('best', 'v2')).toContain(
    'v2 has accuracy 0.95 (5000 samples), better by',
  );
});

test('threshold: any measure', async () => {
  await tell('threshold', 'complaints=0.04', 'count=100');
  expect(await answer('threshold')).toBe('v1');
  await tell('threshold', 'complaints=0.2', 'count=100');
  expect(await untilChosen('threshold', 'v2')).toContain(
    'complaints is 0.12 (200 samples), above 0.05',
  );
});

test('dataDriven: what comes in has drifted', async () => {
  const values = (from: number, at?: number): string =>
    Array.from({ length: 400 }, (_, n) =>
      JSON.stringify({ name: 'input.age', value: from + ((n * 37) % 50), ...(at && { at }) }),
    ).join('\n');
  const before = Date.now() - 600_000;
  await writeFile(join(folder, 'before.jsonl'), values(20, before));
  await writeFile(join(folder, 'now.jsonl'), values(45));
  await tell('data', '-f', 'before.jsonl');
  await tell('data', '-f', 'now.jsonl');
  const why = await untilChosen('data', 'v2');
  expect(why).toMatch(/input.age: PSI [0-9.]+, KS 0\.[0-9]+ \(400 and 400 samples/);
});

test('one of a group of models: its revisions are their addresses', async () => {
  const of = (name: Name): string =>
    `    - { name: ${name}, runtime: url, source: '${platform.requests}/models/default/${name}/' }`;
  const group = `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: group }
spec:
  revisions:
${of('manual')}
${of('best')}
  traffic: [{ revision: best, percent: 100 }]
  selection: { strategy: manual }
`;
  await writeFile(join(folder, 'group.yaml'), group);
  expect(await platform.rouse('apply', '-f', 'group.yaml')).toMatchObject({ status: 0 });
  const revisionOf = async (): Promise<string | null> =>
    (await fetch(`${platform.requests}/models/default/group/`)).headers.get('rouse-revision');
  await until('best answers', async () => (await revisionOf()) === 'best');
  expect(await platform.rouse('select', 'group', 'manual')).toMatchObject({ status: 0 });
  await until('manual answers', async () => (await revisionOf()) === 'manual');
});
