import { execFile } from 'node:child_process';
import { createServer, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ADMIN, COMMAND, makeModel } from '#test/api/server.ts';
import type { CurlWay } from '#domain/views.ts';
import { type Clock, systemClock } from '#lib/clock.ts';
import { parseYaml } from '#lib/yaml.ts';
import { makeFakeInputs } from './inputs.ts';
import { createCapture, createWorld, fileOf, lines, type World } from './world.ts';

const runFile = promisify(execFile);
/** A model that speaks V2 and V1 and does not say what it takes. */
const FREE = { platform: 'rouse_python', inputs: [], outputs: [] };

const PROBLEM = JSON.stringify({
  code: 'not_found',
  detail: 'there is no such input',
  status: 404,
});

/** Stands for the data plane: answers what it was asked. */
const asked: { method: string; url: string; type: string; body: string }[] = [];
const dataPlane = createServer((request: IncomingMessage, response) => {
  void text(request).then((body) => {
    const { method = '', url = '', headers } = request;
    asked.push({ method, url, type: headers['content-type'] ?? '', body });
    const status = url.includes('refuse') ? 503 : 200;
    if (url.includes('problem')) {
      response.writeHead(404, { 'content-type': 'application/problem+json; charset=utf-8' });
      response.end(url.includes('odd') ? '{"own": "shape"}' : PROBLEM);
      return;
    }
    response.writeHead(status, { 'rouse-revision': 'v1', 'rouse-cold-start': 'true' });
    response.end(`echo ${body}`);
  });
});

let world: World;
let port = 0;
beforeAll(async () => {
  dataPlane.listen(0, '127.0.0.1');
  await once(dataPlane, 'listening');
  const address = dataPlane.address();
  if (typeof address === 'object' && address) port = address.port;
  world = await createWorld({ dataPlane: () => `http://127.0.0.1:${port}` });
});
afterAll(async () => {
  await world.close();
  dataPlane.close();
});

