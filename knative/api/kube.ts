import type { IncomingMessage } from 'node:http';
import type { Clock, Timer } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import type { Connection, KubeRequest } from './connection.ts';
import { GONE, makeAwayFault, makeKubeFault, makeLateFault } from './kube-fault.ts';
import type { KubeObject } from './objects.ts';
import { type Place, type Query, type Resource, describePlace, pathOf } from './resources.ts';
import { type WatchEvent, readEvents } from './watch-events.ts';

/** What Rouse does with objects of the cluster. Every method throws the Faults of `kube-fault.ts`. */
export interface Kube {
  /** Undefined when there is no such object. */
  get<T extends KubeObject>(resource: Resource<T>, place: Place): Promise<T | undefined>;
  list<T extends KubeObject>(resource: Resource<T>, selector: string): Promise<Listed<T>>;
  /** From this version on, until it ends or is aborted. `'gone'`: the version is too old to be known. */
  watch<T extends KubeObject>(
    resource: Resource<T>,
    from: WatchFrom,
  ): Promise<AsyncIterable<WatchEvent<T>> | 'gone'>;
  /**
   * Server-side apply: makes or changes it, and gives what it is then. `force`: fields that others have set become
   * ours; otherwise that is Fault `conflict`. `dryRun`: everything but doing it. `subresource`: only what belongs to
   * that, of an object that is there.
   */
  apply<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: { force: boolean; dryRun?: boolean; subresource?: 'status' },
  ): Promise<T>;
  /** Makes it. Fault `conflict`: there is one. `dryRun`: everything but doing it. */
  create<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options?: { dryRun: boolean },
  ): Promise<T>;
  /**
   * A JSON merge patch, and what it is then. With `metadata.resourceVersion` in it: Fault `conflict` when it is another
   * one by now.
   */
  merge<T extends KubeObject>(resource: Resource<T>, place: Place, patch: object): Promise<T>;
  /** Sets annotations; null: removes it. */
  annotate(
    resource: Resource,
    place: Place,
    annotations: Readonly<Record<string, string | null>>,
  ): Promise<void>;
  /** It need not be there. `uid`: only this one, not another of its name. */
  remove(resource: Resource, place: Place, uid?: string): Promise<void>;
  /** The end of a container's output. Nothing when there is no such container. */
  logs(place: Place, container: string, lines: number): Promise<string>;
}

export interface Listed<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

export interface WatchFrom {
  readonly selector: string;
  readonly resourceVersion: string;
  /** After so long the server ends it. */
  readonly seconds: number;
  readonly signal: AbortSignal;
}

/** Of server-side apply: what this manager has set belongs to Rouse, all else to others. */
export const FIELD_MANAGER = 'rouse';

/** For an answer, or the head of a watch; a webhook may take 30 seconds. */
const PATIENCE_MS = 45_000;
/** Beyond the time that a watch was asked for: then its connection is dead, although nobody says so. */
const GRACE_MS = 30_000;
/** As kubectl asks for. */
const PAGE = 500;
/** A page of large objects; far more than any answer that is right. */
const LONGEST_ANSWER = 128 * 2 ** 20;
const LONGEST_LOG = 2 ** 20;
/** Of what cannot be read, in messages. */
const SHOWN = 100;

