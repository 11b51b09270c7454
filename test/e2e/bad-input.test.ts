import { mkdir, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, dial } from '#test/activator/harness.ts';
import { until } from '#test/until.ts';
import { numberedArgs } from './numbered.ts';
import {
  ENV,
  makeFolder,
  type Platform,
  removeFolder,
  runRouse,
  startPlatform,
  serveArguments,
} from './platform.ts';

let platform: Platform;
let folder: string;

beforeAll(async () => {
  folder = await makeFolder();
  const revision = `{ name: v1, runtime: command, args: ${args('v1')} }`;
  const good = await write('models/good.yaml', model('good', revision));
  const limits = ['--limits-header-bytes', '8Ki', '--limits-body-bytes', '100k'];
  platform = await startPlatform(folder, { args: [...limits, '--apply', dirname(good)], env: ENV });
  await platform.until(/^1 model, /m);
});

afterAll(async () => {
  await platform.end();
  await removeFolder(folder);
});

const args = (version: string): string => numberedArgs(join(folder, 'log'), version);

function model(name: string, revision: string, more = ''): string {
  return `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: ${name} }
spec:
  revision: ${revision}
${more}`;
}

async function write(path: string, content: string): Promise<string> {
  const file = join(folder, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
  return file;
}

/** If it is there. */
async function remove(name: string): Promise<void> {
  const url = `${platform.control}/api/v1/namespaces/default/models/${name}`;
  expect([204, 404]).toContain((await fetch(url, { method: 'DELETE' })).status);
}

/** Whatever goes wrong elsewhere, this model answers. */
async function expectGoodAnswers(): Promise<void> {
  const answer = await call(platform.port, '/models/default/good/', {
    headers: { 'x-number': '1' },
  });
  expect(answer).toMatchObject({ status: 200, body: 'v1 1\n' });
}

describe('a model file', () => {
  const rows: readonly [what: string, text: string, said: RegExp[]][] = [
    [
      'unknown fields, wrong types and all other problems at once, with key, value and what would be right',
      model(
        'bad',
        '{ runtime: onx, source: 5, concurency: 3, timeouts: { hold: 5 minutes } }',
        '  scalling: {}\n',
      ),
      [
        /runtime: found "onx", expected one of onnx, function/,
        /source: found 5, expected a text/,
        /concurency: .*concurrency/,
        /hold: found "5 minutes", expected a duration such as/,
        /scalling: .*scaling/,
      ],
    ],
    [
      'a file that is not there',
      model('bad', '{ runtime: onnx, source: ./nothing.onnx }'),
      [/source.*nothing\.onnx.*expected a file or folder that is there/],
    ],
    [
      'percentages that do not sum to 100',
      model(
        'bad',
        `{ name: v1, runtime: url, source: 'http://127.0.0.1:9' }`,
        '  traffic: [ { revision: v1, percent: 90 } ]\n',
      ),
      [/traffic.*expected percentages that sum to 100, not 90/],
    ],
    [
      'traffic to a revision that is not there',
      model(
        'bad',
        `{ name: v1, runtime: url, source: 'http://127.0.0.1:9' }`,
        '  traffic: [ { revision: v7, percent: 100 } ]\n',
      ),
      [/v7/, /v1/],
    ],
    [
      'an unknown kind',
      'apiVersion: rouse.dev/v1alpha1\nkind: Modell\n',
      [/kind.*"Modell".*Model/],
    ],
    ['no YAML', 'a: [b\n', [/bad\.yaml:\d/]],
    [
      'an image, which needs a cluster',
      model('bad', '{ runtime: image, source: ghost/x }'),
      [/image/],
    ],
    [
      'a secret that is not there',
      model('bad', `{ runtime: command, args: [node], env: { KEY: { secret: nobody } } }`),
      [/nobody/],
    ],
  ];

  test.each(rows)('%s', async (_, text, said) => {
    const file = await write('bad.yaml', text);
    const ran = await platform.rouse('apply', '-f', file);
    expect(ran.status, ran.stdout).toBe(1);
    for (const pattern of said) expect(ran.stderr + ran.stdout).toMatch(pattern);
    await remove('bad');
    await expectGoodAnswers();
  });

  test('a file that is no ONNX model', async () => {
    await write('no.onnx', 'this is no model');
    const ran = await platform.rouse('deploy', 'no', './no.onnx');
    expect(ran.status).toBe(1);
    expect(ran.stderr + ran.stdout).toMatch(/no\.onnx.*(ONNX|onnx)/);
    await expectGoodAnswers();
  });
});

describe('a program', () => {
  const failing: readonly [what: string, revision: string, said: RegExp][] = [
    [
      'that exits at start',
      `{ name: v1, runtime: command, args: [node, -e, 'console.error("no weights"); process.exit(3)'] }`,
      /exited with status 3[^]*no weights/,
    ],
    [
      'that is not there',
      `{ name: v1, runtime: command, args: [no-such-program] }`,
      /no-such-program/,
    ],
    [
      'that never gets ready',
      `{ name: v1, runtime: command, args: [sleep, '60'], readiness: { timeout: 2s } }`,
      /not ready within 2s: nothing listens on its port \(PORT=\d+\)/,
    ],
  ];

  test.each(failing)(
    '%s fails its proof with the reason, and callers are told',
    async (_, revision, said) => {
      const file = await write('failing.yaml', model('failing', revision));
      const ran = await platform.rouse('apply', '-f', file);
      expect(ran.status).toBe(1);
      expect(ran.stderr + ran.stdout).toMatch(said);
      const answer = await call(platform.port, '/models/default/failing/');
      expect(answer.status).toBe(503);
      expect(JSON.parse(answer.body)).toMatchObject({ code: 'revision_failed' });
      expect(JSON.stringify(JSON.parse(answer.body))).toMatch(
        new RegExp(said.source.split('[^]')[0] ?? ''),
      );
      await remove('failing');
      await expectGoodAnswers();
    },
  );

  test('that starts failing after it was proven: held callers get 503 start_failed with the reason', async () => {
    const flag = await write('flag', '');
    const script = `if (require("fs").existsSync(${JSON.stringify(flag)})) require("http").createServer((q, s) => s.end("ok")).listen(process.env.PORT); else { console.error("gone"); process.exit(4) }`;
    const file = await write(
      'fickle.yaml',
      model(
        'fickle',
        JSON.stringify({ name: 'v1', runtime: 'command', args: ['node', '-e', script] }),
      ),
    );
    expect(await platform.rouse('apply', '-f', file)).toMatchObject({ status: 0 });
    await platform.untilModel('fickle', (found) => found.status.instances.length === 0);
    const { rm } = await import('node:fs/promises');
    await rm(flag);
    const answer = await call(platform.port, '/models/default/fickle/');
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'start_failed' });
    expect(answer.body).toMatch(/exited with status 4/);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    await expectGoodAnswers();
  });

  test('that is said to run elsewhere and does not: callers are told at once, and again served when it does', async () => {
    // An address that nobody else is given a free port of meanwhile.
    const host = '127.0.0.2';
    const free = createServer().listen(0, host);
    await once(free, 'listening');
    const address = free.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    free.close();
    await once(free, 'close');
    const away = (more: string): string =>
      model('away', `{ runtime: url, source: 'http://${host}:${port}/', ${more} }`);
    const file = await write('away.yaml', away('readiness: { timeout: 2s }'));
    const failed = await platform.rouse('apply', '-f', file);
    expect(failed.status).toBe(1);
    expect(failed.stderr).toMatch(/nothing answers at http:.*ECONNREFUSED/);
    await write('away.yaml', `${away('name: unasked')}  scaling: { initial: 0 }\n`);
    expect(await platform.rouse('apply', '-f', file)).toMatchObject({ status: 0 });
    const answer = await call(platform.port, '/models/default/away/');
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'start_failed' });
    expect(answer.body).toMatch(
      new RegExp(`nothing answers at http://127\\.0\\.0\\.2:${port}/: .*ECONNREFUSED`),
    );
    const elsewhere = createHttpServer((_, response) => response.end('there')).listen(port, host);
    await once(elsewhere, 'listening');
    for (;;) {
      const again = await call(platform.port, '/models/default/away/');
      if (again.status === 200) break;
      expect(again.status).toBe(503);
    }
    elsewhere.closeAllConnections();
    elsewhere.close();
    await expectGoodAnswers();
  });

  test('that stops answering gives 504 run_timeout', async () => {
    const script =
      'require("http").createServer((q, s) => { if (q.url === "/") s.end("ok") }).listen(process.env.PORT)';
    const revision = {
      name: 'v1',
      runtime: 'command',
      args: ['node', '-e', script],
      timeouts: { run: '200ms' },
    };
    const file = await write('silent.yaml', model('silent', JSON.stringify(revision)));
    expect(await platform.rouse('apply', '-f', file)).toMatchObject({ status: 0 });
    const answer = await call(platform.port, '/models/default/silent/infer');
    expect(answer.status).toBe(504);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'run_timeout' });
    await expectGoodAnswers();
  });

  test('a handler that throws gives 500, and the next request is served', async () => {
    await write(
      'thrower.ts',
      'export default (request: Request) => { if (request.url.endsWith("bad")) throw new Error("secret detail"); return new Response("fine") };',
    );
    const ran = await platform.rouse('deploy', 'thrower', './thrower.ts');
    expect(ran.status, ran.stderr).toBe(0);
    const answer = await call(platform.port, '/models/default/thrower/bad');
    expect(answer.status).toBe(500);
    expect(answer.body).not.toContain('secret detail');
    expect(await call(platform.port, '/models/default/thrower/')).toMatchObject({
      status: 200,
      body: 'fine',
    });
    await until('it is in the log', async () =>
      (await platform.rouse('logs', 'thrower')).stdout.includes('secret detail'),
    );
  });
});