describe('deploy', () => {
  test('a model with inputs: its address, its inputs, and a curl that works', async () => {
    await world.write("it's.onnx", 'onnx');
    world.server.runtime.setInspection('default/mine/00001', makeFakeInputs([-1, 4]));
    const run = await world.run(['deploy', 'mine', "it's.onnx"]);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    const [first, ...rest] = run.stdout.trimEnd().split('\n');
    expect(first).toBe('mine  created    00001  Ready');
    expect(rest.slice(0, -1)).toEqual([
      `  address  http://127.0.0.1:${port}/models/default/mine/`,
      "  input    it's x FP32 [?, 4]",
      '  input    flag BOOL [1]',
      '  output   label INT64 [?]',
      'Try:',
    ]);
    const command = rest.at(-1)?.trim() ?? '';
    const { stdout } = await runFile('sh', ['-c', command]);
    expect(stdout).toMatch(/^echo /);
    expect(asked.at(-1)?.url).toBe('/v2/models/mine/infer');
    expect(JSON.parse(asked.at(-1)?.body ?? '')).toEqual({
      inputs: [
        { name: "it's x", datatype: 'FP32', shape: [1, 4], data: [0, 0, 0, 0] },
        { name: 'flag', datatype: 'BOOL', shape: [1], data: [false] },
      ],
    });
  });

  test('inputs that are too large for a line come from a program', async () => {
    await world.write('large.onnx', 'large');
    world.server.runtime.setInspection('default/large/00001', makeFakeInputs([1, 3, 64, 64]));
    const run = await world.run(['deploy', 'large', 'large.onnx']);
    const command = run.stdout.trimEnd().split('\n').at(-1)?.trim() ?? '';
    expect(command.length).toBeLessThan(400);
    await runFile('sh', ['-c', command]);
    expect(asked.at(-1)?.url).toBe('/v2/models/large/infer');
    const [input] = JSON.parse(asked.at(-1)?.body ?? '').inputs;
    expect([input.shape, input.data.length]).toEqual([[1, 3, 64, 64], 3 * 64 * 64]);
  });

  test('a model that declares no inputs is tried by V1', async () => {
    await world.write('free.mjs', 'free');
    world.server.runtime.setMetadata('default/free/00001', FREE);
    const run = await world.run(['deploy', 'free', 'free.mjs']);
    const command = run.stdout.trimEnd().split('\n').at(-1)?.trim() ?? '';
    await runFile('sh', ['-c', command]);
    expect(asked.at(-1)).toMatchObject({
      method: 'POST',
      url: '/v1/models/free:predict',
      body: '{"instances":[0]}',
    });
    await world.run(['deploy', '-n', 'else', 'free', 'free.mjs']);
    world.server.runtime.setMetadata('else/free/00002', FREE);
    await world.write('free.mjs', 'free again');
    const other = await world.run(['deploy', '-n', 'else', 'free', 'free.mjs']);
    expect(other.stdout).toContain('/models/else/free/v1/models/free:predict -d ');
  });

  const tried = '/models/default/tried/';
  test.each<[string, string, CurlWay, string]>([
    [
      'with TLS, one that trusts the certificate of this machine',
      '127.0.0.1',
      {
        origin: 'https://a.test:1',
        certificate: '/its.pem',
        resolve: 'a.test:1:127.0.0.1',
      },
      `Try:\n  curl -sS --cacert /its.pem --resolve a.test:1:127.0.0.1 https://a.test:1${tried}\n`,
    ],
    [
      'with TLS on another machine, one and where the certificate is',
      'gpu.example',
      { origin: 'https://127.0.0.1:1', certificate: '/its.pem' },
      `Try:\n  curl -sS https://gpu.example:1${tried}\n` +
        'Where its certificate is not trusted, add --cacert with a copy of /its.pem of gpu.example.\n',
    ],
    [
      'where none would work, none and why',
      '127.0.0.1',
      { why: 'it is so' },
      'No request to paste: it is so.\n',
    ],
  ])('the request to try is, %s', async (_, host, curlWay, expected) => {
    const own = await createWorld({ curlWay: () => curlWay });
    try {
      await own.write('tried.mjs', 'export default () => new Response("1")');
      const server = own.server.url.replace('127.0.0.1', host);
      const toServer: typeof fetch = (to, init) => {
        const address = to instanceof Request ? to.url : String(to);
        return fetch(address.replace(server, own.server.url), init);
      };
      const args = ['deploy', 'tried', 'tried.mjs', '--server', server];
      const run = await own.run(args, { fetch: toServer });
      expect(run).toMatchObject({ status: 0, stderr: '' });
      expect(run.stdout.split('\n').slice(2).join('\n')).toBe(expected);
    } finally {
      await own.close();
    }
  });

  test('again is the next revision, and what the options do not say stays', async () => {
    await world.write('again.mjs', 'export default () => new Response("1")');
    const options = ['--concurrency', '3', '--idle', '5s', '--max', '2', '--memory', '64Mi'];
    await world.run(['deploy', 'again', 'again.mjs', ...options]);
    await world.write('again.mjs', 'export default () => new Response("2")');
    const run = await world.run(['deploy', 'again', 'again.mjs']);
    expect(run.stdout).toContain('again  changed    00002  Ready\n');
    expect(run.stdout).toContain(`curl -sS http://127.0.0.1:${port}/models/default/again/\n`);
    expect(run.stdout).toContain(
      `  traffic  100 % went to 00002 at once. To split it: npx rouse traffic again 00001=90 00002=10 --server ${world.server.url}\n`,
    );
    const same = await world.run(['deploy', 'again', 'again.mjs']);
    expect(same.stdout).not.toContain('  traffic  ');
    const { value, targets } = await world.server.useCases.getModel(ADMIN, 'default', 'again');
    expect(value.document.spec).toMatchObject({
      revision: { runtime: 'function', concurrency: 3, resources: { memory: '64Mi' } },
      keepAlive: { policy: 'fixed', idle: '5s' },
      scaling: { max: 2 },
    });
    expect(targets).toEqual([{ revision: '00002', percent: 100 }]);
  });

  test('a command keeps the arguments of the revision before, and cannot be without them', async () => {
    await world.server.useCases.applyModel(ADMIN, makeModel('prog', COMMAND));
    await world.write('prog/tool', 'content');
    const args = ['deploy', 'prog', 'prog', '--runtime', 'command'];
    expect(await world.run(args)).toMatchObject({ status: 0, stderr: '' });
    const { value } = await world.server.useCases.getModel(ADMIN, 'default', 'prog');
    expect(value.document.spec.revision).toMatchObject({ runtime: 'command', args: COMMAND.args });
    const missing = await world.run(['deploy', 'other', 'prog', '--runtime', 'command']);
    expect(missing).toMatchObject({ status: 1, stdout: '' });
    expect(missing.stderr).toBe(
      'rouse: other: deploy cannot say which program to run. Write its args into a model file, and use: ' +
        `npx rouse apply -f FILE --server ${world.server.url}\n`,
    );
  });

  test('a split that names revisions does not move by itself, and that is said', async () => {
    await world.write('pinned.mjs', '1');
    await world.run(['deploy', 'pinned', 'pinned.mjs']);
    await world.run(['traffic', 'pinned', '00001=100']);
    await world.write('pinned.mjs', '2');
    const run = await world.run(['deploy', 'pinned', 'pinned.mjs']);
    const command = 'npx rouse traffic pinned 00001=90 00002=10';
    expect(run.stdout).toContain(`${command} --server ${world.server.url}\n`);
    await world.run(['traffic', 'pinned', '00001=30', '00002=70']);
    await world.write('pinned.mjs', '3');
    const third = await world.run(['deploy', 'pinned', 'pinned.mjs']);
    expect(third.stdout).toContain('npx rouse traffic pinned 00001=30 00002=60 00003=10 --server');
  });

  test('the runtime is guessed by what the source is', async () => {
    await world.write('py/model.py', '');
    await world.write('fn/index.ts', '');
    await world.write('empty/readme.txt', '');
    await world.write('x.bin', '');
    await world.write('lone.py', '');
    const runtimeOf = async (name: string, source: string): Promise<string | undefined> => {
      const { status, stderr } = await world.run(['deploy', name, source]);
      expect([status, stderr]).toEqual([0, '']);
      const view = await world.server.useCases.getModel(ADMIN, 'default', name);
      return view.value.document.spec.revision?.runtime;
    };
    expect(await runtimeOf('guess-py', './py')).toBe('python');
    expect(await runtimeOf('guess-fn', 'fn')).toBe('function');
    expect(await runtimeOf('guess-url', `http://127.0.0.1:${port}`)).toBe('url');
    const refused: [string, RegExp][] = [
      ['empty', /a folder without model\.py, index\.ts/],
      ['x.bin', /--runtime onnx\|function/],
      ['lone.py', /the folder that holds model\.py/],
      ['nowhere', /no such file or folder/],
    ];
    for (const [source, said] of refused) {
      const run = await world.run(['deploy', 'guess', source]);
      expect(run).toMatchObject({ status: 1, stdout: '', stderr: expect.stringMatching(said) });
    }
  });

  test('what cannot be is told at once', async () => {
    await world.write('ok.onnx', 'ok');
    const args = ['deploy', 'Not OK', 'ok.onnx', '--memory', 'lots', '--idle', 'long'];
    const run = await world.run(args);
    expect(run.status).toBe(1);
    for (const key of ['metadata.name', 'resources.memory', 'keepAlive']) {
      expect(run.stderr).toContain(key);
    }
  });

  test.each(['10', '64.5', '1048575'])('memory of %s is wrong usage', async (memory) => {
    await world.write('tiny.onnx', 'tiny');
    const run = await world.run(['deploy', 'tiny', 'tiny.onnx', '--memory', memory]);
    expect(run).toMatchObject({ status: 2, stdout: '' });
    expect(run.stderr).toContain('such as 256Mi');
  });

  test.each(['0', '1048576', '10k'])('memory of %s is taken', async (memory) => {
    await world.write('small.onnx', 'small');
    const run = await world.run(['deploy', 'small', 'small.onnx', '--memory', memory]);
    expect(run).toMatchObject({ status: 0, stderr: '' });
  });

  test('one that fails says why and exits with 1', async () => {
    await world.write('fails.onnx', 'fails');
    world.server.runtime.failStarts('default/fails/00001', 'out of luck');
    const run = await world.run(['deploy', 'fails', 'fails.onnx']);
    expect(run).toMatchObject({ status: 1, stdout: 'fails  created    00001  Failed\n' });
    expect(run.stderr).toContain('out of luck');
  });
});

