import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseModel } from '#domain/parse.ts';
import { reservePort } from '#test/reserved-port.ts';
import { until } from '#test/until.ts';
import {
  ROOT,
  type ServerProcess,
  call,
  inspect,
  makeFolder,
  removeFolder,
  serve,
} from './process.ts';

const SAMPLES = join(ROOT, 'functions/samples');
const files = (await readdir(SAMPLES)).filter((file) => file.endsWith('.yaml'));

let folder: string;
const started: ServerProcess[] = [];
beforeAll(async () => {
  folder = await makeFolder();
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()));
});
afterAll(async () => removeFolder(folder));

async function open(kind: 'node' | 'python', env: Record<string, string>): Promise<ServerProcess> {
  const server = await serve(kind, folder, { NODE_COMPILE_CACHE: join(folder, 'cache'), ...env });
  started.push(server);
  expect(server.ready).toMatchObject({ load: expect.any(Number) });
  return server;
}

test('there are five', () => {
  expect(files).toEqual(['chat.yaml', 'digits.yaml', 'embed.yaml', 'lang.yaml', 'sentiment.yaml']);
});

test.each(files)(
  '%s is a valid model file, its sources are there, it sleeps after a minute',
  async (file) => {
    const { metadata, spec } = parseModel(parse(await readFile(join(SAMPLES, file), 'utf8')), file);
    expect(`${metadata.name}.yaml`).toBe(file);
    expect(spec.keepAlive).toMatchObject({ policy: 'fixed', idle: 60_000 });
    for (const revision of spec.revisions ?? [spec.revision]) {
      await stat(join(SAMPLES, revision?.source ?? 'none'));
    }
  },
);

describe('digits', () => {
  test('the three is a three for both, and v2 is the better one', async () => {
    const accuracies: number[] = [];
    for (const name of ['v1', 'v2']) {
      const source = join(SAMPLES, `digits/${name}.onnx`);
      const line = await inspect({
        ROUSE_KIND: 'onnx',
        ROUSE_SOURCE: source,
        ROUSE_OUTPUT: folder,
      });
      if ('error' in line) throw new Error(line.error);
      accuracies.push(Number(line.inspection.properties['accuracy']));
      const server = await open('node', {
        ROUSE_KIND: 'onnx',
        ROUSE_SOURCE: line.served ?? source,
        ROUSE_INSPECTION: JSON.stringify(line.inspection),
      });
      const three = await readFile(join(SAMPLES, 'digits/three.json'));
      const { outputs } = JSON.parse((await server.call('/v2/models/digits/infer', three)).text);
      expect(outputs).toMatchObject([
        { name: 'label', datatype: 'INT64', shape: [1], data: [3] },
        { name: 'probabilities', datatype: 'FP32', shape: [1, 10] },
      ]);
      expect(outputs[1].data[3]).toBeGreaterThan(0.9);
    }
    const [first = 0, second = 0] = accuracies;
    // Less than half as many mistakes.
    expect(1 - second).toBeLessThan((1 - first) / 2);
  });
});

describe('chat', () => {
  const messages = [{ role: 'user', content: 'Are you awake?' }];
  const start = () => open('node', { ROUSE_KIND: 'function', ROUSE_SOURCE: join(SAMPLES, 'chat') });

  test('answers whole, the same to the same question', async () => {
    const server = await start();
    const ask = async () =>
      JSON.parse((await server.call('/v1/chat/completions', { model: 'chat', messages })).text);
    const answer = await ask();
    expect(answer).toMatchObject({
      object: 'chat.completion',
      model: 'chat',
      choices: [{ index: 0, message: { role: 'assistant' }, finish_reason: 'stop' }],
    });
    expect((await ask()).choices).toEqual(answer.choices);
  });

  test('streams the same words as events', async () => {
    const server = await start();
    const body = { model: 'chat', messages, stream: true, max_tokens: 6 };
    const reply = await server.call('/v1/chat/completions', body);
    expect(reply.headers['content-type']).toBe('text/event-stream');
    const events = reply.text.split('\n\n').filter((event) => event !== '');
    expect(events.at(-1)).toBe('data: [DONE]');
    const chunks = events.slice(0, -1).map((event) => JSON.parse(event.slice('data: '.length)));
    const said = chunks.map((chunk) => chunk.choices[0].delta.content ?? '').join('');
    expect(chunks.at(-1).choices[0].finish_reason).toBe('length');
    const whole = JSON.parse(
      (await server.call('/v1/chat/completions', { ...body, stream: false })).text,
    );
    expect(whole.choices[0].message.content).toBe(said);
    expect(whole.usage.completion_tokens).toBe(6);
  });

  test('refuses in the envelope of OpenAI', async () => {
    const server = await start();
    for (const body of ['x', {}, { messages: [] }, { messages, max_tokens: 'a' }]) {
      const reply = await server.call('/v1/chat/completions', body);
      expect(reply.status).toBe(400);
      expect(JSON.parse(reply.text).error.type).toBe('invalid_request_error');
    }
    expect((await server.call('/v1/other', {})).status).toBe(404);
  });
});

