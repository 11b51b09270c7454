import { isRequestId } from '#domain/async-request.ts';
import { DEFAULT_NAMESPACE, modelKey } from '#domain/names.ts';
import {
  type Destination,
  type Dialect,
  makeUnknown,
  type ToActivator,
  type ToModel,
  type ToRequest,
} from '../addressing.ts';
import type { RequestHead } from '../http/request-head.ts';
import { quote } from '../quote.ts';
import type { ModelRoute, Routes } from '../routes.ts';

const V2 = /^\/v2\/models\/([^/?]+)(?:\/versions\/([^/?]+))?(\/[^?]*)?(?:\?.*)?$/;
const V1 = /^\/v1\/models\/([^/?:]+)(:[a-z]+)?(?:\?.*)?$/;
const STATUS = /^\/status\/models\/([^/?]+)\/([^/?]+)(?:\?.*)?$/;
const REQUEST = /^\/requests\/([^/?]+)(\/answer)?(?:\?.*)?$/;
const BY_PATH = /^\/models\/([^/?]+)\/([^/?]+)(\/[^?]*)?(\?.*)?$/;

/** Finds where a request goes: to its model, or with `Rouse-Status` to what is known of it. */
export function findDestination(head: RequestHead, routes: Routes): Destination {
  const asked = head.target.startsWith('/requests/') ? findRequest(head) : undefined;
  if (asked) return asked;
  const found = findModel(head, routes);
  if (head.rouseStatus === '' || !isRead(head)) return found;
  if ((found.kind !== 'model' && found.kind !== 'local') || !found.model) return found;
  const { model, revision, tag } = found;
  return { kind: 'status', model, revision, tag };
}

/** Header, host, path, V2, V1, OpenAI; the first that applies wins. */
function findModel(head: RequestHead, routes: Routes): Destination {
  if (head.rouseModel !== '') return byHeader(head, routes);
  const host = routes.findHost(head.hostname);
  if (host) return toModel(host.model, head.rouseRevision, head.target, 'problem', host.tag);
  if (routes.isModelHost(head.hostname)) {
    const detail = `There is no model at host ${quote(head.hostname)}.`;
    return makeUnknown(detail, dialectOf(head.target));
  }
  const { target } = head;
  if (target.startsWith('/models/')) return byPath(head, routes);
  if (target.startsWith('/status/')) return byStatus(head, routes);
  if (target.startsWith('/v2')) return byV2(head, routes);
  if (target.startsWith('/v1/')) return byV1(head, routes);
  if (target === '/healthz') return { kind: 'local', what: 'health', revision: '' };
  return makeUnknown(
    `No model is addressed by ${head.host === '' ? '' : `host ${head.hostname} and `}path ${pathOf(target)}. ` +
      'Name one by the Rouse-Model header, its host, /models/NAMESPACE/MODEL/ or /v2/models/MODEL/infer.',
    'problem',
  );
}

/** Also at hosts of models: a path with such an id in it is none of theirs. */
function findRequest({ method, target }: RequestHead): ToRequest | undefined {
  const [, id = '', answer] = REQUEST.exec(target) ?? [];
  if (!isRequestId(id)) return undefined;
  const isTaken = method === 'GET' || method === 'HEAD' || (method === 'DELETE' && !answer);
  return isTaken ? { kind: 'request', id, what: answer ? 'answer' : 'state' } : undefined;
}

/** The model that the `model` field of an OpenAI request names: `model` or `namespace/model`. */
export function findNamed(name: unknown, target: string, routes: Routes): Destination {
  if (typeof name !== 'string' || name === '') {
    return makeUnknown('The body has no "model" field that names a model.', 'openai');
  }
  const model = lookup(name, routes);
  if (!model) return makeUnknown(`There is no model ${quote(name)}.`, 'openai');
  return toModel(model, '', target, 'openai');
}

function byHeader(head: RequestHead, routes: Routes): Destination {
  const model = lookup(head.rouseModel, routes);
  const dialect = dialectOf(head.target);
  if (!model) return makeUnknown(`There is no model ${quote(head.rouseModel)}.`, dialect);
  return toModel(model, head.rouseRevision, head.target, dialect);
}

