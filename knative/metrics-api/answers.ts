import { Fault, type FaultCode, messageOf } from '#lib/fault.ts';
import { METRIC } from '../manifests/autoscaling.ts';
import { parseSelector } from './selector.ts';
import { GROUP_VERSION, type MetricSource, makeModelValues, makePodValues } from './values.ts';

/** The custom metrics API, as far as it is asked: what there is, and values. Refusals are Status objects, as there. */

export interface ApiAnswer {
  readonly status: number;
  readonly body: object;
}

const [GROUP = '', VERSION = ''] = GROUP_VERSION.split('/');
const ROOT = `/apis/${GROUP_VERSION}`;
const VALUES = /^\/namespaces\/([^/]+)\/([^/]+)\/([^/]+)\/([^/]+)$/;
const RESOURCES = new Map([
  ['pods', makePodValues],
  ['models.rouse.dev', makeModelValues],
]);
const REASONS: Partial<Record<FaultCode, string>> = {
  bad_request: 'BadRequest',
  unauthorized: 'Unauthorized',
  not_found: 'NotFound',
  method_not_allowed: 'MethodNotAllowed',
};

/** @param path With its query. Throws Faults. */
export function answerMetrics(
  { method, path }: { method: string; path: string },
  source: MetricSource,
  now: number,
): object {
  const { pathname, searchParams } = new URL(path, 'https://metrics.invalid');
  if (method !== 'GET') {
    throw new Fault('method_not_allowed', `${method}: expected GET, this API is only read`);
  }
  if (pathname === ROOT) return makeResources();
  if (pathname === `/apis/${GROUP}`) return makeGroup();
  if (!pathname.startsWith(`${ROOT}/`)) throw new Fault('not_found', `${pathname} is not here`);
  return listValues(pathname, searchParams, source, now);
}

export function makeRefusal(error: unknown): ApiAnswer {
  const [reason, code] =
    error instanceof Fault ? [REASONS[error.code], error.status] : [undefined, 500];
  const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code };
  return {
    status: code,
    body: { ...status, reason: reason ?? 'InternalError', message: messageOf(error) },
  };
}

function listValues(
  pathname: string,
  query: URLSearchParams,
  source: MetricSource,
  now: number,
): object {
  const [, ...parts] = VALUES.exec(pathname.slice(ROOT.length)) ?? [];
  const [namespace = '', resource = '', name = '', metric] = parts.map(decodePart);
  const make = RESOURCES.get(resource);
  if (!make || metric !== METRIC) {
    const known = Array.from(RESOURCES.keys(), (each) => `${each}/${METRIC}`).join(' or ');
    throw new Fault('not_found', `${pathname} is not here: expected ${known} of a namespace`);
  }
  const selects = parseSelector(query.get('labelSelector') ?? '');
  // Our metric has no labels of its own.
  const isOurs = parseSelector(query.get('metricLabelSelector') ?? '')({});
  const asked = { namespace, selects, name: name === '*' ? undefined : name };
  const items = isOurs ? make(source, asked, now) : [];
  if (items.length > 0) {
    return { kind: 'MetricValueList', apiVersion: GROUP_VERSION, metadata: {}, items };
  }
  const what = `${resource} ${name} in namespace ${namespace}`;
  throw new Fault('not_found', `${METRIC} of ${what}: nothing is known of it yet`);
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Fault('bad_request', `path: found "${part}", expected percent-encoded UTF-8`);
  }
}

function makeResources(): object {
  const resources = Array.from(RESOURCES.keys(), (resource) => ({
    name: `${resource}/${METRIC}`,
    singularName: '',
    namespaced: true,
    kind: 'MetricValueList',
    verbs: ['get'],
  }));
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: GROUP_VERSION, resources };
}

function makeGroup(): object {
  const version = { groupVersion: GROUP_VERSION, version: VERSION };
  const versions = { versions: [version], preferredVersion: version };
  return { kind: 'APIGroup', apiVersion: 'v1', name: GROUP, ...versions };
}
