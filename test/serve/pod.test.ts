import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { digestOf, encodeManifest, manifestOf } from '#lib/folder-manifest.ts';
import { ADMIN, startServer, type TestServer } from '#test/api/server.ts';
import { listening } from '#test/listening.ts';
import { reservePort } from '#test/reserved-port.ts';
import { until } from '#test/until.ts';

/** The entry of the server image, as a process with the environment that a pod has. */
const ENTRY = fileURLToPath(new URL('../../src/serve/pod/entry.ts', import.meta.url));
const FUNCTION = 'export default { predict: ({ x }) => ({ y: x.map((each) => each * 2) }) };\n';
const PYTHON = 'def predict(inputs):\n    return {"y": [2 * each for each in inputs["x"]]}\n';
const QUESTION = JSON.stringify({
  inputs: [{ name: 'x', datatype: 'INT32', shape: [2], data: [1, 2] }],
});

let platform: TestServer;
let folder: string;
let pod: ChildProcess | undefined;
let broken: Server | undefined;
let output = '';

beforeEach(async () => {
  platform = await startServer();
  folder = await mkdtemp(join(tmpdir(), 'rouse-pod-'));
  output = '';
});
afterEach(async () => {
  if (pod?.exitCode === null && pod.signalCode === null) {
    pod.kill('SIGKILL');
    await once(pod, 'exit');
  }
  pod = undefined;
  broken?.close();
  broken = undefined;
  await platform.close();
  await rm(folder, { recursive: true });
});

interface Content {
  readonly kind: 'function' | 'python' | 'command';
  readonly artifact: { digest: string; size: number; name: string; kind: 'file' | 'folder' };
}

async function pushFile(text: string): Promise<Content> {
  const source = await platform.push(text, 'model.mjs');
  const digest = source.slice('sha256:'.length);
  const artifact = { digest, size: text.length, name: 'model.mjs', kind: 'file' } as const;
  return { kind: 'function', artifact };
}

async function pushFolder(files: Readonly<Record<string, string>>): Promise<Content> {
  const source = await mkdtemp(join(folder, 'source-'));
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(source, name), text);
    await platform.push(text, name);
  }
  const manifest = join(folder, 'manifest');
  await writeFile(manifest, encodeManifest(await manifestOf(source)));
  const { digest } = await digestOf(manifest);
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield await readFile(manifest);
  }
  const about = { name: 'model', kind: 'folder' } as const;
  return {
    kind: 'python',
    artifact: await platform.useCases.putArtifact(ADMIN, digest, bytes(), about),
  };
}