describe('get', () => {
  let shown: World;
  beforeAll(async () => {
    shown = await createWorld();
    await shown.write(
      'm.yaml',
      `${fileOf('alpha', '  scaling: { min: 1 }')}---\n${fileOf('beta')}`,
    );
    await shown.run(['apply', '-f', 'm.yaml']);
  });
  afterAll(async () => {
    await shown.close();
  });

  test('tables', async () => {
    const models = await shown.run(['get', 'models']);
    expect(models.stdout).toMatch(
      /^NAME +RUNTIME +STATE +TRAFFIC +INSTANCES +AGE +REASON\nalpha +command +Awake +v1 100 % +1 +\S+\nbeta +command +\S+ +v1 100 % +\d +\S+\n$/,
    );
    expect((await shown.run(['get', 'model', 'beta'])).stdout).toMatch(/^NAME.*\nbeta .*\n$/);
    const revisions = await shown.run(['get', 'revisions']);
    expect(revisions.stdout).toMatch(/\nalpha +v1 +command +Ready +\S+ +\S+ +- +ready .*\nbeta /);
    const instances = await shown.run(['get', 'instances', 'alpha']);
    expect(instances.stdout).toMatch(/^ID.*\nfake-\d+ +alpha +v1 +ready +- +0\.0s +\S+\n$/);
    const events = await shown.run(['get', 'events', 'beta']);
    expect(events.stdout).toMatch(/ beta +ModelCreated +local +created by local\n/);
    expect((await shown.run(['get', 'events'])).stdout).toMatch(/ alpha /);
  });

  test('of all namespaces: each row says which', async () => {
    await shown.write('lab.yaml', fileOf('gamma'));
    await shown.run(['apply', '-f', 'lab.yaml', '-n', 'lab']);
    const models = await shown.run(['get', 'models', '-A']);
    expect(models.stdout).toMatch(
      /^NAMESPACE +NAME .*\ndefault +alpha .*\ndefault +beta .*\nlab +gamma .*\n$/,
    );
    const all = ['--all-namespaces'];
    const revisions = await shown.run(['get', 'revisions', ...all]);
    expect(revisions.stdout).toMatch(
      /^NAMESPACE +MODEL .*\ndefault +alpha +v1 [^]*\nlab +gamma +v1 /,
    );
    const instances = await shown.run(['get', 'instances', ...all]);
    expect(instances.stdout).toMatch(/^NAMESPACE +ID +MODEL .*\ndefault +fake-\d+ +alpha /);
    const events = await shown.run(['get', 'events', ...all]);
    expect(events.stdout).toMatch(/^NAMESPACE +TIME [^]*\nlab +\S+ +gamma +ModelCreated /);
    const json = await shown.run(['get', 'models', '-A', '-o', 'json']);
    expect(JSON.parse(json.stdout)).toHaveLength(3);
    expect((await shown.run(['get', 'models', 'alpha', '-A'])).status).toBe(2);
  });

  test('JSON and YAML are what the API says, and YAML can be applied again', async () => {
    const json = await shown.run(['get', 'model', 'alpha', '-o', 'json']);
    expect(JSON.parse(json.stdout)).toMatchObject({ kind: 'Model', status: { state: 'Awake' } });
    const yaml = await shown.run(['get', 'model', 'beta', '-o', 'yaml']);
    expect(parseYaml(yaml.stdout, 'out')[0]?.value).toMatchObject({ metadata: { name: 'beta' } });
    await shown.write('again.yaml', yaml.stdout);
    const again = await shown.run(['apply', '-f', 'again.yaml']);
    expect(again.stdout).toBe('beta  unchanged  v1  Ready\n');
  });

  test('nothing there, and nothing known', async () => {
    const none = await shown.run(['get', 'models', '-n', 'nowhere']);
    expect(none).toEqual({ status: 0, stdout: '', stderr: 'no models in namespace nowhere\n' });
    expect((await shown.run(['get', 'models', '-n', 'nowhere', '-o', 'json'])).stdout).toBe('[]\n');
    expect(await shown.run(['get', 'model', 'nobody'])).toEqual({
      status: 1,
      stdout: '',
      stderr: `rouse: there is no model default/nobody. See: npx rouse get models --server ${shown.server.url}\n`,
    });
    expect(await shown.run(['get', 'pods'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('expected one of models, revisions'),
    });
  });

  test('why: newest first, what was decided, because of what', async () => {
    const why = await shown.run(['why', 'alpha']);
    const rows = why.stdout.trimEnd().split('\n');
    expect(rows.at(-1)).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ {2}/);
    expect(rows.some((row) => row.includes('RevisionReady v1'))).toBe(true);
    const index = (type: string): number => rows.findIndex((row) => row.includes(type));
    expect(index('RevisionReady')).toBeLessThan(index('ModelCreated'));
    const scaled = rows.find((row) => row.includes('ScaleDecided v1'));
    expect(scaled).toMatch(
      /\(decided: 1 wanted, .*because of .*; seen: mean load .* over 60 s, .*\)$/,
    );
    expect(why.stdout, 'words, not the names of fields').not.toMatch(/parkedFor|inFlight|queued/);
    expect((await shown.run(['why', 'alpha', '--limit', '1'])).stdout.split('\n')).toHaveLength(2);
  });
});

