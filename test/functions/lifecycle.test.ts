import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { reservePort } from '#test/reserved-port.ts';
import { until } from '#test/until.ts';
import { FIXTURES, type ServerProcess, call, makeFolder, removeFolder, serve } from './process.ts';

/** How servers begin and end, the same for both languages. */

let folder: string;
let functionPath: string;
let pythonFolder: string;
const started: ServerProcess[] = [];
/** So many that some are being closed at any moment of the end. */
const LEAVING = 300;
/** So many that some are being taken at any moment of it. */
const COMING = 300;
const ROUNDS = 10;

beforeAll(async () => {
  folder = await makeFolder();
  pythonFolder = folder;
  functionPath = join(folder, 'waits.ts');
  // Both wait for a file, say so, and then answer.
  await writeFile(
    functionPath,
    `import { existsSync } from 'node:fs';
    export default { async predict({ file }: { file: string[] }) {
      console.log('running');
      while (!existsSync(file[0]!)) await new Promise((resolve) => setTimeout(resolve, 5));
      return { done: [true] };
    } };`,
  );
  await writeFile(
    join(pythonFolder, 'model.py'),
    `import os, time
def predict(inputs):
    print("running", flush=True)
    while not os.path.exists(inputs["file"][0]):
        time.sleep(0.005)
    return {"done": [True]}
`,
  );
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()));
});
afterAll(async () => removeFolder(folder));

async function start(kind: 'node' | 'python', env: Record<string, string> = {}) {
  const source = kind === 'node' ? functionPath : pythonFolder;
  const server = await serve(kind, folder, {
    ROUSE_KIND: 'function',
    ROUSE_SOURCE: source,
    NODE_COMPILE_CACHE: join(folder, 'cache'),
    ...env,
  });
  started.push(server);
  return server;
}

function waitFor(file: string) {
  return { inputs: [{ name: 'file', datatype: 'BYTES', shape: [1], data: [file] }] };
}

