import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubeObject } from '#knative/api/objects.ts';
import type { Resource } from '#knative/api/resources.ts';
import { makeCertificate } from '#test/fixtures/certificate.ts';
import { listening } from '#test/listening.ts';
import { createObjectStore, kindOf, type ObjectStore, type Stored } from './object-store.ts';

/**
 * A small API server: objects over TLS with a bearer token, lists in pages, watches as lines of JSON, server-side
 * apply as far as whole objects go (what a manager did not make, it takes only by force), and the means to disturb.
 */
export interface ApiServer {
  readonly store: ObjectStore;
  /** A kubeconfig for it, with its CA and a token. */
  readonly kubeconfig: string;
  readonly requests: readonly { readonly method: string; readonly path: string }[];
  /** Watches that are open now. */
  readonly watches: number;
  /** Requests that are never answered, whose clients still wait. */
  readonly unanswered: number;
  /** The next requests that match are answered so; with status 0, never. */
  refuse(pattern: RegExp, status: number, body: unknown, times?: number): void;
  /** Ends all watches in the middle of a line. */
  cut(): void;
  /** Ends all watches as a server does whose time for them is over. */
  end(): void;
  /** Writes this to all watches, as it is. */
  write(text: string): void;
  /** A bookmark of now. */
  bookmark(): void;
  /** From now on nothing is accepted, and what is open ends; `false`: it is back, at the same address. */
  away(isAway: boolean): Promise<void>;
  close(): Promise<void>;
}

const TOKEN = 'token-of-a-test';

