import { realpath } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLocalSetup, fixture, programArgs, type LocalSetup } from '../harness.ts';
import { seenBy } from '../../request.ts';

let setup: LocalSetup;

beforeEach(async () => {
  setup = await createLocalSetup();
});
afterEach(() => setup.close());

const PROGRAM = readFileSync(fixture('program.py'), 'utf8');
const ALLOWED = new Set(
  (
    'PATH HOME USER LOGNAME LANG LC_ALL LC_CTYPE TZ TMPDIR LD_LIBRARY_PATH PYTHONUNBUFFERED PORT LOG_LEVEL API_KEY ' +
    'ORT_DISABLE_TELEMETRY ROUSE_INSTANCE ROUSE_NAMESPACE ROUSE_MODEL ROUSE_REVISION'
  ).split(' '),
);

test('a program sees what it was given, and nothing of ours', async () => {
  setup.secrets.set('default/openai', 's3cret');
  const env = { LOG_LEVEL: 'debug', API_KEY: { secret: 'openai' }, ROUSE_MODEL: 'forged' };
  const workload = setup.workload({ runtime: 'command', args: programArgs('serve'), env });
  const seen = (await seenBy(await setup.ready(workload))).env;
  expect(seen).toMatchObject({
    LOG_LEVEL: 'debug',
    API_KEY: 's3cret',
    ROUSE_NAMESPACE: 'default',
    ROUSE_MODEL: workload.key.split('/')[1],
    ROUSE_REVISION: 'v1',
  });
  // The test runner's own environment has more than that, NODE_ENV for one.
  expect(process.env['NODE_ENV']).toBeDefined();
  expect(Object.keys(seen).filter((name) => !ALLOWED.has(name))).toEqual([]);
});

test('what Python prints is told while it runs, and the ONNX runtime tells nobody, unless the model file says otherwise', async () => {
  const seen = async (env: Record<string, string>) => {
    const workload = setup.workload({ runtime: 'command', args: programArgs('serve'), env });
    return (await seenBy(await setup.ready(workload))).env;
  };
  const defaults = { PYTHONUNBUFFERED: '1', ORT_DISABLE_TELEMETRY: '1' };
  expect(await seen({})).toMatchObject(defaults);
  expect(await seen({ PYTHONUNBUFFERED: '' })).toMatchObject({ ...defaults, PYTHONUNBUFFERED: '' });
});

test('a secret that does not exist is refused by name, before any start', async () => {
  const env = { API_KEY: { secret: 'openai' } };
  const workload = setup.workload({ runtime: 'command', args: programArgs('serve'), env });
  await expect(setup.runtime.prepare(workload)).rejects.toMatchObject({
    code: 'invalid',
    message:
      'env API_KEY names secret openai, which does not exist in namespace default: ' +
      'its value is a file secrets/default/openai in the data folder',
  });
  expect((await setup.failed(workload)).reason).toContain('secret openai');
});

test('a folder is where its program runs', async () => {
  const artifact = await setup.putFolder({ 'bin/serve.py': PROGRAM });
  const args = ['./bin/serve.py', 'serve', '${PORT}'];
  const workload = setup.workload({ runtime: 'command', source: 'app', args }, artifact);
  const { cwd } = await seenBy(await setup.ready(workload));
  expect(cwd).toBe(await realpath(await setup.artifacts.materialize(artifact)));
});

test('a file can be the program itself', async () => {
  const artifact = await setup.putText('serve.py', PROGRAM);
  const args = ['${SOURCE}', 'serve', '${PORT}'];
  const workload = setup.workload({ runtime: 'command', source: 'serve.py', args }, artifact);
  expect((await seenBy(await setup.ready(workload))).asked).toBeGreaterThan(0);
});

test('a file can be an argument', async () => {
  const artifact = await setup.putText('serve.py', PROGRAM);
  const args = ['python3', '${SOURCE}', 'serve', '${PORT}'];
  const workload = setup.workload({ runtime: 'command', source: 'serve.py', args }, artifact);
  expect((await seenBy(await setup.ready(workload))).asked).toBeGreaterThan(0);
});

test.each([
  [['no-such-program', '${PORT}'], 'program no-such-program is not found in PATH'],
  [['/no/such/program'], 'program /no/such/program does not exist'],
  [['./server'], 'program ./server does not exist in '],
  [[fixture('server.py')], `program ${fixture('server.py')} is not executable`],
  [['python3', '${SOURCE}'], 'args name ${SOURCE}, but there is no source'],
])('%j is refused at once', async (args, message) => {
  const workload = setup.workload({ runtime: 'command', args });
  const refused = expect.objectContaining({
    code: 'invalid',
    message: expect.stringContaining(message),
  });
  await expect(setup.runtime.prepare(workload)).rejects.toEqual(refused);
});

test('an image needs another runtime', async () => {
  const workload = setup.workload({ runtime: 'image', source: 'ghcr.io/a/b:1' });
  await expect(setup.runtime.prepare(workload)).rejects.toMatchObject({ code: 'invalid' });
});