describe.each(['node', 'python'] as const)('%s', (kind) => {
  test('SIGTERM: what runs is finished, idle connections are closed, status 0', async () => {
    const server = await start(kind);
    const silent = createConnection(server.socketPath);
    await once(silent, 'connect');
    const silentText = text(silent);
    const idle = createConnection(server.socketPath);
    await once(idle, 'connect');
    idle.write('GET /v2/health/ready HTTP/1.1\r\nhost: x\r\n\r\n');
    const idleText = text(idle);
    await until('an answer on the idle connection', () => idle.bytesRead > 0);
    const file = join(folder, `release-${kind}`);
    const running = server.call('/v2/models/m/infer', waitFor(file));
    await until('the call runs', () => server.output().includes('running'));

    server.child.kill('SIGTERM');
    // The connections without a request end while the request still runs.
    expect(await silentText).toBe('');
    expect(await idleText).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    expect(server.child.exitCode).toBeNull();
    await writeFile(file, '');
    const reply = await running;
    expect([reply.status, JSON.parse(reply.text).outputs[0].data]).toEqual([200, [true]]);
    expect(reply.headers.connection).toBe('close');
    expect(await server.ended()).toEqual([0, null]);
  });

  test('SIGTERM while callers leave: what runs is finished', async () => {
    const server = await start(kind);
    const leaving = Array.from({ length: LEAVING }, () => createConnection(server.socketPath));
    await Promise.all(leaving.map((one) => once(one, 'connect')));
    const file = join(folder, `leaving-${kind}`);
    const running = server.call('/v2/models/m/infer', waitFor(file));
    await until('the call runs', () => server.output().includes('running'));
    for (const one of leaving) one.destroy();
    server.child.kill('SIGTERM');
    await writeFile(file, '');
    expect((await running).status).toBe(200);
    expect(await server.ended()).toEqual([0, null]);
  });

  test('SIGTERM while callers come: connections without a request are closed', async () => {
    // A signal that is missed is one among many.
    for (let round = 0; round < ROUNDS; round++) {
      const server = await start(kind);
      const coming = Array.from({ length: COMING }, () => createConnection(server.socketPath));
      for (const one of coming) one.on('error', () => {});
      await Promise.race(coming.map((one) => once(one, 'connect')));
      server.child.kill('SIGTERM');
      expect(await server.ended()).toEqual([0, null]);
      for (const one of coming) one.destroy();
    }
  });

  test('says how long a connection may be kept: longer than any pool keeps it', async () => {
    const server = await start(kind);
    const { headers } = await server.call('/v2/health/ready');
    expect(headers['keep-alive']).toBe('timeout=600');
  });

  test('SIGTERM with nothing to do: status 0', async () => {
    const server = await start(kind);
    await server.call('/v2/health/ready');
    server.child.kill('SIGTERM');
    expect(await server.ended()).toEqual([0, null]);
  });

  test('many requests go over one connection, bodies with a length or in chunks', async () => {
    const server = await start(kind);
    await writeFile(join(folder, 'there'), '');
    const body = JSON.stringify(waitFor(join(folder, 'there')));
    const connection = createConnection(server.socketPath);
    const head = 'POST /v2/models/m/infer HTTP/1.1\r\nhost: x\r\n';
    const half = Math.floor(body.length / 2);
    const [one, two] = [body.slice(0, half), body.slice(half)];
    const chunk = (part: string) => `${part.length.toString(16)};x=y\r\n${part}\r\n`;
    connection.write(`${head}content-length: ${body.length}\r\n\r\n${body}`);
    connection.write(
      `${head}transfer-encoding: chunked\r\n\r\n${chunk(one)}${chunk(two)}0\r\n\r\n`,
    );
    connection.write(`GET /v2/health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
    const answer = await text(connection);
    expect(answer.match(/HTTP\/1.1 200 OK/g)).toHaveLength(3);
    expect(answer.match(/"done"/g)).toHaveLength(2);
    expect(answer).toMatch(/"live": ?true/);
  });

  test('Expect: 100-continue is answered before the body is sent', async () => {
    const server = await start(kind);
    const body = JSON.stringify(waitFor(folder));
    const connection = createConnection(server.socketPath).setEncoding('utf8');
    let seen = '';
    connection.on('data', (part: string) => (seen += part));
    connection.write(
      `POST /v2/models/m/infer HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n`,
    );
    await until('100 Continue', () => seen.includes('100 Continue\r\n\r\n'));
    expect(seen).not.toContain('200 OK');
    connection.write(body);
    await once(connection, 'close');
    expect(seen).toContain('200 OK');
  });

  test('garbage instead of HTTP is refused, and others are served', async () => {
    const server = await start(kind);
    const garbage = ['\0\0\0\0\r\n\r\n', 'GET\r\n\r\n', 'GET / HTTP/1.1\r\nno colon\r\n\r\n'];
    const smuggled =
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\nabc';
    for (const bytes of [...garbage, smuggled]) {
      const connection = createConnection(server.socketPath);
      connection.write(bytes);
      expect(await text(connection), JSON.stringify(bytes)).toMatch(/^HTTP\/1.1 400 /);
    }
    expect((await server.call('/v2/health/ready')).status).toBe(200);
  });

  test('listens on $PORT where there is no socket', async () => {
    const port = await reservePort();
    const server = await start(kind, { ROUSE_SOCKET: '', PORT: String(port) });
    expect(server.ready).toMatchObject({ load: expect.any(Number) });
    const reply = await call({ host: '127.0.0.1', port, path: '/v2/health/ready', agent: false });
    expect(reply.status).toBe(200);
  });

  test('what the platform knows of the model is not told to it again', async () => {
    const inspection = { platform: 'p', inputs: [], outputs: [], properties: {} };
    const server = await start(kind, { ROUSE_INSPECTION: JSON.stringify(inspection) });
    expect(server.ready).toEqual({ load: expect.any(Number) });
  });

  test('a socket that cannot be bound is an error on the pipe, status 1', async () => {
    const server = await start(kind, { ROUSE_SOCKET: join(folder, 'no', 'such', 'folder') });
    expect(server.ready).toEqual({ error: expect.stringMatching(/./) });
    expect(await server.ended()).toEqual([1, null]);
  });
});

test('the Node server names a setting that is missing or wrong', async () => {
  const cases: [Record<string, string>, string][] = [
    [{ ROUSE_KIND: '' }, 'ROUSE_KIND is not set'],
    [{ ROUSE_KIND: 'jar' }, 'ROUSE_KIND: found jar, expected onnx or function'],
    [{ ROUSE_SOURCE: '' }, 'ROUSE_SOURCE is not set'],
    [{ ROUSE_SOCKET: '' }, 'PORT is not set'],
    [{ ROUSE_SOCKET: '', PORT: 'x' }, 'PORT: found x, expected a port number'],
  ];
  for (const [env, error] of cases) {
    expect((await start('node', env)).ready).toEqual({ error });
  }
});

test('an ONNX model that cannot be loaded is an error on the pipe, status 1', async () => {
  const source = join(FIXTURES, 'refused-operator.onnx');
  const server = await start('node', { ROUSE_KIND: 'onnx', ROUSE_SOURCE: source });
  expect(server.ready).toEqual({
    error: expect.stringMatching(/^onnxruntime cannot load the model: .*Nonsense/),
  });
  expect(await server.ended()).toEqual([1, null]);
});

describe('a Python server that the system refuses something', () => {
  const READY = 'GET /v2/health/ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';

  async function startModel(source: string) {
    const model = await mkdtemp(join(folder, 'model-'));
    await writeFile(join(model, 'model.py'), source);
    return start('python', { ROUSE_SOURCE: model });
  }

  function ask(server: ServerProcess): Promise<string> {
    return text(createConnection(server.socketPath).end(READY));
  }

  test('more connections than it may have open: they are served when others have ended', async () => {
    const server = await startModel(`import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
def predict(inputs):
    os.close(os.open(os.devnull, os.O_RDONLY))
    return {"done": [True]}
`);
    const opens = async () => (await server.call('/v2/models/m/infer', { inputs: [] })).status;
    expect(await opens()).toBe(200);
    const many = Array.from({ length: 60 }, () => createConnection(server.socketPath));
    await Promise.all(many.map((one) => once(one, 'connect')));
    await until('no file is left', async () => (await opens()) === 500);
    const waits = ask(server);
    for (const one of many) one.destroy();
    expect(await waits).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    server.child.kill('SIGTERM');
    expect(await server.ended()).toEqual([0, null]);
  });

  test('no thread for a connection: it is closed, and later ones are served', async () => {
    const server = await startModel(`import threading
def predict(inputs):
    threading.stack_size(int(inputs["bytes"][0]))
    return {"done": [True]}
`);
    const stack = (bytes: number) => ({
      inputs: [{ name: 'bytes', datatype: 'BYTES', shape: [1], data: [String(bytes)] }],
    });
    // Beyond all addresses: less may be had where memory is promised without limit.
    expect((await server.call('/v2/models/m/infer', stack(2 ** 48))).status).toBe(200);
    expect(await text(createConnection(server.socketPath))).toBe('');
    expect((await server.call('/v2/models/m/infer', stack(0))).status).toBe(200);
    expect(await ask(server)).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  });
});
