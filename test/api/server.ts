import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createApi } from '#api/api.ts';
import type { ApiOptions } from '#api/context.ts';
import { listenApi } from '#api/listen.ts';
import { type Attempt, createArtifactKeys } from '#control/usecases/artifact-keys.ts';
import { createControl } from '#control/control.ts';
import type { UseCases } from '#control/usecases/usecases.ts';
import { urlOf } from '#domain/address.ts';
import type { ModelInput, RevisionSpecInput } from '#domain/model.ts';
import type { Actor } from '#domain/records.ts';
import { RETENTION_DEFAULTS } from '#domain/retention.ts';
import { systemClock } from '#lib/clock.ts';
import { silentLog } from '#lib/log.ts';
import { createArtifactFolder } from '#store/artifact-folder.ts';
import type { Requests } from '#store/requests/requests.ts';
import { createSqliteRequests } from '#store/requests/sqlite-requests.ts';
import { createSqliteStore } from '#store/sqlite.ts';
import type { Store } from '#store/store.ts';
import { createFakeRuntime, type FakeRuntime } from '#test/runtime/fake.ts';

export const ADMIN: Actor = { id: 'local', role: 'admin' };

/** A control plane with its API on loopback; only the instances are made up. */
export interface TestServer {
  /** Of its artifacts. */
  readonly folder: string;
  readonly url: string;
  readonly port: number;
  readonly useCases: UseCases;
  readonly runtime: FakeRuntime;
  readonly store: Store;
  /** Asynchronous ones. Nothing is sent: the data plane is not there. */
  readonly requests: Requests;
  readonly api: ReturnType<typeof createApi>;
  send(call: RawCall): Promise<RawAnswer>;
  /** What opens the artifact with this digest. */
  keyOf(digest: string): string;
  /** What lets an attempt of a program hand over what it has left. */
  outputKeyOf(attempt: Attempt): string;
  /** Stores content and returns what a source can be. */
  push(content: string, name?: string): Promise<string>;
  close(): Promise<void>;
}

export interface RawCall {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: () => Readonly<Record<string, unknown>>;
  /** A number or text inside of the JSON, as text. */
  readonly at: (...path: readonly string[]) => string;
}

export async function startServer(
  options: Partial<ApiOptions> & { host?: string } = {},
): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), 'rouse-api-'));
  const clock = systemClock;
  const store = await createSqliteStore({ path: ':memory:', clock });
  const requests = await createSqliteRequests({
    path: ':memory:',
    limits: { requests: 1000, bytes: 2 ** 20, keepMs: 1e9 },
  });
  const artifacts = await createArtifactFolder({ folder });
  const runtime = createFakeRuntime({ clock });
  const publisher = {
    update: noop,
    lease: noop,
    reply: noop,
    onUpward: noop,
    onJoined: noop,
    onGap: noop,
    onLeft: noop,
  };
  const settings = { memoryBudget: 2 ** 30, proofsAtOnce: 4, retention: RETENTION_DEFAULTS };
  const artifactKeys = createArtifactKeys(randomBytes(32));
  const base = { store, artifacts, artifactKeys, runtime, publisher, clock, settings };
  const control = await createControl({
    ...base,
    log: silentLog,
    requests: {
      store: requests,
      settings: { anonymous: true, deadline: 1e9, webhookNetworks: [] },
      dataPlane: 'http://127.0.0.1:1',
      proxyProtocol: false,
      platformSecret: Buffer.alloc(32),
      // Nor does a test wait for a name server.
      resolve: async () => [],
    },
  });
  const closing = new AbortController();
  const { useCases } = control;
  const { dataPlane = () => 'http://127.0.0.1:8080' } = options;
  const api = createApi({
    useCases,
    metrics: async () => 'rouse_up 1\n',
    ready: () => true,
    allowedHosts: [],
    requireKey: false,
    version: '0.0.0-test',
    dataPlane,
    curlWay: () => ({ origin: dataPlane() }),
    domain: 'localhost',
    log: silentLog,
    clock,
    closing: closing.signal,
    ...options,
  });
  const listener = await listenApi(api, { host: options.host ?? '127.0.0.1', port: 0 }, clock);
  const { port } = listener.address;

  return {
    folder,
    url: urlOf(listener.address),
    port,
    store,
    requests,
    useCases,
    runtime,
    api,
    keyOf: (digest) => artifactKeys.keyOf(digest),
    outputKeyOf: (attempt) => artifactKeys.outputKeyOf(attempt),
    send: (call) => sendRaw(port, call),
    async push(content, name = 'model.txt') {
      const digest = digestOf(content);
      await useCases.putArtifact(ADMIN, digest, chunksOf(content), { name, kind: 'file' });
      return `sha256:${digest}`;
    },
    async close() {
      closing.abort();
      await listener.close();
      await control.close();
      await runtime.close(0);
      await requests.close();
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** A request as it is written here: `fetch` would refuse some headers that an attacker can send. */
async function sendRaw(port: number, call: RawCall): Promise<RawAnswer> {
  return await new Promise((resolve, reject) => {
    const { method = 'GET', path, headers = {}, body } = call;
    const options = { host: '127.0.0.1', port, method, path, headers, agent: false };
    const sent = request(options, (response) => {
      text(response).then(
        (found) => resolve(makeAnswer(response.statusCode ?? 0, response.headers, found)),
        reject,
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

function makeAnswer(status: number, headers: IncomingHttpHeaders, text: string): RawAnswer {
  return {
    status,
    headers,
    text,
    json: () => JSON.parse(text),
    at(...path) {
      let value: unknown = JSON.parse(text);
      for (const key of path) value = isObject(value) ? Reflect.get(value, key) : undefined;
      return typeof value === 'string' ? value : JSON.stringify(value);
    },
  };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

export function digestOf(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

async function* chunksOf(content: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(content);
}

export function makeModel(
  name: string,
  revision: RevisionSpecInput,
  spec: Partial<ModelInput['spec']> = {},
): ModelInput {
  return {
    apiVersion: 'rouse.dev/v1alpha1',
    kind: 'Model',
    metadata: { name },
    spec: { revision, ...spec },
  };
}

/** A revision that needs no content. */
export const COMMAND: RevisionSpecInput = {
  name: 'v1',
  runtime: 'command',
  args: ['serve', '${PORT}'],
};

export function modelPath(name: string, rest = ''): string {
  return `/api/v1/namespaces/default/models/${name}${rest}`;
}

export const JSON_TYPE = { 'content-type': 'application/json' } as const;

function noop(): void {
  // Nobody listens: there is no data plane here.
}
