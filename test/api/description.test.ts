import { existsSync, globSync, readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { text } from 'node:stream/consumers';
import { dereference, validate } from '@readme/openapi-parser';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listenApi } from '#api/listen.ts';
import { systemClock } from '#lib/clock.ts';
import { parseYaml } from '#lib/yaml.ts';
import {
  COMMAND,
  JSON_TYPE,
  makeModel,
  modelPath,
  startServer,
  type TestServer,
} from './server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await server.close();
});

async function fetchJson(path: string) {
  return JSON.parse((await server.send({ path })).text);
}

test('the OpenAPI document is valid and names every route', async () => {
  const document = await fetchJson('/openapi.json');
  expect(document.openapi).toBe('3.1.0');
  expect(await validate(structuredClone(document))).toMatchObject({ valid: true, warnings: [] });
  const model = '/api/v1/namespaces/{namespace}/models/{model}';
  const job = '/api/v1/namespaces/{namespace}/jobs/{job}';
  const schedule = '/api/v1/namespaces/{namespace}/schedules/{schedule}';
  const promised: Record<string, string[]> = {
    '/': ['get'],
    '/api/v1': ['get'],
    '/api/v1/models': ['get'],
    '/api/v1/namespaces/{namespace}/models': ['get'],
    [model]: ['delete', 'get', 'put'],
    [`${model}/revisions`]: ['get'],
    [`${model}/revisions/{revision}`]: ['delete', 'get'],
    [`${model}/restore`]: ['post'],
    [`${model}/traffic`]: ['get', 'put'],
    [`${model}/rollout`]: ['get', 'post'],
    [`${model}/instances`]: ['get'],
    [`${model}/events`]: ['get'],
    [`${model}/logs`]: ['get'],
    [`${model}/usage`]: ['get'],
    [`${model}/measures`]: ['get', 'post'],
    [`${model}/selection`]: ['get', 'post'],
    '/api/v1/jobs': ['get'],
    '/api/v1/namespaces/{namespace}/jobs': ['get', 'post'],
    [job]: ['delete', 'get', 'post'],
    [`${job}/logs`]: ['get'],
    [`${job}/attempts/{attempt}/output`]: ['put'],
    [`${job}/report`]: ['get'],
    '/api/v1/schedules': ['get'],
    '/api/v1/namespaces/{namespace}/schedules': ['get'],
    [schedule]: ['delete', 'get', 'post', 'put'],
    [`${schedule}/runs`]: ['get'],
    '/api/v1/usage': ['get'],
    '/api/v1/artifacts/{digest}': ['get', 'head', 'put'],
    '/api/v1/artifacts/{digest}/content': ['get'],
    '/api/v1/deleted': ['get'],
    '/api/v1/events': ['get'],
    '/api/v1/gc': ['get', 'post'],
    '/api/v1/keys': ['get', 'post'],
    '/api/v1/keys/{id}': ['delete'],
    '/api/v1/namespaces/{namespace}/requests': ['get'],
    '/api/v1/namespaces/{namespace}/requests/{id}': ['delete', 'get'],
    '/api/v1/namespaces/{namespace}/requests/{id}/answer': ['get'],
    '/api/v1/namespaces/{namespace}/deliveries': ['get'],
    '/api/v1/namespaces/{namespace}/deliveries/{id}': ['post'],
    '/api/v1/namespaces/{namespace}/webhook-secret': ['get'],
    '/healthz': ['get'],
    '/readyz': ['get'],
    '/metrics': ['get'],
    '/schemas/model.json': ['get'],
    '/schemas/schedule.json': ['get'],
    '/schemas/server.json': ['get'],
  };
  const described = Object.fromEntries(
    Object.entries<object>(document.paths).map(([path, item]) => [
      path,
      Object.keys(item).toSorted(),
    ]),
  );
  expect(described).toEqual(promised);
});

test('answers are what the document says', async () => {
  const document = await dereference(await fetchJson('/openapi.json'));
  const check = (schema: string, value: unknown): string => {
    const ajv = new Ajv2020({ strict: false });
    const valid = ajv.validate(Reflect.get(document.components?.schemas ?? {}, schema), value);
    return valid ? 'valid' : ajv.errorsText();
  };
  const body = JSON.stringify(makeModel('described', COMMAND));
  const path = modelPath('described');
  const made = await server.send({ method: 'PUT', path, headers: JSON_TYPE, body });
  expect(check('Applied', JSON.parse(made.text))).toBe('valid');
  const gets: Record<string, string> = {
    '/api/v1': 'ServerInfo',
    '/api/v1/namespaces/default/models': 'ModelPage',
    [path]: 'ModelView',
    [`${path}/revisions`]: 'RevisionPage',
    [`${path}/revisions/v1`]: 'Revision',
    [`${path}/instances`]: 'InstancePage',
    [`${path}/traffic`]: 'Traffic',
    [`${path}/events`]: 'EventPage',
    [`${path}/logs`]: 'LogPage',
    [`${path}/usage`]: 'UsagePage',
    '/api/v1/usage': 'UsagePage',
    '/api/v1/keys': 'KeyPage',
    '/api/v1/namespaces/default/requests': 'AsyncRequestPage',
    '/api/v1/namespaces/default/deliveries': 'DeliveryPage',
    '/api/v1/namespaces/default/webhook-secret': 'WebhookSecret',
    '/nope': 'Problem',
  };
  for (const [from, schema] of Object.entries(gets)) {
    expect([from, check(schema, await fetchJson(from))]).toEqual([from, 'valid']);
  }
  expect(check('Problem', { status: 'four' })).not.toBe('valid');
});