describe('invoke', () => {
  test('by V2 when the model takes tensors; the answer alone on stdout', async () => {
    await world.write('tensors.onnx', 'tensors');
    world.server.runtime.setInspection('default/tensors/00001', makeFakeInputs([2]));
    await world.run(['deploy', 'tensors', 'tensors.onnx']);
    await world.write('body.json', '{"inputs":[]}');
    const run = await world.run(['invoke', 'tensors', '-d', '@body.json']);
    expect(run).toEqual({ status: 0, stdout: 'echo {"inputs":[]}', stderr: '' });
    expect(asked.at(-1)).toEqual({
      method: 'POST',
      url: '/v2/models/tensors/infer',
      type: 'application/json',
      body: '{"inputs":[]}',
    });
    const piped = await world.run(['invoke', 'tensors', '-d', '@-'], { stdin: lines(['{', '}']) });
    expect(piped.stdout).toBe('echo {}');
    const bare = await world.run(['invoke', 'tensors']);
    expect(bare).toMatchObject({ status: 1, stdout: '' });
    expect(bare.stderr).toMatch(
      /takes tensors\. Give them, such as: npx rouse invoke tensors -d '\{"inputs"/,
    );
    expect((await world.run(['invoke', 'tensors', '-d', '@gone.json'])).stderr).toBe(
      'rouse: gone.json cannot be read: there is no such file\n',
    );
  });

  test('by V1 when the body has instances, whatever the model says of itself', async () => {
    world.server.runtime.setMetadata('default/rows/00001', FREE);
    await world.write('rows.mjs', 'rows');
    await world.run(['deploy', 'rows', 'rows.mjs']);
    const where: [string[], string][] = [
      [['rows', '-d', '{"instances": [1]}'], '/v1/models/rows:predict'],
      [['rows', '-d', '{"inputs": []}'], '/v2/models/rows/infer'],
      [['rows', '-d', '{"inputs": 5}'], '/v2/models/rows/infer'],
      [['rows', '-d', 'no JSON'], '/v2/models/rows/infer'],
      [['rows', '-d', '{"instances": [1]}', '--path', '/x'], '/models/default/rows/x'],
    ];
    await world.server.useCases.applyModel(ADMIN, makeModel('plain', COMMAND));
    where.push(
      [['plain', '-d', '{"instances": [1]}'], '/v1/models/plain:predict'],
      [['plain', '-d', '{"inputs": []}'], '/v2/models/plain/infer'],
      [['plain', '-d', '{"inputs": 5}'], '/models/default/plain/'],
      [['plain', '-d', 'null'], '/models/default/plain/'],
    );
    for (const [args, url] of where) {
      expect(await world.run(['invoke', ...args])).toMatchObject({ status: 0, stderr: '' });
      expect(asked.at(-1)?.url, args.join(' ')).toBe(url);
    }
    expect((await world.run(['invoke', 'rows'])).stderr).toContain(
      `such as: npx rouse invoke rows -d '{"instances":[0]}' --server ${world.server.url}`,
    );
  });

  test('at its own address otherwise; a terminal sees where the time went', async () => {
    await world.server.useCases.applyModel(ADMIN, makeModel('own', COMMAND));
    const stderr = createCapture(true);
    const run = await world.run(['invoke', 'own', '--path', '/a/b?c=d'], { stderr });
    expect(run).toMatchObject({ status: 0, stdout: 'echo ' });
    expect(stderr.text()).toBe('200 OK\nrouse-revision: v1\nrouse-cold-start: true\n');
    expect(asked.at(-1)).toMatchObject({ method: 'GET', url: '/models/default/own/a/b?c=d' });
    await world.run(['invoke', 'own', '-d', 'plain text']);
    expect(asked.at(-1)).toMatchObject({
      url: '/models/default/own/',
      type: 'application/octet-stream',
    });
    const refused = await world.run(['invoke', 'own', '--path', 'refuse']);
    expect([refused.status, refused.stdout]).toEqual([1, 'echo ']);
    expect(await world.run(['invoke', 'own', '--path', 'problem'])).toEqual({
      status: 1,
      stdout: '',
      stderr: 'rouse: there is no such input\n',
    });
    expect(await world.run(['invoke', 'own', '--path', 'problem/odd'])).toEqual({
      status: 1,
      stdout: '{"own": "shape"}',
      stderr: '',
    });
  });
});