export function createKube(connection: Connection, clock: Clock): Kube {
  async function send(
    request: Omit<KubeRequest, 'signal'>,
  ): Promise<{ status: number; body: string }> {
    return await withPatience(clock, PATIENCE_MS, async (signal) => {
      const response = await connection.send({ ...request, signal });
      return { status: response.statusCode ?? 0, body: await readBody(response) };
    });
  }

  async function call<T>(what: string, request: Omit<KubeRequest, 'signal'>): Promise<T> {
    const { status, body } = await send(request);
    if (status < 200 || status > 299) throw makeKubeFault({ status, body, what });
    try {
      return JSON.parse(body);
    } catch {
      throw new Fault(
        'bad_upstream',
        `${what}: the answer of the cluster is no JSON: ${body.slice(0, SHOWN)}`,
      );
    }
  }

  async function listPage<T extends KubeObject>(
    resource: Resource<T>,
    query: Query,
  ): Promise<ListPage<T>> {
    return await call(describePlace(resource, {}), {
      method: 'GET',
      path: pathOf(resource, {}, query),
    });
  }

  async function merge<T extends KubeObject>(
    resource: Resource<T>,
    place: Place,
    patch: object,
  ): Promise<T> {
    return await call(describePlace(resource, place), {
      method: 'PATCH',
      path: pathOf(resource, place, { fieldManager: FIELD_MANAGER }),
      type: 'application/merge-patch+json',
      body: JSON.stringify(patch),
    });
  }

  return {
    async get(resource, place) {
      const what = describePlace(resource, place);
      try {
        return await call(what, { method: 'GET', path: pathOf(resource, place) });
      } catch (error) {
        if (error instanceof Fault && error.code === 'not_found') return undefined;
        throw error;
      }
    },
    async list<T extends KubeObject>(resource: Resource<T>, selector: string): Promise<Listed<T>> {
      const items: T[] = [];
      let next: string | undefined;
      for (;;) {
        const query = {
          labelSelector: selector,
          fieldSelector: resource.fields,
          limit: PAGE,
          continue: next,
        };
        const { metadata, items: page } = await listPage<T>(resource, query);
        items.push(...page);
        next = metadata.continue;
        if (next === undefined || next === '') {
          return { items, resourceVersion: metadata.resourceVersion };
        }
      }
    },
    async watch(resource, { selector, resourceVersion, seconds, signal }) {
      const path = pathOf(
        resource,
        {},
        {
          watch: true,
          allowWatchBookmarks: true,
          labelSelector: selector,
          fieldSelector: resource.fields,
          resourceVersion,
          timeoutSeconds: seconds,
        },
      );
      const dead = new AbortController();
      const within = (ms: number): Timer => clock.after(ms, () => dead.abort(makeLateFault(ms)));
      let timer = within(PATIENCE_MS);
      try {
        const both = AbortSignal.any([signal, dead.signal]);
        const response = await connection.send({ method: 'GET', path, signal: both });
        const status = response.statusCode ?? 0;
        if (status === 200) {
          timer.cancel();
          timer = within(seconds * 1000 + GRACE_MS);
          return readUntilEnd(resource, response, timer);
        }
        const body = await readBody(response);
        timer.cancel();
        if (status === GONE) return 'gone';
        throw makeKubeFault({ status, body, what: describePlace(resource, {}) });
      } catch (error) {
        timer.cancel();
        throw error;
      }
    },
    async apply(resource, object, { force, dryRun = false, subresource }) {
      const { namespace, name } = object.metadata;
      const query = { fieldManager: FIELD_MANAGER, force, dryRun: dryRun ? 'All' : undefined };
      return await call(describePlace(resource, { namespace, name }), {
        method: 'PATCH',
        path: pathOf(resource, { namespace, name, ...(subresource && { subresource }) }, query),
        // JSON is YAML, which is what this type is.
        type: 'application/apply-patch+yaml',
        body: JSON.stringify(object),
      });
    },
    async create(resource, object, { dryRun } = { dryRun: false }) {
      const { namespace, name } = object.metadata;
      const query = { fieldManager: FIELD_MANAGER, dryRun: dryRun ? 'All' : undefined };
      return await call(describePlace(resource, { namespace, name }), {
        method: 'POST',
        path: pathOf(resource, { namespace }, query),
        type: 'application/json',
        body: JSON.stringify(object),
      });
    },
    merge,
    async annotate(resource, place, annotations) {
      await merge(resource, place, { metadata: { annotations } });
    },
    async remove(resource, place, uid) {
      const body = JSON.stringify({
        kind: 'DeleteOptions',
        apiVersion: 'v1',
        propagationPolicy: resource.lingers ? 'Foreground' : 'Background',
        ...(uid !== undefined && { preconditions: { uid } }),
      });
      const path = pathOf(resource, place);
      try {
        await call(describePlace(resource, place), {
          method: 'DELETE',
          path,
          type: 'application/json',
          body,
        });
      } catch (error) {
        if (!(error instanceof Fault) || error.code !== 'not_found') throw error;
      }
    },
    async logs(place, container, lines) {
      const query = { container, tailLines: lines, timestamps: true, limitBytes: LONGEST_LOG };
      const resource = { root: '/api/v1', plural: 'pods' };
      const path = pathOf(resource, { ...place, subresource: 'log' }, query);
      const { status, body } = await send({ method: 'GET', path });
      // A container that has not begun has no output: 400. A pod that has gone: 404.
      if (status === 400 || status === 404) return '';
      if (status === 200) return body;
      throw makeKubeFault({ status, body, what: describePlace(resource, place) });
    },
  };
}

interface ListPage<T> {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly T[];
}

async function* readUntilEnd<T extends KubeObject>(
  resource: Resource<T>,
  response: IncomingMessage,
  timer: Timer,
): AsyncIterable<WatchEvent<T>> {
  try {
    yield* readEvents(resource, response);
  } finally {
    timer.cancel();
    response.destroy();
  }
}

async function withPatience<T>(
  clock: Clock,
  ms: number,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const patience = new AbortController();
  const timer = clock.after(ms, () => patience.abort(makeLateFault(ms)));
  try {
    return await run(patience.signal);
  } finally {
    timer.cancel();
  }
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > LONGEST_ANSWER) break;
      chunks.push(chunk);
    }
  } catch (error) {
    throw makeAwayFault(error);
  }
  if (size <= LONGEST_ANSWER) return Buffer.concat(chunks).toString();
  throw new Fault(
    'bad_upstream',
    `an answer of the cluster is longer than ${LONGEST_ANSWER} bytes`,
  );
}