test("the model file's JSON Schema takes what is right and refuses what is wrong", async () => {
  const answer = await server.send({ path: '/schemas/model.json' });
  expect(answer.headers['content-type']).toBe('application/schema+json');
  const ajv = new Ajv2020({ strict: false });
  const isModel = ajv.compile(JSON.parse(answer.text));
  const whole = {
    ...makeModel('whole', COMMAND),
    spec: {
      revision: {
        runtime: 'onnx',
        source: './m.onnx',
        timeouts: { hold: '5s' },
        env: { API_KEY: { secret: 'openai' } },
      },
      traffic: [
        { revision: 'v1', percent: 90 },
        { latest: true, percent: 10, tag: 'canary' },
      ],
      keepAlive: { policy: 'fixed', idle: '60s' },
      queue: { requests: 100, bytes: '64Mi' },
    },
  };
  expect([isModel(whole), isModel.errors]).toEqual([true, null]);
  expect(isModel({ ...makeModel('x', COMMAND), spec: { revision: { ...COMMAND, typo: 1 } } })).toBe(
    false,
  );
  expect(isModel(makeModel('X', COMMAND))).toBe(false);
  expect(isModel(makeModel('x', { ...COMMAND, timeouts: { hold: '5 seconds' } }))).toBe(false);
  const described = JSON.parse(answer.text).properties.spec.properties;
  for (const [key, property] of Object.entries<{ description?: string }>(described)) {
    expect([key, property.description]).toEqual([key, expect.any(String)]);
  }
});

test('the samples are model files by the schema', async () => {
  const isModel = new Ajv2020({ strict: false }).compile(await fetchJson('/schemas/model.json'));
  const files = globSync('functions/samples/**/*.yaml');
  expect(existsSync('functions/samples') ? files.length : 1).toBeGreaterThan(0);
  for (const file of files) {
    for (const { value } of parseYaml(readFileSync(file, 'utf8'), file)) {
      expect([file, isModel(value), isModel.errors]).toEqual([file, true, null]);
    }
  }
});

test('the schema of the server file is there', async () => {
  const isServer = new Ajv2020({ strict: false }).compile(await fetchJson('/schemas/server.json'));
  const head = { apiVersion: 'rouse.dev/v1alpha1', kind: 'Server' };
  expect(isServer({ ...head, spec: { listen: '127.0.0.1:1', memory: '2Gi' } })).toBe(true);
  expect(isServer({ ...head, spec: { listen: 8080 } })).toBe(false);
});

test('probes and metrics', async () => {
  expect((await server.send({ path: '/healthz' })).text).toBe('ok\n');
  expect((await server.send({ path: '/readyz' })).text).toBe('ready\n');
  const metrics = await server.send({ path: '/metrics' });
  expect([metrics.text, metrics.headers['content-type']]).toEqual([
    'rouse_up 1\n',
    'text/plain; version=0.0.4; charset=utf-8',
  ]);
  const unready = await startServer({ ready: () => false });
  const answer = await unready.send({ path: '/readyz' });
  expect([answer.status, answer.headers['retry-after']]).toEqual([503, '1']);
  await unready.close();
});

test('what nobody foresaw is an internal error that shows nothing of itself', async () => {
  const broken = await startServer({
    metrics: async () => {
      throw new TypeError('a secret of the inside');
    },
  });
  const answer = await broken.send({ path: '/metrics' });
  expect(answer.status).toBe(500);
  expect(answer.json()).toMatchObject({ code: 'internal' });
  expect(answer.text).not.toContain('secret of the inside');
  expect(answer.text).toContain(String(answer.headers['x-request-id']));
  await broken.close();
});

test('a port in use is a clear refusal that names the port and the flag', async () => {
  const taken = { host: '127.0.0.1', port: server.port };
  await expect(listenApi(server.api, taken, systemClock)).rejects.toThrow(
    `127.0.0.1:${server.port} is in use. Choose another one with --control`,
  );
  const foreign = { host: '192.0.2.1', port: 0 };
  await expect(listenApi(server.api, foreign, systemClock)).rejects.toThrow(/no address of this/);
});

test.each([
  ['garbage instead of HTTP', 'hello\r\n\r\n', 400],
  [
    'a header over the limit',
    `GET /healthz HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
    431,
  ],
  ['no Host', 'GET /healthz HTTP/1.1\r\n\r\n', 400],
  ['HTTP/1.0 without a Host', 'GET /healthz HTTP/1.0\r\n\r\n', 400],
])('%s', async (_name, sent, status) => {
  const socket = createConnection({ host: '127.0.0.1', port: server.port });
  socket.end(sent);
  expect(await text(socket)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
});