describe('a request', () => {
  test('over the header limit: 431', async () => {
    const answer = await call(platform.port, '/models/default/good/', {
      headers: { big: 'a'.repeat(9000) },
    });
    expect(answer.status).toBe(431);
    await expectGoodAnswers();
  });

  test('over the body limit: 413', async () => {
    const client = await dial(platform.port);
    client.socket.write(
      'POST /models/default/good/ HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n',
    );
    expect(await client.closed).toMatch(/^HTTP\/1\.1 413 [^]*"code":"too_large"/);
    await expectGoodAnswers();
  });

  test('garbage instead of HTTP: 400', async () => {
    const client = await dial(platform.port);
    client.socket.write('\x16\x03\x01\x02\x00\x01\x00\x01\xfc');
    expect(await client.closed).toMatch(/^HTTP\/1\.1 400 /);
    await expectGoodAnswers();
  });

  test('for an unknown model or revision: 404 that names it', async () => {
    const model = await call(platform.port, '/v2/models/nobody/infer', { body: '{}' });
    expect(model.status).toBe(404);
    expect(model.body).toContain('nobody');
    const revision = await call(platform.port, '/', {
      headers: { 'Rouse-Model': 'good', 'Rouse-Revision': 'v9' },
    });
    expect(revision.status).toBe(404);
    expect(revision.body).toMatch(/v9.*v1/);
  });
});