test('embed: texts that share words are nearer than others', async () => {
  const server = await open('node', {
    ROUSE_KIND: 'function',
    ROUSE_SOURCE: join(SAMPLES, 'embed/index.ts'),
  });
  const data = ['the cat sleeps', 'a cat that sleeps', 'stock markets fell'];
  const inputs = [{ name: 'text', datatype: 'BYTES', shape: [3], data }];
  const { outputs } = JSON.parse((await server.call('/v2/models/embed/infer', { inputs })).text);
  expect(outputs).toMatchObject([{ name: 'embedding', datatype: 'FP32', shape: [3, 256] }]);
  const vector = (row: number): number[] => outputs[0].data.slice(row * 256, row * 256 + 256);
  const nearness = (a: number, b: number) =>
    vector(a).reduce((sum, value, at) => sum + value * (vector(b)[at] ?? 0), 0);
  expect(nearness(0, 0)).toBeCloseTo(1, 5);
  expect(nearness(0, 1)).toBeGreaterThan(nearness(0, 2) + 0.3);
  const bad = await server.call('/v1/models/embed:predict', { instances: [5] });
  expect([bad.status, JSON.parse(bad.text).error]).toEqual([400, 'found number, expected texts']);
});

test('embed: the same vectors in the shape of OpenAI', async () => {
  const server = await open('node', {
    ROUSE_KIND: 'function',
    ROUSE_SOURCE: join(SAMPLES, 'embed/index.ts'),
  });
  const input = ['the cat sleeps', 'stock markets fell'];
  const predicted = await server.call('/v1/models/embed:predict', { instances: input });
  const { predictions } = JSON.parse(predicted.text);
  const ask = (body: object) => server.call('/v1/embeddings', { model: 'default/embed', ...body });
  const plain = JSON.parse((await ask({ input })).text);
  expect(plain).toMatchObject({ object: 'list', model: 'default/embed' });
  expect(plain.data.map(({ embedding }: { embedding: unknown }) => embedding)).toEqual(predictions);
  const coded = JSON.parse((await ask({ input: input[0], encoding_format: 'base64' })).text);
  const bytes = new Uint8Array(Buffer.from(coded.data[0].embedding, 'base64'));
  expect(Array.from(new Float32Array(bytes.buffer))).toEqual(predictions[0]);
  for (const body of [
    {},
    { input: [] },
    { input: [[1, 2]] },
    { input: 'x', encoding_format: 'y' },
  ]) {
    const bad = await ask(body);
    expect([bad.status, JSON.parse(bad.text).error.type]).toEqual([400, 'invalid_request_error']);
  }
  expect((await server.call('/v1/other', {})).status).toBe(404);
  expect((await server.call('/v2/other', {})).status).toBe(404);
});

test('sentiment: friendly, unfriendly, turned round, neither', async () => {
  const server = await open('python', { ROUSE_SOURCE: join(SAMPLES, 'sentiment') });
  const instances = [
    'I love this, it is really great!',
    'What a terrible, slow disaster.',
    "It isn't good.",
    'not bad at all',
    'The train leaves at nine.',
  ];
  const reply = await server.call('/v1/models/sentiment:predict', { instances });
  const { predictions } = JSON.parse(reply.text);
  expect(predictions.map((one: { label: string }) => one.label)).toEqual([
    'positive',
    'negative',
    'negative',
    'positive',
    'neutral',
  ]);
  const bad = await server.call('/v1/models/sentiment:predict', { instances: [5] });
  expect([bad.status, JSON.parse(bad.text).error]).toEqual([400, 'expected texts']);
});

test('lang: a program that only takes a port', async () => {
  const port = await reservePort();
  const args = ['server.cjs', '--port', String(port)];
  const child = spawn(process.execPath, args, { cwd: join(SAMPLES, 'lang'), stdio: 'inherit' });
  const ask = (path: string, body?: string) =>
    call({ host: '127.0.0.1', port, path, agent: false }, body);
  try {
    await until('the sample is well', () =>
      ask('/healthz').then(
        (reply) => reply.status === 200,
        () => false,
      ),
    );
    const texts = ['Wo ist der Bahnhof und das Hotel?', 'the cat is on the table', 'xyzzy'];
    const found = await Promise.all(
      texts.map(async (text) => JSON.parse((await ask('/', text)).text)),
    );
    expect(found.map((one) => one.language)).toEqual(['de', 'en', 'unknown']);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  } finally {
    child.kill('SIGKILL');
  }
});
