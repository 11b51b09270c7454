import { createHash } from 'node:crypto';
import type { Ingress, IngressPath, IngressRule, IngressSplit, IngressTls } from './objects.ts';

/**
 * The hash of an Ingress that a gateway shows when it serves it: SHA-256, in hex, of the spec as Go writes it as JSON,
 * then namespace and name (`ComputeHash` of knative.dev/networking/pkg/ingress). Go writes the fields of a struct in the
 * order of its type, those of a map sorted, and leaves out what is empty.
 */
export function hashOf({ metadata, spec = {} }: Ingress): string {
  const json = object([
    ['tls', list(spec.tls, tls)],
    ['rules', list(spec.rules, rule)],
    ['httpOption', text(spec.httpOption)],
  ]);
  const { namespace = '', name } = metadata;
  return createHash('sha256').update(json).update(namespace).update(name).digest('hex');
}

/** JSON; undefined: it is left out. */
type Json = string | undefined;

function tls({ hosts, secretName, secretNamespace }: IngressTls): string {
  return object([
    ['hosts', list(hosts, quote)],
    ['secretName', text(secretName)],
    ['secretNamespace', text(secretNamespace)],
  ]);
}

function rule({ hosts, visibility, http }: IngressRule): string {
  return object([
    ['hosts', list(hosts, quote)],
    ['visibility', text(visibility)],
    ['http', http && object([['paths', `[${(http.paths ?? []).map(path).join()}]`]])],
  ]);
}

function path(of: IngressPath): string {
  return object([
    ['path', text(of.path)],
    ['rewriteHost', text(of.rewriteHost)],
    ['headers', map(of.headers, ({ exact = '' }) => object([['exact', quote(exact)]]))],
    ['splits', `[${(of.splits ?? []).map(split).join()}]`],
    ['appendHeaders', map(of.appendHeaders, quote)],
  ]);
}

function split(of: IngressSplit): string {
  return object([
    ['serviceNamespace', quote(of.serviceNamespace ?? '')],
    ['serviceName', quote(of.serviceName ?? '')],
    [
      'servicePort',
      typeof of.servicePort === 'string' ? quote(of.servicePort) : `${of.servicePort ?? 0}`,
    ],
    ['percent', of.percent === undefined || of.percent === 0 ? undefined : `${of.percent}`],
    ['appendHeaders', map(of.appendHeaders, quote)],
  ]);
}

function object(fields: readonly (readonly [string, Json])[]): string {
  const kept = fields.filter(([, value]) => value !== undefined);
  return `{${kept.map(([name, value]) => `"${name}":${value}`).join()}}`;
}

function list<T>(items: readonly T[] | undefined, format: (item: T) => string): Json {
  return items === undefined || items.length === 0 ? undefined : `[${items.map(format).join()}]`;
}

function map<T>(
  values: Readonly<Record<string, T>> | undefined,
  format: (value: T) => string,
): Json {
  const keys = Object.keys(values ?? {}).toSorted(byBytes);
  if (values === undefined || keys.length === 0) return undefined;
  return `{${keys.map((key) => `${quote(key)}:${format(values[key]!)}`).join()}}`;
}

function text(value: string | undefined): Json {
  return value === undefined || value === '' ? undefined : quote(value);
}

/** Go escapes what HTML and old JavaScript would misread, too. */
function quote(value: string): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