export async function startApiServer(): Promise<ApiServer> {
  const { certificate, key } = makeCertificate(['api.test']);
  const store = createObjectStore();
  const requests: { method: string; path: string }[] = [];
  /** Open watches, and how to tell them nothing more. */
  const watches = new Map<ServerResponse, () => void>();
  const unanswered = new Set<ServerResponse>();
  const refusals: { pattern: RegExp; status: number; body: unknown; left: number }[] = [];

  const server = createServer({ cert: certificate, key }, (request, response) => {
    void answer(request, response);
  });
  const port = await listening(server);
  const folder = await mkdtemp(join(tmpdir(), 'api-'));
  const kubeconfig = join(folder, 'config');
  await writeFile(kubeconfig, makeKubeconfig(port, certificate));

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url: path = '/' } = request;
    requests.push({ method, path });
    const body = await readAll(request);
    if (request.headers.authorization !== `Bearer ${TOKEN}`) {
      reply(response, 401, makeStatus(401, 'Unauthorized', 'Unauthorized'));
      return;
    }
    const refusal = refusals.find(
      ({ pattern, left }) => left > 0 && pattern.test(`${method} ${path}`),
    );
    if (refusal) {
      refusal.left--;
      if (refusal.status > 0) reply(response, refusal.status, refusal.body);
      else leaveOpen(response);
      return;
    }
    const url = new URL(path, 'https://api.test');
    const target = parsePath(url.pathname);
    if (!target) reply(response, 404, '404 page not found');
    else if (url.searchParams.get('watch') === 'true') watch(target.resource, url, response);
    else handle(method, target, url.searchParams, body, response);
  }

  function leaveOpen(response: ServerResponse): void {
    unanswered.add(response);
    response.on('close', () => unanswered.delete(response));
  }

  function handle(
    method: string,
    { resource, namespace, name, subresource }: Target,
    query: URLSearchParams,
    body: string,
    response: ServerResponse,
  ): void {
    if (subresource === 'log') {
      reply(response, 200, store.get(resource, namespace, name)?.log ?? '');
    } else if (method === 'POST') {
      const isTried = query.get('dryRun') === 'All';
      const { status, object } = create(resource, JSON.parse(body) as Stored, isTried);
      reply(response, status, object);
    } else if (name === '') reply(response, 200, list(resource, query));
    else if (method === 'PATCH') {
      const place = { namespace, name, subresource };
      const { status, object } = patch(resource, place, query, body);
      reply(response, status, object);
    } else if (method === 'DELETE') {
      const { preconditions } = JSON.parse(body) as { preconditions?: { uid: string } };
      const known = store.get(resource, namespace, name);
      if (!known) reply(response, 404, notFound(resource, name));
      else if (preconditions && preconditions.uid !== known.metadata.uid) {
        reply(response, 409, makeStatus(409, 'Conflict', 'Precondition failed: UID'));
      } else reply(response, 200, remove(resource, known));
    } else {
      const known = store.get(resource, namespace, name);
      reply(response, known ? 200 : 404, known ?? notFound(resource, name));
    }
  }

  function create(
    resource: Resource,
    sent: Stored,
    isTried: boolean,
  ): { status: number; object: unknown } {
    const { namespace = '', name } = sent.metadata;
    const isThere = store.get(resource, namespace, name) !== undefined;
    if (!isThere) return { status: 201, object: isTried ? sent : store.put(resource, sent) };
    const message = `${resource.plural} "${name}" already exists`;
    return { status: 409, object: makeStatus(409, 'AlreadyExists', message) };
  }

  /** A pod has a grace: others end it. So they do what has a finalizer. */
  function remove(resource: Resource, known: Stored): Stored | undefined {
    const { namespace = '', name, finalizers = [] } = known.metadata;
    if (resource.plural !== 'pods' && finalizers.length === 0) {
      return store.delete(resource, namespace, name);
    }
    const deletionTimestamp = new Date().toISOString();
    return store.put(resource, { ...known, metadata: { ...known.metadata, deletionTimestamp } });
  }

  function list(resource: Resource, query: URLSearchParams): unknown {
    const limit = Number(query.get('limit') ?? 500);
    const from = Number(query.get('continue') ?? 0);
    const matching = store.all(resource).filter(selectorOf(query));
    const more = from + limit < matching.length;
    const metadata = {
      resourceVersion: String(store.version),
      ...(more && { continue: String(from + limit) }),
    };
    return { kind: 'List', metadata, items: matching.slice(from, from + limit) };
  }

  function patch(
    resource: Resource,
    { namespace, name, subresource }: Omit<Target, 'resource'>,
    query: URLSearchParams,
    body: string,
  ): { status: number; object: unknown } {
    const sent = partOf(JSON.parse(body) as Stored, subresource);
    const known = store.get(resource, namespace, name);
    const manager = query.get('fieldManager') ?? '';
    const isApply = query.has('force');
    if (!known && (!isApply || subresource !== undefined))
      return { status: 404, object: notFound(resource, name) };
    const { uid, resourceVersion } = sent.metadata;
    if (resourceVersion !== undefined && resourceVersion !== known?.metadata.resourceVersion) {
      const message = 'the object has been modified';
      return { status: 409, object: makeStatus(409, 'Conflict', message) };
    }
    if (uid !== undefined && uid !== known?.metadata.uid) {
      const message = `the provided object specified uid ${uid}, and it is another one now`;
      return { status: 409, object: makeStatus(409, 'Conflict', message) };
    }
    if (known && isApply && known.managers !== manager && query.get('force') !== 'true') {
      return { status: 409, object: conflict(known) };
    }
    const merged = { ...merge(known ?? {}, sent), ...(isApply && { managers: manager }) } as Stored;
    const applied = isApply ? replaceApplied(merged, sent, known, subresource) : merged;
    if (query.get('dryRun') === 'All') return { status: 200, object: applied };
    const { deletionTimestamp, finalizers = [] } = applied.metadata;
    const kept = store.put(resource, applied);
    // Pods have a grace besides.
    const isOver = deletionTimestamp !== undefined && resource.plural !== 'pods';
    if (isOver && finalizers.length === 0) store.delete(resource, namespace, name);
    return { status: known ? 200 : 201, object: kept };
  }

  function watch(resource: Resource, url: URL, response: ServerResponse): void {
    const version = Number(url.searchParams.get('resourceVersion'));
    const isSelected = selectorOf(url.searchParams);
    const missed = store.since(kindOf(resource), version);
    if (!missed) {
      reply(response, 410, makeStatus(410, 'Expired', 'too old resource version'));
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    const send = (type: string, object: KubeObject): void => {
      if (isSelected(object)) response.write(`${JSON.stringify({ type, object })}\n`);
    };
    for (const { type, object } of missed) send(type, object);
    const stop = store.onEvent((event) => {
      if (event.kind === kindOf(resource)) send(event.type, event.object);
    });
    const finish = (): void => {
      stop();
      watches.delete(response);
    };
    watches.set(response, finish);
    response.on('close', finish);
  }

  return {
    store,
    kubeconfig,
    requests,
    get watches() {
      return watches.size;
    },
    get unanswered() {
      return unanswered.size;
    },
    refuse(pattern, status, body, times = 1) {
      refusals.push({ pattern, status, body, left: times });
    },
    cut() {
      for (const [response, finish] of watches) {
        finish();
        response.write('{"type":"MODIFIED","object":{"metad', () => response.destroy());
      }
    },
    end() {
      for (const [response, finish] of watches) {
        finish();
        response.end();
      }
    },
    write(text) {
      for (const response of watches.keys()) response.write(text);
    },
    bookmark() {
      const object = { metadata: { resourceVersion: String(store.version) } };
      for (const response of watches.keys()) {
        response.write(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`);
      }
    },
    away,
    async close() {
      if (server.listening) await away(true);
      await rm(folder, { recursive: true });
    },
  };

  async function away(isAway: boolean): Promise<void> {
    if (!isAway) {
      await new Promise<void>((resolve) => {
        server.listen({ host: '127.0.0.1', port }, resolve);
      });
      return;
    }
    const closed = new Promise((resolve) => {
      server.close(resolve);
    });
    server.closeAllConnections();
    await closed;
  }
}

interface Target {
  readonly resource: Resource;
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string | undefined;
}

const PATH =
  /^(\/api\/v1|\/apis\/[^/]+\/[^/]+)(?:\/namespaces\/([^/]+))?\/([a-z]+)(?:\/([^/]+))?(?:\/([a-z]+))?$/;

function parsePath(path: string): Target | undefined {
  const [, root, namespace = '', plural, name = '', subresource] = PATH.exec(path) ?? [];
  if (root === undefined || plural === undefined) return undefined;
  return { resource: { root, plural }, namespace, name, subresource };
}

/** Terms of equality and of existence. */
function selectorOf(query: URLSearchParams): (object: KubeObject) => boolean {
  const terms = (query.get('labelSelector') ?? '').split(',').filter((term) => term !== '');
  const [field = '', wanted] = (query.get('fieldSelector') ?? '').split('=');
  return (object) => {
    const { labels = {} } = object.metadata;
    const isLabelled = terms.every((term) => {
      const [label = '', value] = term.split('=');
      return value === undefined ? label in labels : labels[label] === value;
    });
    return isLabelled && (field === '' || Reflect.get(object, field) === wanted);
  };
}

export function makeStatus(
  code: number,
  reason: string,
  message: string,
  details?: object,
): unknown {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message, details };
}

function notFound({ plural }: Resource, name: string): unknown {
  return makeStatus(404, 'NotFound', `${plural} "${name}" not found`, { kind: plural, name });
}

function conflict({ managers }: Stored): unknown {
  const by = managers ?? 'kubectl-create';
  const causes = [
    { reason: 'FieldManagerConflict', field: '.spec.template', message: `conflict with "${by}"` },
  ];
  return makeStatus(409, 'Conflict', 'Apply failed with 1 conflict', { causes });
}

function merge(known: object, sent: object): object {
  const merged: Record<string, unknown> = { ...known };
  for (const [key, value] of Object.entries(sent)) {
    const before = merged[key];
    if (value === null) delete merged[key];
    else merged[key] = isObject(before) && isObject(value) ? merge(before, value) : value;
  }
  return merged;
}

/** What a request to the object, or to its status, can change. */
function partOf(sent: Stored, subresource: string | undefined): Stored {
  const { status, spec, ...rest } = sent;
  if (subresource === 'status') return { ...rest, status };
  return 'spec' in sent ? { ...rest, spec } : rest;
}

/** What a manager has applied before and does not any more goes; of finalizers not those that others have set before. */
function replaceApplied(
  merged: Stored,
  sent: Stored,
  known: Stored | undefined,
  subresource: string | undefined,
): Stored {
  if (subresource === 'status') return { ...merged, status: sent.status };
  const ours = known?.appliedFinalizers ?? [];
  const others = (known?.metadata.finalizers ?? []).filter((each) => !ours.includes(each));
  const appliedFinalizers = (sent.metadata.finalizers ?? []).filter(
    (each) => !others.includes(each),
  );
  const finalizers = [...others, ...appliedFinalizers];
  const { finalizers: _, ...metadata } = merged.metadata;
  const held = { ...metadata, ...(finalizers.length > 0 && { finalizers }) };
  const spec = 'spec' in sent && { spec: sent.spec };
  return { ...merged, metadata: held, appliedFinalizers, ...spec };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function makeKubeconfig(port: number, certificate: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    clusters: [
      {
        name: 'test',
        cluster: {
          server: `https://127.0.0.1:${port}`,
          'certificate-authority-data': Buffer.from(certificate).toString('base64'),
        },
      },
    ],
    users: [{ name: 'test', user: { token: TOKEN } }],
  });
}