async function start(
  { kind, artifact }: Content,
  more: Readonly<Record<string, string>> = {},
  args: readonly string[] = [],
): Promise<number> {
  const port = await reservePort();
  pod = spawn(process.execPath, ['--no-warnings', ENTRY, ...args], {
    env: {
      PATH: process.env['PATH'],
      PORT: String(port),
      ROUSE_KIND: kind,
      ROUSE_NAMESPACE: 'default',
      ROUSE_MODEL: 'double',
      ROUSE_REVISION: 'v1',
      ROUSE_WORK: join(folder, 'work'),
      ROUSE_ARTIFACT: JSON.stringify(artifact),
      ROUSE_ARTIFACTS_URL: `${platform.url}/api/v1/artifacts`,
      ROUSE_ARTIFACT_KEY: platform.keyOf(artifact.digest),
      ...more,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [pod.stdout, pod.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  return port;
}

async function infer(port: number): Promise<unknown> {
  let answer: Response | undefined;
  await until('the pod answers', async () => {
    if (pod?.exitCode !== null) throw new Error(`it has ended: ${output}`);
    const init = { method: 'POST', body: QUESTION };
    answer = await fetch(`http://127.0.0.1:${port}/v2/models/double/infer`, init).catch(
      () => undefined,
    );
    return answer !== undefined;
  });
  return await answer?.json();
}

/** Its status, and the last line of its log, which a cluster shows as the reason. */
async function endOf(): Promise<readonly [number | null, string]> {
  if (!pod) throw new Error('there is no pod');
  const [status] = await once(pod, 'close');
  return [status, output.trimEnd().split('\n').at(-1) ?? ''];
}

const DOUBLED = { outputs: [{ name: 'y', data: [2, 4] }] };

test('a file: it is fetched by its digest and served on $PORT', async () => {
  expect(await infer(await start(await pushFile(FUNCTION)))).toMatchObject(DOUBLED);
});

test('a folder: the first process becomes the server, which ends at SIGTERM', async () => {
  const content = await pushFolder({ 'model.py': PYTHON, 'empty.txt': '' });
  expect(await infer(await start(content))).toMatchObject(DOUBLED);
  expect(await readFile(`/proc/${pod?.pid}/cmdline`, 'utf8')).toContain('serve.py');
  pod?.kill('SIGTERM');
  expect(await endOf()).toEqual([0, '']);
});

test('a program: the first process becomes it, with its port, in the folder of its source', async () => {
  const program = `require('node:http').createServer((_, response) => {
    response.end(JSON.stringify([require('node:path').basename(__filename), process.argv.slice(2)]));
  }).listen(Number(process.argv[2]));`;
  const content = await pushFolder({ 'server.cjs': program });
  const args = ['node', 'server.cjs', '${PORT}', '${OTHER}', '${SOURCE}'];
  const port = await start({ ...content, kind: 'command' }, {}, args);
  const [file, [own, other, source]] = (await infer(port)) as [string, string[]];
  expect([file, own, other]).toEqual(['server.cjs', String(port), '${OTHER}']);
  expect(source?.startsWith(folder)).toBe(true);
});

test('while the platform is away it is asked again', async () => {
  const content = await pushFile(FUNCTION);
  const away = await reservePort();
  const url = `http://127.0.0.1:${away}/api/v1/artifacts`;
  const port = await start(content, { ROUSE_ARTIFACTS_URL: url });
  await until('it was tried twice', () => output.split('could not be fetched').length > 2);
  broken = createServer((request, response) => {
    fetch(`${platform.url}${request.url}`, {
      headers: { authorization: request.headers.authorization ?? '' },
    })
      .then((found) => found.bytes())
      .then(
        (bytes) => response.end(bytes),
        () => response.destroy(),
      );
  });
  broken.listen(away, '127.0.0.1');
  expect(await infer(port)).toMatchObject(DOUBLED);
});

test('content that is cut off is fetched again, content that differs is refused', async () => {
  const content = await pushFile(FUNCTION);
  let asked = 0;
  broken = createServer((_, response) => {
    asked += 1;
    if (asked > 1) response.end('something else');
    else response.write(FUNCTION.slice(0, 10), () => response.destroy());
  });
  const url = `http://127.0.0.1:${await listening(broken)}/api/v1/artifacts`;
  await start(content, { ROUSE_ARTIFACTS_URL: url });
  const [status, reason] = await endOf();
  expect([status, asked]).toEqual([1, 2]);
  expect(reason).toMatch(/^model\.mjs has digest sha256:[0-9a-f]{64}, expected sha256:/);
});

test.each<[string, Record<string, string>, RegExp]>([
  ['a wrong key', { ROUSE_ARTIFACT_KEY: 'ra_wrong' }, /answered 401: .*this key does not open/],
  ['a variable that is missing', { ROUSE_WORK: '' }, /ROUSE_WORK/],
  ['an artifact that is none', { ROUSE_ARTIFACT: '{' }, /ROUSE_ARTIFACT/],
])('%s ends it, with the reason in its last line', async (_, more, expected) => {
  await start(await pushFile(FUNCTION), more);
  const [status, reason] = await endOf();
  expect(status).toBe(1);
  expect(reason).toMatch(expected);
});

test('a model that cannot be served says why', async () => {
  await start(await pushFolder({ 'other.py': PYTHON }));
  expect(await endOf()).toEqual([1, 'model: expected a folder with a model.py in it']);
});

test('SIGTERM ends it while it waits for the platform', async () => {
  const url = `http://127.0.0.1:${await reservePort()}/api/v1/artifacts`;
  await start(await pushFile(FUNCTION), { ROUSE_ARTIFACTS_URL: url });
  await until('it was tried', () => output.includes('could not be fetched'));
  pod?.kill('SIGTERM');
  expect((await endOf())[0]).toBe(143);
});