describe('traffic', () => {
  test('splits, keeps tags, and tells what is wrong', async () => {
    const { useCases } = world.server;
    await useCases.applyModel(ADMIN, makeModel('canary', COMMAND));
    await useCases.applyModel(ADMIN, makeModel('canary', { ...COMMAND, name: 'v2', args: ['2'] }));
    await useCases.setTraffic(ADMIN, 'default', 'canary', [
      { revision: 'v1', percent: 100 },
      { revision: 'v2', percent: 0, tag: 'next' },
    ]);
    await world.write('wait.yaml', fileOf('canary'));
    expect(await world.run(['traffic', 'canary', 'v1=90', 'v2=10'])).toEqual({
      status: 0,
      stdout: 'canary  v1 90 % · v2 10 %\n',
      stderr: '',
    });
    const trafficOf = async () => {
      const { value } = await useCases.getModel(ADMIN, 'default', 'canary');
      return value.document.spec.traffic;
    };
    const split = [
      { revision: 'v1', percent: 90 },
      { revision: 'v2', percent: 10, tag: 'next' },
    ];
    expect(await trafficOf()).toEqual(split);
    const wrong: [string[], number, RegExp][] = [
      [['v1=50', 'v2=40'], 2, /^error: percentages sum to 90, expected 100\n/],
      [['v1=50', 'v1=50'], 2, /^error: v1 is named twice, expected one percentage for each\n/],
      [['latest=50', 'latest=50'], 2, /^error: latest is named twice/],
      [['v1=33.3', 'v2=66.7'], 2, /v1=33\.3: .*a whole number/],
      [['v1=50%', 'v2=50'], 2, /v1=50%: .*a whole number/],
      [['v9=100'], 1, /v9/],
      [['v1'], 2, /expected revision=percent/],
      [['v1=ten'], 2, /expected revision=percent/],
      [[], 2, /missing required argument/],
    ];
    for (const [rows, status, said] of wrong) {
      const run = await world.run(['traffic', 'canary', ...rows]);
      expect(run).toMatchObject({ status, stdout: '', stderr: expect.stringMatching(said) });
    }
    expect(await trafficOf()).toEqual(split);
    await world.run(['traffic', 'canary', 'v1=100']);
    expect(await trafficOf()).toEqual([
      { revision: 'v1', percent: 100 },
      { revision: 'v2', percent: 0, tag: 'next' },
    ]);
  });

  test('who comes with a header goes on to its revision, and is shown', async () => {
    const { useCases } = world.server;
    const match = { header: 'X-Group', values: ['beta', 'staff'] };
    await useCases.applyModel(ADMIN, makeModel('grouped', COMMAND));
    await useCases.applyModel(ADMIN, makeModel('grouped', { ...COMMAND, name: 'v2', args: ['2'] }));
    await useCases.setTraffic(ADMIN, 'default', 'grouped', [
      { revision: 'v1', percent: 100 },
      { revision: 'v2', percent: 0, match },
    ]);
    await world.write('wait.yaml', fileOf('grouped'));
    expect((await world.run(['traffic', 'grouped', 'v1=90', 'v2=10'])).status).toBe(0);
    const { value } = await useCases.getModel(ADMIN, 'default', 'grouped');
    expect(value.document.spec.traffic).toEqual([
      { revision: 'v1', percent: 90 },
      { revision: 'v2', percent: 10 },
      { revision: 'v2', percent: 0, match },
    ]);
    const { stdout } = await world.run(['get', 'model', 'grouped']);
    expect(stdout).toContain('v1 90 % · v2 10 % · v2 if X-Group is beta or staff');
    const why = await world.run(['why', 'grouped']);
    expect(why.stdout).toContain('v1=90 v2=10 v2 if X-Group is beta or staff, set by');
  });
});