describe('a folder that is applied at the start', () => {
  test.each([[[]], [['--watch']]])(
    'a broken file keeps no other from being served (%j)',
    async (more) => {
      const other = await makeFolder();
      const models = join(other, 'models');
      await mkdir(models);
      await writeFile(join(models, 'f.ts'), 'export default () => new Response("served");\n');
      await writeFile(join(models, 'a.yaml'), model('a', '{ runtime: functon, source: ./f.ts }'));
      await writeFile(
        join(models, 'b.yaml'),
        model('b', '{ name: v1, runtime: function, source: ./f.ts }'),
      );
      const started = await startPlatform(other, { args: ['--apply', models, ...more] });
      const output = await started.until(/1 problem with model files: see above\.\n1 model, /);
      expect(output.match(/a\.yaml:5: spec\.revision\.runtime: found "functon"/g)).toHaveLength(1);
      expect(await call(started.port, '/models/default/b/')).toMatchObject({
        status: 200,
        body: 'served',
      });
      expect(await started.end()).toBe(0);
      await removeFolder(other);
    },
  );

  test('a folder that is not there ends it at once', async () => {
    const ran = await runRouse(['serve', '--apply', 'nowhere'], folder);
    expect(ran.status).toBe(1);
    expect(ran.stderr).toMatch(/--apply \S*nowhere: there is no such file or folder/);
  });
});

describe('a server that cannot start', () => {
  test.each([
    ['--listen', /listen/],
    ['--control', /control/],
  ])('a port in use: %s', async (flag, said) => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const address = blocker.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const other = await makeFolder();
    const free = flag === '--listen' ? '--control' : '--listen';
    const ran = await runRouse(
      ['serve', flag, `127.0.0.1:${port}`, free, '127.0.0.1:0', '--data', join(other, 'state')],
      other,
    );
    expect(ran.status).toBe(1);
    expect(ran.stderr).toMatch(/in use/);
    expect(ran.stderr).toMatch(said);
    blocker.close();
    await removeFolder(other);
  });

  test('a data folder that another Rouse has', async () => {
    const ran = await runRouse(serveArguments(folder), folder);
    expect(ran.status).toBe(1);
    expect(ran.stderr).toMatch(new RegExp(`in use by the Rouse with process id ${platform.pid}`));
    await expectGoodAnswers();
  });

  test('a broken database', async () => {
    const other = await makeFolder();
    await mkdir(join(other, 'state'));
    await writeFile(join(other, 'state', 'rouse.db'), 'this is no database'.repeat(1000));
    const ran = await runRouse(serveArguments(other), other);
    expect(ran.status).toBe(1);
    expect(ran.stderr).toMatch(/rouse\.db/);
    await removeFolder(other);
  });

  test('settings that are wrong: all at once, each with its source', async () => {
    const ran = await runRouse(['serve', '--listen', 'nowhere', '--memory', 'lots'], folder);
    expect(ran.status).toBe(2);
    expect(ran.stderr).toMatch(/--listen/);
    expect(ran.stderr).toMatch(/--memory/);
  });

  test('another address than loopback without a key', async () => {
    const other = await makeFolder();
    const ran = await runRouse(
      [
        'serve',
        '--listen',
        '127.0.0.1:0',
        '--control',
        '0.0.0.0:0',
        '--data',
        join(other, 'state'),
      ],
      other,
    );
    expect(ran.status).toBe(1);
    expect(ran.stderr).toMatch(/rouse key create --role admin/);
    await removeFolder(other);
  });
});
