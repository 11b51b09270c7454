import { execFileSync } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ArtifactRef } from '#domain/records.ts';
import type { Workload } from '#runtime/runtime.ts';
import { createLocalSetup, type LocalSetup } from '../harness.ts';
import { ask } from '../../request.ts';

let setup: LocalSetup;

beforeEach(async () => {
  setup = await createLocalSetup();
});
afterEach(() => setup.close());

function python(artifact: ArtifactRef): Workload {
  return setup.workload({ runtime: 'python', source: 'app' }, artifact);
}

/** A package that needs no network: a wheel is a zip with three files of metadata. */
async function makeWheel(): Promise<Uint8Array> {
  const path = join(setup.folder, 'tiny-1.0-py3-none-any.whl');
  const script = `
import sys, zipfile
info = 'tiny-1.0.dist-info/'
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:
    wheel.writestr('tiny.py', 'WORD = "installed"\\n')
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(info + 'RECORD', '')
`;
  execFileSync('python3', ['-c', script, path]);
  return await readFile(path);
}

test('a folder with a model.py runs without an environment of its own', async () => {
  const artifact = await setup.putFolder({ 'model.py': 'def predict():\n    return "plain"\n' });
  const { address } = await setup.ready(python(artifact));
  expect((await ask(address)).body).toBe('plain');
  expect(await readdir(join(setup.folder, 'runtime', 'venvs'))).toEqual([]);
});

test('requirements are installed once for all that have the same', async () => {
  const files = {
    'requirements.txt': '# what it needs\n./tiny-1.0-py3-none-any.whl\n',
    'tiny-1.0-py3-none-any.whl': await makeWheel(),
    'model.py': 'import tiny\ndef predict():\n    return tiny.WORD\n',
  };
  const artifact = await setup.putFolder(files);
  const [one, two] = [python(artifact), python(artifact)];
  await Promise.all([setup.runtime.prepare(one), setup.runtime.prepare(two)]);
  expect(await readdir(join(setup.folder, 'runtime', 'venvs'))).toHaveLength(1);
  const { address } = await setup.ready(two);
  expect((await ask(address)).body).toBe('installed');
});

test('requirements that cannot be had are told with the words of pip', async () => {
  const artifact = await setup.putFolder({
    'requirements.txt': './missing-1.0-py3-none-any.whl\n',
    'model.py': '',
  });
  const refused = setup.runtime.prepare(python(artifact));
  await expect(refused).rejects.toMatchObject({
    code: 'invalid',
    message: expect.stringMatching(/^requirements\.txt: pip exited with status 1 [^]*missing-1\.0/),
  });
  expect(await readdir(join(setup.folder, 'runtime', 'venvs'))).toEqual([]);
});

test('a folder without a model.py is refused', async () => {
  const artifact = await setup.putFolder({ 'main.py': '' });
  await expect(setup.runtime.prepare(python(artifact))).rejects.toMatchObject({
    code: 'invalid',
    message: 'app: expected a folder with a model.py in it',
  });
});