describe('a model that is not there', () => {
  const commands = [
    ['get', 'model', 'digts'],
    ['get', 'revisions', 'digts'],
    ['invoke', 'digts'],
    ['traffic', 'digts', 'v1=100'],
    ['logs', 'digts'],
    ['why', 'digts'],
    ['delete', 'digts'],
  ];
  test.each(commands)('%s %s %s names those that are near', async (...args) => {
    for (const name of ['digits', 'digital', 'other']) {
      await world.server.useCases.applyModel(ADMIN, makeModel(name, COMMAND));
    }
    const { status, stdout, stderr } = await world.run(args);
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toContain('there is no model default/digts. Did you mean digits?');
    expect(stderr).toContain(`See: npx rouse get models --server ${world.server.url}\n`);
  });
});

describe('logs', () => {
  test('a model that wrote nothing says where to look', async () => {
    await world.server.useCases.applyModel(ADMIN, makeModel('silent', COMMAND));
    expect(await world.run(['logs', 'silent'])).toEqual({
      status: 0,
      stdout: '',
      stderr: `no lines; see: npx rouse why silent --server ${world.server.url}\n`,
    });
  });

  test('the last lines, and with -f those to come, each once', async () => {
    const { useCases, runtime } = world.server;
    await useCases.applyModel(ADMIN, makeModel('chatty', COMMAND, { scaling: { min: 1 } }));
    await world.write('chatty.yaml', fileOf('chatty', '  scaling: { min: 1 }'));
    await world.run(['apply', '-f', 'chatty.yaml']);
    const { instances } = await useCases.getModel(ADMIN, 'default', 'chatty');
    const id = instances[0]?.id ?? '';
    runtime.writeLog(id, 'one');
    const shown = await world.run(['logs', 'chatty']);
    expect(shown.stdout).toMatch(new RegExp(`^\\S+Z {2}${id} {2}one\n$`));

    const stop = new AbortController();
    const stdout = createCapture();
    let looks = 0;
    const spy: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      looks += 1;
      if (looks === 1) {
        runtime.writeLog(id, 'two');
        runtime.writeLog(id, 'three');
      }
      if (looks === 2) runtime.writeLog(id, 'four');
      if (looks === 4) stop.abort();
      return response;
    };
    // The pauses between looks pass at once; the deadlines of calls do not.
    const quick: Clock = {
      now: Date.now,
      after: (ms, run) => (ms < 10_000 ? soon(run) : systemClock.after(ms, run)),
    };
    const io = { fetch: spy, stdout, signal: stop.signal, clock: quick };
    expect((await world.run(['logs', '-f', 'chatty'], io)).status).toBe(0);
    const texts = stdout
      .text()
      .trimEnd()
      .split('\n')
      .map((line) => line.split('  ')[2]);
    expect(texts).toEqual(['one', 'two', 'three', 'four']);
    const json = await world.run(['logs', 'chatty', '-o', 'json', '--limit', '1']);
    expect(JSON.parse(json.stdout)).toMatchObject({ instance: id, text: 'four' });
    const yaml = await world.run(['logs', 'chatty', '-o', 'yaml']);
    expect(parseYaml(yaml.stdout, 'out')[0]?.value).toMatchObject([{ text: 'one' }, {}, {}, {}]);
  });
});

