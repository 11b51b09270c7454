import { Fault } from '#lib/fault.ts';
import { keyOf, type Texts } from '../api/objects.ts';
import { hashOf } from './hash.ts';
import { expandHosts } from './hosts.ts';
import { type Ingress, type IngressPath, type IngressRule, type IngressSplit } from './objects.ts';

/** One Ingress, understood. */
export interface Routing {
  /** `namespace/name` of the Ingress. */
  readonly key: string;
  /** A gateway shows it as a sign that it serves this. */
  readonly hash: string;
  /** Of two that claim a host the older one has it. */
  readonly createdAt: string;
  readonly hosts: readonly HostRules[];
  readonly certificates: readonly CertificateRule[];
}

export interface HostRules {
  /** In lower case. */
  readonly names: readonly string[];
  /** Else only callers in the cluster know of it. */
  readonly isPublic: boolean;
  /** Who comes from outside by plain HTTP is sent to HTTPS. */
  readonly redirects: boolean;
  /** The first that fits takes the request. */
  readonly paths: readonly PathRule[];
}

export interface PathRule {
  /** What the path begins with. */
  readonly prefix: string;
  /** Names in lower case, and the values that they must have. */
  readonly headers: readonly (readonly [string, string])[];
  /** It is the way of probes, which are told this hash. */
  readonly probe?: string;
  readonly splits: readonly SplitRule[];
}

export interface SplitRule {
  readonly backend: BackendName;
  readonly percent: number;
  /** Fields that the request gets, in the place of the caller's. */
  readonly set: Texts;
  /** In the place of the caller's. */
  readonly host: string | undefined;
}

/** A port of a Service. */
export interface BackendName {
  readonly namespace: string;
  readonly service: string;
  /** Its number or its name. */
  readonly port: number | string;
}

export interface CertificateRule {
  /** In lower case. */
  readonly hosts: readonly string[];
  /** `namespace/name`. */
  readonly secret: string;
}

/** The field of probes, and what stands in it when the gateway shall show its hash. */
const HASH_FIELD = 'k-network-hash';
const OVERRIDE = 'override';

/** What a request can say (RFC 3986, 3.3; RFC 9110, 5). Probes say it, too. */
const PATH = /^(?:\/[!"$->@-~]*)?$/;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const VALUE = /^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?$/;

/**
 * What an Ingress asks for. Throws Fault `invalid` with all that is wrong with it.
 *
 * @param domain of the cluster, such as `cluster.local`.
 */
export function parseRouting(ingress: Ingress, domain: string): Routing {
  const { metadata, spec = {} } = ingress;
  const { namespace = '', creationTimestamp = '' } = metadata;
  const hash = hashOf(ingress);
  const redirects = spec.httpOption === 'Redirected';
  const certificates = (spec.tls ?? []).map(({ hosts = [], secretName, secretNamespace }) => {
    if (secretNamespace !== undefined && secretNamespace !== '' && secretNamespace !== namespace) {
      throw invalid(
        `the Secret ${secretName} is in namespace ${secretNamespace}; expected ${namespace}`,
      );
    }
    return { hosts: hosts.map((host) => host.toLowerCase()), secret: `${namespace}/${secretName}` };
  });
  const hosts = (spec.rules ?? []).map((rule) =>
    parseRule(rule, { namespace, hash, domain, redirects }),
  );
  return { key: keyOf(ingress), hash, createdAt: creationTimestamp, hosts, certificates };
}

/** Each once. */
export function backendsOf({ hosts }: Routing): Map<string, BackendName> {
  const all = hosts.flatMap(({ paths }) => paths.flatMap(({ splits }) => splits));
  return new Map(all.map(({ backend }) => [backendKey(backend), backend]));
}

/** `namespace/name` of the Service. */
export function serviceKey({ namespace, service }: BackendName): string {
  return `${namespace}/${service}`;
}

/** `namespace/service:port`. */
export function backendKey({ namespace, service, port }: BackendName): string {
  return `${namespace}/${service}:${port}`;
}

interface Around {
  readonly namespace: string;
  readonly hash: string;
  readonly domain: string;
  readonly redirects: boolean;
}

function parseRule({ hosts = [], visibility, http }: IngressRule, around: Around): HostRules {
  const isPublic = visibility !== 'ClusterLocal';
  const names = [...expandHosts(hosts, around.domain)];
  if (names.length === 0) throw invalid('a rule has no host');
  const plain = (http?.paths ?? []).map((path) => parsePath(path, around));
  const paths = [...plain.map((path) => makeProbePath(path, around.hash)), ...plain];
  return {
    names,
    isPublic,
    redirects: isPublic && around.redirects,
    paths: paths.toSorted(byPrecedence),
  };
}

function parsePath(path: IngressPath, { namespace }: Around): PathRule {
  const {
    path: prefix = '',
    headers = {},
    splits = [],
    appendHeaders = {},
    rewriteHost = '',
  } = path;
  if (!PATH.test(prefix)) {
    throw invalid(`path ${prefix}: expected a / and then visible ASCII without ? and #`);
  }
  const only = splits.length === 1;
  const rows = splits.map((split) => ({
    backend: parseBackend(split, namespace),
    percent: parsePercent(split.percent ?? (only ? 100 : 0)),
    set: { ...appendHeaders, ...split.appendHeaders },
    host: rewriteHost === '' ? undefined : rewriteHost,
  }));
  const total = rows.reduce((sum, { percent }) => sum + percent, 0);
  if (total !== 100) throw invalid(`path ${prefix || '/'}: the split has ${total} %; expected 100`);
  return {
    prefix,
    headers: Object.entries(headers).map(([name, { exact = '' }]) => parseHeader(name, exact)),
    splits: rows,
  };
}

function parsePercent(percent: number): number {
  if (Number.isInteger(percent) && percent >= 0 && percent <= 100) return percent;
  throw invalid(`percent ${percent}: expected a whole number from 0 to 100`);
}

function parseHeader(name: string, exact: string): readonly [string, string] {
  if (TOKEN.test(name) && VALUE.test(exact)) return [name.toLowerCase(), exact];
  const shown = JSON.stringify(`${name}: ${exact}`);
  throw invalid(`header ${shown}: no request can have it; expected a name and a value of HTTP`);
}

function parseBackend(split: IngressSplit, own: string): BackendName {
  const { serviceNamespace = own, serviceName, servicePort } = split;
  if (serviceName === undefined || servicePort === undefined) {
    throw invalid('a split names no Service with a port');
  }
  if (serviceNamespace !== own) {
    throw invalid(`Service ${serviceName} is in namespace ${serviceNamespace}; expected ${own}`);
  }
  return { namespace: serviceNamespace, service: serviceName, port: servicePort };
}

/** The same way for a request that asks which rules it goes by. */
function makeProbePath(path: PathRule, hash: string): PathRule {
  return {
    ...path,
    headers: [...path.headers, [HASH_FIELD, OVERRIDE]],
    probe: hash,
    splits: path.splits.map((split) => ({
      ...split,
      set: { ...split.set, 'K-Network-Hash': hash },
    })),
  };
}

/** The longest prefix first, of these the one with the most headers; else as they were written. */
function byPrecedence(a: PathRule, b: PathRule): number {
  return b.prefix.length - a.prefix.length || b.headers.length - a.headers.length;
}

function invalid(what: string): Fault {
  return new Fault('invalid', what);
}
