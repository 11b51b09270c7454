import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type ProgramRequest, programSpec } from '#domain/program-job.ts';
import type { ArtifactRef } from '#domain/records.ts';
import { isMadeForJob } from '#knative/manifests/labels.ts';
import { programJobName } from '#knative/manifests/names.ts';
import {
  dataOf,
  isAttempt,
  makeProgramJob,
  type ProgramJob,
  type ProgramOutfit,
} from '#knative/programs/manifest.ts';

const OUTFIT: ProgramOutfit = {
  servers: {
    image: 'registry.example/rouse:1',
    artifactsUrl: 'http://rouse:8081/api/v1/artifacts',
    artifactKey: (digest) => `ra_of_${digest.slice(0, 4)}`,
  },
  step: ['node', 'src/serve/pod/program.ts'],
  env: { PYTHONUNBUFFERED: '1' },
  outputUrl: ({ namespace, id, attempt }) => `http://rouse:8081/${namespace}/${id}/${attempt}`,
  outputKey: ({ id, attempt }) => `ro_of_${id}_${attempt}`,
};

const ref = (name: string, digit: string, kind: ArtifactRef['kind'] = 'file'): ArtifactRef => ({
  digest: digit.repeat(64),
  size: 1000,
  name,
  kind,
});

function makeJob(spec: Partial<ProgramRequest>, part: Partial<ProgramJob> = {}): ProgramJob {
  return {
    namespace: 'shop',
    id: 'digits-0a1b2c',
    attempt: 2,
    spec: programSpec.parse({ kind: 'program', ...spec }),
    inputs: {},
    ...part,
  };
}

const RETRAIN = makeJob(
  {
    args: ['node', '${SOURCE}/retrain.mjs', '$(HOME)'],
    source: `sha256:${'a'.repeat(64)}`,
    model: 'digits',
    env: { EPOCHS: '5', TOKEN: { secret: 'registry' }, ROUSE_JOB: 'another' },
    resources: { limits: { memory: '2Gi', cpu: 2 } },
  },
  {
    parent: 'v1',
    inputs: {
      source: ref('code', 'a', 'folder'),
      data: ref('rows.csv', 'b'),
      parent: ref('v1.onnx', 'c'),
    },
  },
);

test.each([
  ['in our image, which makes a revision', 'program-job', RETRAIN],
  [
    'in an image of its own, which makes none',
    'program-image-job',
    makeJob({ runtime: 'image', source: 'registry.example/train:1', args: ['--rows', '$(ROWS)'] }),
  ],
])('a program %s, as it is sent', (_, name, job) => {
  const path = new URL(`../golden/${name}.json`, import.meta.url);
  expect(makeProgramJob(job, OUTFIT)).toEqual(JSON.parse(readFileSync(path, 'utf8')));
});

test('only the steps of ours have keys', () => {
  const { initContainers = [], containers = [] } =
    makeProgramJob(RETRAIN, OUTFIT).spec?.template.spec ?? {};
  const keyed = [...initContainers, ...containers]
    .filter((each) => /r[ao]_of_/.test(JSON.stringify(each)))
    .map(({ name }) => name);
  expect(keyed).toEqual(['fetch', 'leave']);
});

test.each([
  [['./train', '--fast'], 'folder', ['/rouse/source/code/train', '--fast']],
  [['./train'], 'file', ['./train']],
  [['${SOURCE}'], 'file', ['/rouse/source/code']],
  [['python3', '-c', 'print("$$")'], 'file', ['python3', '-c', 'print("$$$$")']],
] as const)('%j with its source as a %s', (args, kind, command) => {
  const job = makeJob({ args: [...args] }, { inputs: { source: ref('code', 'a', kind) } });
  const { containers = [] } = makeProgramJob(job, OUTFIT).spec?.template.spec ?? {};
  expect(containers[0]?.command).toEqual(command);
});

test('a Job is known by its labels: whose it is, and of which attempt', () => {
  const made = makeProgramJob(RETRAIN, OUTFIT);
  expect(isMadeForJob(RETRAIN, made)).toBe(true);
  expect(isMadeForJob({ ...RETRAIN, id: 'other' }, made)).toBe(false);
  expect([isAttempt(2, made), isAttempt(1, made)]).toEqual([true, false]);
  expect(dataOf(made)).toEqual(ref('rows.csv', 'b'));
  expect(dataOf(makeProgramJob(makeJob({ args: ['true'] }), OUTFIT))).toBeUndefined();
});

test('its name has room for what Kubernetes adds', () => {
  const longest = programJobName('a'.repeat(63), 'b'.repeat(63));
  expect(longest.length).toBeLessThanOrEqual(63 - '-abcde'.length);
});