describe('delete and key', () => {
  test('a model goes with its revisions', async () => {
    await world.server.useCases.applyModel(ADMIN, makeModel('doomed', COMMAND));
    expect((await world.run(['delete', 'doomed'])).stdout).toBe('doomed  deleted\n');
    expect(await world.run(['delete', 'doomed'])).toMatchObject({ status: 1, stdout: '' });
  });

  test('a key is made, used, listed and removed', async () => {
    const locked = await createWorld({ requireKey: true });
    const { secret } = await locked.server.useCases.createKey(ADMIN, 'admin', 'first');
    const env = { ROUSE_SERVER: locked.server.url, ROUSE_KEY: secret };
    expect(await locked.run(['get', 'models'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('a key is needed'),
    });
    await locked.write('key', `${secret}\n`);
    const byFile = { ROUSE_SERVER: locked.server.url, ROUSE_KEY_FILE: 'key' };
    expect((await locked.run(['get', 'models'], { env: byFile })).status).toBe(0);
    const noFile = { ...byFile, ROUSE_KEY_FILE: 'none' };
    expect(await locked.run(['get', 'models'], { env: noFile })).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('ROUSE_KEY_FILE: none cannot be read: there is no such file'),
    });
    const args = ['key', 'create', '--role', 'read', '--priority', 'low', '--note', 'for reading'];
    const made = await locked.run(args, { env });
    expect(made.stdout).toMatch(/^rk_\w+_\S{43}\n$/);
    const reader = { ...env, ROUSE_KEY: made.stdout.trim() };
    expect((await locked.run(['get', 'models'], { env: reader })).status).toBe(0);
    expect(await locked.run(['key', 'list'], { env: reader })).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('has the role read: this needs admin'),
    });
    const list = await locked.run(['key', 'list'], { env });
    expect(list.stdout).toMatch(/ +read +low +.* +for reading\n/);
    expect(list.stdout).not.toContain('rk_');
    const id = made.stdout.split('_')[1] ?? '';
    expect((await locked.run(['key', 'delete', id], { env })).stdout).toBe(`${id}  deleted\n`);
    expect((await locked.run(['get', 'models'], { env: reader })).status).toBe(1);
    expect((await locked.run(['key', 'create', '--role', 'king'], { env })).status).toBe(2);
    await locked.close();
  });
});

function soon(run: () => void) {
  const timer = setImmediate(run);
  return { cancel: () => clearImmediate(timer) };
}
