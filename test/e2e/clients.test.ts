import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { makeCertificate } from '#test/fixtures/certificate.ts';
import { startBrowser } from './browser.ts';
import { makeFolder, type Platform, removeFolder, startPlatform } from './platform.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const PROGRAMS = join(import.meta.dirname, 'programs');
/** Where the Python packages of clients are: `.ci/run` says it. */
const PYTHON = process.env['ROUSE_TEST_PYTHON'] ?? 'python3';
const CLIENT_MS = 40_000;
const HAS_OPENAI = spawnSync(PYTHON, ['-c', 'import openai']).status === 0;

interface Reached {
  readonly models: readonly string[];
  readonly whole: string;
  readonly streamed: string;
  readonly pieces: number;
  readonly embeddings: readonly number[];
  readonly unknown: { kind: string; status: number; message: string };
  readonly wrong: { kind: string; status: number; message: string };
}

function fileOf(name: string, runtime: string): string {
  return `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: ${name} }
spec:
  revision: { name: v1, runtime: ${runtime} }
  scaling: { max: 1, initial: 0 }
`;
}

/** The samples that speak as OpenAI does, a web page, and a WebSocket. */
async function makeModels(folder: string): Promise<string> {
  const models = join(folder, 'models');
  await mkdir(models);
  for (const name of ['chat', 'chat.yaml', 'embed', 'embed.yaml']) {
    await cp(join(ROOT, 'functions/samples', name), join(models, name), { recursive: true });
  }
  await cp(join(PROGRAMS, 'page.mjs'), join(models, 'page.mjs'));
  const args = [process.execPath, join(PROGRAMS, 'echo-socket.mjs'), '${PORT}'];
  await writeFile(join(models, 'page.yaml'), fileOf('page', 'function, source: ./page.mjs'));
  await writeFile(
    join(models, 'echo.yaml'),
    fileOf('echo', `command, args: ${JSON.stringify(args)}`),
  );
  return models;
}

describe.each(['http', 'https'])('by %s', (scheme) => {
  let platform: Platform;
  let authority: string;

  beforeAll(async () => {
    const folder = await makeFolder();
    const { certificate, key } = makeCertificate(['localhost', '*.localhost']);
    authority = join(folder, 'certificate.pem');
    await writeFile(authority, certificate);
    await writeFile(join(folder, 'key.pem'), key);
    const tls = ['--tls-certificate', authority, '--tls-key', join(folder, 'key.pem')];
    platform = await startPlatform(folder, {
      args: ['--apply', await makeModels(folder), ...(scheme === 'https' ? tls : [])],
    });
    await platform.until(/4 models/);
  });

  afterAll(async () => {
    await platform.end();
    await removeFolder(platform.folder);
  });

  async function run(program: string, args: readonly string[]): Promise<string> {
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: authority, SSL_CERT_FILE: authority };
    const { stdout } = await promisify(execFile)(program, args, { env, timeout: CLIENT_MS });
    return stdout;
  }

  test('the addresses that are printed say so', () => {
    expect(platform.requests).toMatch(new RegExp(`^${scheme}://127\\.0\\.0\\.1:\\d+$`));
    const trust = scheme === 'https' ? `--cacert ${authority} ` : '';
    expect(platform.output()).toContain(`curl -sS ${trust}${platform.requests}/v2/models/`);
  });

  if (scheme === 'https') {
    test('SIGHUP reads the certificates again', async () => {
      platform.process.kill('SIGHUP');
      await platform.until(/The certificates were read again/);
      expect(platform.process.exitCode).toBeNull();
    });
  }

  async function callAsOpenAi(program: string, file: string): Promise<void> {
    const printed = await run(program, [join(PROGRAMS, file), `${platform.requests}/v1`]);
    const reached = JSON.parse(printed) as Reached;
    expect(reached.models).toEqual(expect.arrayContaining(['chat', 'embed']));
    expect(reached.whole.length).toBeGreaterThan(10);
    expect(reached.streamed).toBe(reached.whole);
    expect(reached.pieces).toBeGreaterThan(5);
    expect(reached.embeddings).toEqual([256, 256]);
    expect(reached.unknown).toMatchObject({ kind: 'NotFoundError', status: 404 });
    expect(reached.unknown.message).toContain('There is no model');
    expect(reached.wrong).toMatchObject({ kind: 'BadRequestError', status: 400 });
    expect(reached.wrong.message).toContain('messages: expected a list');
  }

  test("OpenAI's JavaScript client: models, answers, streams, vectors, errors", () =>
    callAsOpenAi(process.execPath, 'openai-client.mjs'));

  test.skipIf(!HAS_OPENAI)(
    "OpenAI's Python client (needs python3 with openai, see requirements.txt): the same",
    () => callAsOpenAi(PYTHON, 'openai_client.py'),
  );

  test.each(['--http1.0', '--http1.1', scheme === 'http' ? '--http2-prior-knowledge' : '--http2'])(
    'curl %s: an answer, a stream, an error (needs curl)',
    async (version) => {
      const curl = (path: string, ...more: string[]): Promise<string> =>
        run('curl', [version, '-sS', '--cacert', authority, platform.requests + path, ...more]);
      const format = ['-o', '/dev/null', '-w', '%{http_version} %{http_code}'];
      const spoken = version.includes('http2') ? '2' : '1.1';
      expect(await curl('/v2/health/live', ...format)).toBe(`${spoken} 200`);
      expect(await curl('/v2/models/nobody', ...format)).toBe(`${spoken} 404`);
      const chat = { model: 'chat', stream: true, messages: [{ role: 'user', content: 'Well?' }] };
      const stream = await curl('/v1/chat/completions', '-N', '-d', JSON.stringify(chat));
      expect(stream).toMatch(/^data: \{[^]*\}\n\ndata: \[DONE\]\n\n$/);
    },
  );

  test('a WebSocket: texts and bytes go both ways', async () => {
    const url = `${platform.requests.replace('http', 'ws')}/models/default/echo/`;
    const socket = new WebSocket(url, { rejectUnauthorized: false });
    await once(socket, 'open');
    for (const sent of ['a text', Buffer.alloc(300_000, 7)]) {
      socket.send(sent);
      const [received] = (await once(socket, 'message')) as [Buffer];
      expect(received.equals(Buffer.from(sent))).toBe(true);
    }
    socket.close();
    await once(socket, 'close');
  });

  test("a browser's EventSource and fetch get each piece as it comes (needs chromium)", async () => {
    const browser = await startBrowser({ trustAll: true });
    try {
      const page = await browser.open(`${platform.requests}/models/default/page/`);
      const shown = await page.until(/(?=.*event:3)(?=.*whole)/);
      const words = shown.trim().split(' ');
      expect(words.filter((word) => word.startsWith('event'))).toEqual([
        'event:1',
        'event:2',
        'event:3',
      ]);
      expect(words.filter((word) => word.startsWith('piece'))).toEqual([
        'piece:1',
        'piece:2',
        'piece:3',
      ]);
      expect(page.complaints).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
