import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ADMIN, digestOf } from '#test/api/server.ts';
import { createCapture, createWorld, fileOf, type World } from './world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(async () => {
  await world.close();
});

function onnxFile(name: string, source: string): string {
  return [
    'apiVersion: rouse.dev/v1alpha1',
    'kind: Model',
    `metadata: { name: ${name} }`,
    'spec:',
    '  revisions:',
    `    - { name: v1, runtime: onnx, source: ${source} }`,
    "    - { name: v2, runtime: command, args: [serve, '${PORT}'] }",
  ].join('\n');
}

function urlOf(input: Parameters<typeof fetch>[0]): string {
  return input instanceof Request ? input.url : input.toString();
}

async function models(): Promise<string[]> {
  const views = await world.server.useCases.listModels(ADMIN, undefined);
  return views.map(({ key }) => key);
}

describe('rouse apply', () => {
  test('one line for each model, and nothing changes the second time', async () => {
    await world.write('a.yaml', `${fileOf('alpha')}---\n${fileOf('beta-long')}`);
    const first = await world.run(['apply', '-f', 'a.yaml']);
    expect(first).toEqual({
      status: 0,
      stdout: 'alpha      created    v1  Ready\nbeta-long  created    v1  Ready\n',
      stderr: '',
    });
    const second = await world.run(['apply', '-f', 'a.yaml']);
    expect(second.stdout).toBe(
      'alpha      unchanged  v1  Ready\nbeta-long  unchanged  v1  Ready\n',
    );
    await world.write('a.yaml', fileOf('alpha', '  scaling: { max: 2 }'));
    const third = await world.run(['apply', '-f', 'a.yaml']);
    expect(third.stdout).toBe('alpha  changed    v1  Ready\n');
  });

  test('sources are relative to their file, uploaded once, and replaced by their digest', async () => {
    await world.write('models/one.yaml', onnxFile('one', './weights.bin'));
    await world.write('models/weights.bin', 'weights');
    const uploads: string[] = [];
    const spy: typeof fetch = async (input, init) => {
      if (init?.method === 'PUT' && urlOf(input).includes('artifacts')) uploads.push(urlOf(input));
      return await fetch(input, init);
    };
    const run = await world.run(['apply', '-f', 'models/one.yaml'], { fetch: spy });
    expect(run).toMatchObject({ status: 0, stdout: 'one  created    v1 v2  Ready\n' });
    expect(uploads).toHaveLength(1);
    const { value } = await world.server.useCases.getRevision(ADMIN, 'default/one/v1');
    expect(value.artifact).toMatchObject({
      digest: digestOf('weights'),
      name: 'weights.bin',
      kind: 'file',
    });
    await world.run(['apply', '-f', 'models/one.yaml'], { fetch: spy });
    expect(uploads).toHaveLength(1);
  });

  test('a folder as a source is its manifest, put after its files', async () => {
    await world.write('py/model.py', 'def load(): pass');
    await world.write('py/deep/weights.bin', 'w');
    await world.write('py/__pycache__/junk.pyc', 'junk');
    await world.write('f.yaml', onnxFile('folder', './py'));
    expect((await world.run(['apply', '-f', 'f.yaml'])).stderr).toBe('');
    const { value } = await world.server.useCases.getRevision(ADMIN, 'default/folder/v1');
    expect(value.artifact).toMatchObject({ name: 'py', kind: 'folder' });
    for (const content of ['def load(): pass', 'w']) {
      const found = await world.server.useCases.statArtifact(ADMIN, digestOf(content));
      expect(found).toBeDefined();
    }
    const junk = await world.server.useCases.statArtifact(ADMIN, digestOf('junk'));
    expect(junk).toBeUndefined();
  });

  test('a file of a folder that was damaged in the store is uploaded again', async () => {
    await world.write('hurt/model.py', 'def load(): hurt');
    await world.write('hurt/weights.bin', 'whole');
    await world.write('hurt.yaml', onnxFile('hurt', './hurt'));
    const args = ['apply', '-f', 'hurt.yaml'];
    expect(await world.run(args)).toMatchObject({ status: 0 });
    const digest = digestOf('whole');
    const stored = join(world.server.folder, 'content', digest.slice(0, 2), digest);
    await chmod(stored, 0o600);
    await writeFile(stored, 'wrong');
    expect(await world.run(args)).toMatchObject({ status: 0 });
    expect(await readFile(stored, 'utf8')).toBe('whole');
  });

  test('all problems of all files are told at once, with file and line, and nothing is applied', async () => {
    await world.write('m/good.yaml', fileOf('good'));
    await world.write(
      'm/bad.yaml',
      fileOf('bad', '  scaling:\n    min: 9\n    max: 3\n    typo: 1'),
    );
    await world.write('m/broken.yaml', 'kind: Model\nspec: [1\n');
    await world.write('m/missing.yaml', onnxFile('missing', './nowhere.onnx'));
    await world.write('m/twice.yaml', fileOf('good'));
    const run = await world.run(['apply', '-f', 'm']);
    expect(run.status).toBe(1);
    expect(run.stdout).toBe('');
    const told = run.stderr.trimEnd().split('\n');
    expect(told).toHaveLength(6);
    for (const start of [
      'rouse: 5 problems, nothing was applied:',
      'm/bad.yaml:7: spec.scaling.min: found 9, expected at most max, which is 3',
      'm/bad.yaml:9: spec.scaling.typo: found 1, expected no such key',
      'm/broken.yaml:3: ',
      'm/missing.yaml:6: spec.revisions[0].source: found "./nowhere.onnx", expected a file or folder',
      'm/twice.yaml:3: model good is also in m/good.yaml:3: one document for each model',
    ]) {
      expect([start, told.some((line) => line.startsWith(start))]).toEqual([start, true]);
    }
    expect(await models()).toEqual([]);
  });

  test('a source that is not there is told beside all else that is wrong with its document', async () => {
    const text = onnxFile('both', './nowhere.onnx').replace('runtime: command', 'runtime: comand');
    await world.write('both.yaml', `${text}\n  revision: { source: [1], runtime: 7 }\n  typo: 1\n`);
    await world.write('none.yaml', 'apiVersion: rouse.dev/v1alpha1\nkind: Model\nspec: 5\n');
    const run = await world.run(['apply', '-f', 'both.yaml', 'none.yaml']);
    expect(run).toMatchObject({ status: 1, stdout: '' });
    expect(run.stderr).toContain('both.yaml:9: spec.typo: found 1, expected no such key');
    expect(run.stderr).toContain(
      'both.yaml:6: spec.revisions[0].source: found "./nowhere.onnx", expected a file or folder',
    );
    expect(run.stderr).toContain('none.yaml:3: spec: ');
  });

  test('in a folder, what is no file of ours is left alone', async () => {
    await world.write('m/good.yaml', fileOf('good'));
    await world.write('m/request.json', '{"inputs": []}');
    await world.write('m/other.yml', 'services: { a: [');
    await world.write('m/rouse.yaml', 'apiVersion: rouse.dev/v1alpha1\nkind: Server\nspec: {}\n');
    await world.write('m/node_modules/x/bad.yaml', 'kind: Model');
    await world.write('m/.hidden/bad.yaml', 'kind: Model');
    await world.write(
      'm/deep/json.json',
      JSON.stringify({
        apiVersion: 'rouse.dev/v1alpha1',
        kind: 'Model',
        metadata: { name: 'as-json', namespace: 'team' },
        spec: { revision: { name: 'v1', runtime: 'command', args: ['x'] } },
      }),
    );
    const run = await world.run(['apply', '-f', 'm', '-n', 'lab']);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(await models()).toEqual(['lab/good', 'team/as-json']);
  });

  test('a revision that fails is told with its reason and its last lines', async () => {
    world.server.runtime.failStarts('default/sad/v1', 'exited with status 3 after 1.2s');
    await world.write('sad.yaml', fileOf('sad'));
    await world.write('fine.yaml', fileOf('fine'));
    const run = await world.run(['apply', '-f', 'sad.yaml', 'fine.yaml']);
    expect(run.status).toBe(1);
    expect(run.stdout).toBe('sad   created    v1  Failed\nfine  created    v1  Ready\n');
    expect(run.stderr).toMatch(/^sad v1: exited with status 3 after 1\.2s/);
  });

  test('--no-wait does not wait', async () => {
    world.server.runtime.holdStarts();
    await world.write('slow.yaml', fileOf('slow'));
    const run = await world.run(['apply', '--no-wait', '-f', 'slow.yaml']);
    expect(run).toEqual({ status: 0, stdout: 'slow  created    v1\n', stderr: '' });
  });

  test('waiting ends with Ctrl-C', async () => {
    world.server.runtime.holdStarts();
    await world.write('slow.yaml', fileOf('slow'));
    const stop = new AbortController();
    const spy: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (urlOf(input).endsWith('/models/slow') && init?.method === 'GET') stop.abort();
      return response;
    };
    const run = await world.run(['apply', '-f', 'slow.yaml'], { fetch: spy, signal: stop.signal });
    expect(run).toMatchObject({ status: 1, stderr: expect.stringContaining('npx rouse why slow') });
  });

  test('what the server refuses names the file', async () => {
    await world.write('a.yaml', fileOf('same'));
    await world.run(['apply', '-f', 'a.yaml']);
    await world.write('b.yaml', fileOf('same').replace('serve,', 'other,'));
    const run = await world.run(['apply', '-f', 'b.yaml']);
    expect(run.status).toBe(1);
    expect(run.stderr).toMatch(/^rouse: b\.yaml: /);
  });

  test.each([
    [['apply', '-f', 'nowhere.yaml'], 1, /nowhere\.yaml cannot be read: there is no such file/],
    [['apply', '-f', 'empty'], 1, /no model document was found/],
    [['apply'], 2, /--file/],
  ])('%j', async (args, status, said) => {
    await world.write('empty/notes.txt', '');
    const run = await world.run(args);
    expect(run).toMatchObject({ status, stdout: '', stderr: expect.stringMatching(said) });
  });
});

describe('rouse push', () => {
  test('prints what a source can be; a terminal sees how far it is, a file does not', async () => {
    const content = 'x'.repeat(3_000_000);
    await world.write('big.bin', content);
    const digest = `sha256:${digestOf(content)}\n`;
    const terminal = createCapture(true);
    expect((await world.run(['push', 'big.bin'], { stderr: terminal })).stdout).toBe(digest);
    expect(terminal.text()).toMatch(/big\.bin {2}\d+ % of 2\.9Mi/);
    await world.write('other.bin', `${content}y`);
    const run = await world.run(['push', 'other.bin']);
    expect(run).toMatchObject({ status: 0, stderr: '' });
  });

  test('what is not there is told', async () => {
    const run = await world.run(['push', 'nowhere']);
    expect(run.status).toBe(1);
    expect(run.stderr).toBe(
      `rouse: ${join(world.folder, 'nowhere')}: there is no such file or folder\n`,
    );
  });
});
