import { copyFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createRandom } from '#test/fuzz/random.ts';
import { drawPicture, makeWorseModel, type Picture } from './drawn-digits.ts';
import {
  makeFolder,
  type Platform,
  removeFolder,
  type RolloutShape,
  startPlatform,
} from './platform.ts';

/**
 * A canary that judges by itself, live: the sample model's second revision is promoted, a third one that is a little
 * wrong goes back, and the platform is killed in the middle.
 */

const SAMPLES = resolve(import.meta.dirname, '../../functions/samples/digits');
const SEED = 20_261;
/** Of a model that is right in 90 of 100 pictures, where the sample is in 99. */
const WORSE = 6;
const PICTURES = 25;
const CALLS = 12;
/** Far more than the evidence needs: then something is wrong. */
const MOST_ROUNDS = 200;

let platform: Platform;
let folder: string;

afterEach(async () => {
  await platform.end('SIGKILL');
  await removeFolder(folder);
});

const random = createRandom(SEED, 0);

async function apply(revision: string): Promise<void> {
  const model = `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: digits }
spec:
  revision: { name: ${revision}, runtime: onnx, source: ./${revision}.onnx }
  rollout:
    steps: [25, 50]
    interval: 1s
    minSamples: 20
    metrics: [{ metric: custom, measure: accuracy, margin: 0.05 }]
`;
  await writeFile(join(folder, 'model.yaml'), model);
  expect(await platform.rouse('apply', '-f', 'model.yaml')).toMatchObject({ status: 0 });
  await platform.untilModel('digits', ({ status }) =>
    status.revisions.some(({ name, state }) => name === revision && state === 'Ready'),
  );
}

const rollout = (): Promise<RolloutShape> => platform.rollout('digits');

/** Some pictures at once; whichever revision answers, what it says is compared with what they show. */
async function call(): Promise<object[]> {
  const pictures = Array.from({ length: PICTURES }, () => drawPicture(random));
  const response = await fetch(`${platform.requests}/v2/models/digits/infer`, {
    method: 'POST',
    body: JSON.stringify({ inputs: [makeInput(pictures)] }),
  });
  const revision = response.headers.get('rouse-revision');
  const { outputs } = (await response.json()) as { outputs: { name: string; data: number[] }[] };
  const said = outputs.find(({ name }) => name === 'label')?.data ?? [];
  expect(said).toHaveLength(PICTURES);
  return pictures.map(({ label }, index) => ({
    revision,
    label: String(label),
    prediction: String(said[index]),
  }));
}

function makeInput(pictures: readonly Picture[]): object {
  const data = pictures.flatMap(({ pixels }) => pixels);
  return { name: 'image', datatype: 'FP32', shape: [pictures.length, 64], data };
}

async function label(): Promise<void> {
  const measures: object[] = [];
  for (let count = 0; count < CALLS; count++) measures.push(...(await call()));
  const path = '/api/v1/namespaces/default/models/digits/measures';
  const response = await fetch(platform.control + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ measures }),
  });
  expect(await response.text(), String(response.status)).toContain('"added":300');
}

async function labelUntilEnded(): Promise<RolloutShape> {
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const now = await rollout();
    if (now.phase !== 'Running') return now;
    await label();
  }
  throw new Error(`the rollout does not end: ${JSON.stringify(await rollout())}`);
}

test('digits v2 is promoted, v3 made subtly worse goes back, over a kill in the middle', async () => {
  folder = await makeFolder();
  for (const name of ['v1', 'v2']) {
    await copyFile(join(SAMPLES, `${name}.onnx`), join(folder, `${name}.onnx`));
  }
  await writeFile(join(folder, 'v3.onnx'), makeWorseModel(createRandom(WORSE, 1)));
  platform = await startPlatform(folder);
  await apply('v1');

  await apply('v2');
  expect(await rollout()).toMatchObject({ phase: 'Running', stable: 'v1', canary: 'v2' });
  expect(await labelUntilEnded()).toMatchObject({ phase: 'Promoted', canary: 'v2', percent: 100 });
  expect((await platform.model('digits')).status.traffic).toEqual([
    { revision: 'v2', percent: 100 },
  ]);

  await apply('v3');
  await label();
  expect(await rollout()).toMatchObject({ phase: 'Running', stable: 'v2', canary: 'v3' });
  await platform.end('SIGKILL');
  platform = await startPlatform(folder);
  const { traffic } = (await platform.model('digits')).status;
  expect(traffic.find(({ revision }) => revision === 'v2')?.percent).toBeGreaterThanOrEqual(50);
  const ended = await labelUntilEnded();
  expect(ended).toMatchObject({ phase: 'RolledBack', stable: 'v2', canary: 'v3', percent: 0 });
  expect(ended.why).toMatch(/^back to v2: accuracy is worse: .* % of \d+ against .* % of \d+/);
  expect((await platform.model('digits')).status.traffic).toEqual([
    { revision: 'v2', percent: 100 },
  ]);

  const { stdout } = await platform.rouse('why', 'digits');
  expect(stdout).toMatch(/RolloutRolledBack v3 .*accuracy is worse/);
  expect(stdout).toMatch(/RolloutPromoted v2 /);
  expect((await platform.rouse('rollout', 'digits')).stdout).toMatch(/digits +RolledBack/);
  // Two starts of the platform, and some hundred calls.
}, 180_000);