function byPath(head: RequestHead, routes: Routes): Destination {
  const parts = BY_PATH.exec(head.target);
  if (!parts) return makeUnknown('The path must be /models/NAMESPACE/MODEL/…');
  const [, namespace = '', name = '', rest = '/', query = ''] = parts;
  const model = routes.models.get(modelKey(namespace, name));
  if (!model) return makeUnknown(`There is no model ${quote(`${namespace}/${name}`)}.`);
  return toModel(model, head.rouseRevision, rest + query, 'problem');
}

function byStatus(head: RequestHead, routes: Routes): Destination {
  const parts = STATUS.exec(head.target);
  if (!parts || !isRead(head)) {
    return makeUnknown('The status of a model is at GET /status/models/NAMESPACE/MODEL.');
  }
  const [, namespace = '', name = ''] = parts;
  const model = routes.models.get(modelKey(namespace, name));
  if (!model) return makeUnknown(`There is no model ${quote(`${namespace}/${name}`)}.`);
  return { kind: 'status', model, revision: head.rouseRevision, tag: undefined };
}

function isRead({ method }: RequestHead): boolean {
  return method === 'GET' || method === 'HEAD';
}

function byV2(head: RequestHead, routes: Routes): Destination {
  const path = pathOf(head.target);
  if (path === '/v2' || path === '/v2/') return { kind: 'local', what: 'v2-server', revision: '' };
  if (path === '/v2/health/live') return { kind: 'local', what: 'v2-live', revision: '' };
  if (path === '/v2/health/ready') return { kind: 'local', what: 'v2-ready', revision: '' };
  const parts = V2.exec(head.target);
  const [, name = '', version = head.rouseRevision, rest = ''] = parts ?? [];
  const model = parts ? lookup(name, routes) : undefined;
  if (!parts) return makeUnknown(`There is nothing at ${path}.`, 'v2');
  if (!model) return makeUnknown(`There is no model ${quote(name)}.`, 'v2');
  if (rest === '' || rest === '/') return local('v2-model', model, version);
  if (rest === '/ready') return local('v2-model-ready', model, version);
  return toModel(model, version, head.target, 'v2');
}

function byV1(head: RequestHead, routes: Routes): Destination {
  if (pathOf(head.target) === '/v1/models') {
    return { kind: 'local', what: 'openai-models', revision: '' };
  }
  const parts = V1.exec(head.target);
  if (!parts) return head.method === 'POST' ? { kind: 'body' } : notHere(head.target);
  const [, name = '', verb] = parts;
  const model = lookup(name, routes);
  if (!model) return makeUnknown(`There is no model ${quote(name)}.`, dialectOf(head.target));
  if (verb === undefined) return local('v1-model', model, head.rouseRevision);
  return toModel(model, head.rouseRevision, head.target, dialectOf(head.target));
}

function notHere(target: string): Destination {
  return makeUnknown(`There is nothing to GET at ${pathOf(target)}.`, 'openai');
}

/** `name`: `model` or `namespace/model`. */
export function lookup(name: string, routes: Routes): ModelRoute | undefined {
  return routes.models.get(name.includes('/') ? name : modelKey(DEFAULT_NAMESPACE, name));
}

function toModel(
  model: ModelRoute,
  revision: string,
  path: string,
  dialect: Dialect,
  tag?: string,
): ToModel {
  return { kind: 'model', model, revision, tag, path, dialect };
}

function local(what: ToActivator['what'], model: ModelRoute, revision: string): ToActivator {
  return { kind: 'local', what, model, revision };
}

/** V1 has the envelope of V2; its paths begin as those of OpenAI do. */
function dialectOf(target: string): Dialect {
  if (target.startsWith('/v2/') || V1.exec(target)?.[2] !== undefined) return 'v2';
  return target.startsWith('/v1/') ? 'openai' : 'problem';
}

function pathOf(target: string): string {
  const query = target.indexOf('?');
  return query < 0 ? target : target.slice(0, query);
}
