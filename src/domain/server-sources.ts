import { Fault, type Problem } from '#lib/fault.ts';
import { readBudgetText } from './budgets.ts';
import { parseDocument, summaryOf } from './parse.ts';
import {
  DEFAULT_MEMORY_SHARE,
  SERVER_FIELDS,
  serverDocument,
  type KnativeBatch,
  type ServerField,
  type ServerSettings,
  type ServerSpec,
} from './server.ts';

export interface ServerSources {
  /** The server document, as read. */
  readonly file?: { readonly name: string; readonly value: unknown };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By flag name, such as `--listen`. */
  readonly flags: Readonly<Record<string, string | true>>;
  /** Bytes of memory that the machine has. */
  readonly totalMemory: number;
}

/**
 * Merges what was said: file < environment < flags. Throws Fault `invalid` with all problems of all
 * sources, those of values that lose included, each naming where it was said.
 */
export function parseServer(sources: ServerSources): ServerSettings {
  const { file, env, flags, totalMemory } = sources;
  const said = [
    { spec: specOf(file?.value), name: (key: string) => `${file?.name ?? ''}: ${key}` },
    { spec: specFrom((row) => env[row.env]), name: renamer((row) => row.env) },
    { spec: specFrom((row) => flags[row.flag]), name: renamer((row) => row.flag) },
  ];
  const problems = said.flatMap(({ spec, name }, index) =>
    problemsOf(index === 0 && file ? file.value : documentOf(spec)).map(
      ({ key, value, expected }) => ({ key: name(key), value, expected }),
    ),
  );
  refuse(problems);
  const { spec } = serverDocument.parse(documentOf(merge(said.map((each) => each.spec))));
  refuse(problemsBetween(spec));
  const { runtime, knative, ...rest } = spec;
  const { certificate = [], key = [] } = spec.tls;
  const { image = '', control = '', metrics, models } = knative;
  const batch = batchOf(knative);
  return {
    ...rest,
    knative: runtime === 'knative' ? { image, control, metrics, models, batch } : undefined,
    memory: spec.memory ?? Math.floor(totalMemory * DEFAULT_MEMORY_SHARE),
    tls: certificate.map((each, i) => ({ certificate: each, key: key[i] ?? '' })),
  };
}

function batchOf({
  batch: { folder, claim, requests },
}: ServerSpec['knative']): KnativeBatch | undefined {
  if (folder === undefined) return undefined;
  if (claim === undefined || requests === undefined) return { folder, shards: undefined };
  const [namespace = '', name = ''] = claim.split('/');
  return { folder, shards: { claim: { namespace, name }, requests } };
}

function refuse(problems: readonly Problem[]): void {
  if (problems.length === 0) return;
  const summary = summaryOf('The settings of the server', { problems, more: 0 });
  throw new Fault('invalid', summary, { problems });
}

/** What is wrong only together: each half may have been said elsewhere. */
function problemsBetween(spec: ServerSpec): Problem[] {
  const { tls, trustedProxies, proxyProtocol } = spec;
  const problems = problemsOfKnative(spec);
  const { certificate = [], key = [] } = tls;
  if (certificate.length !== key.length) {
    problems.push(problemOfPairs(certificate, key));
  }
  if (proxyProtocol && trustedProxies.length === 0) {
    const expected = 'the proxies that proxyProtocol is taken from';
    problems.push({ key: 'trustedProxies', value: '[]', expected });
  }
  return problems;
}

function problemsOfKnative({ runtime, knative }: ServerSpec): Problem[] {
  if (runtime !== 'knative') return [];
  const { image, control, batch } = knative;
  return [
    ...(image === undefined ? [missing('knative.image', 'the image of the model servers')] : []),
    ...(control === undefined
      ? [missing('knative.control', "control's address as pods reach it")]
      : []),
    ...problemsOfBatch(batch),
  ];
}

function problemsOfBatch({ folder, claim, requests }: ServerSpec['knative']['batch']): Problem[] {
  const more = claim !== undefined || requests !== undefined;
  return [
    ...(more && folder === undefined
      ? [missing('knative.batch.folder', 'where the volume of the claim is mounted')]
      : []),
    ...(claim === undefined && requests !== undefined
      ? [missing('knative.batch.claim', 'the claim of the volume that pods of jobs mount')]
      : []),
    ...(claim !== undefined && requests === undefined
      ? [missing('knative.batch.requests', "the data plane's address as pods reach it")]
      : []),
  ];
}

function problemOfPairs(certificate: readonly string[], key: readonly string[]): Problem {
  if (certificate.length === 0) return missing('tls.certificate', 'the certificate of the key');
  if (key.length === 0) return missing('tls.key', 'the key of the certificate');
  const expected = `as many as tls.certificate has: ${certificate.length}`;
  return { key: 'tls.key', value: JSON.stringify(key), expected };
}

function missing(path: string, what: string): Problem {
  const row = SERVER_FIELDS.find((each) => each.path === path);
  const expected = `${row?.flag} (or ${row?.env}) with ${what}`;
  return { key: path, value: 'nothing', expected };
}

type Spec = Readonly<Record<string, unknown>>;

function documentOf(spec: Spec): unknown {
  return { apiVersion: 'rouse.dev/v1alpha1', kind: 'Server', spec };
}

function specOf(document: unknown): Spec {
  const spec = isObject(document) ? document['spec'] : undefined;
  return isObject(spec) ? spec : {};
}

function problemsOf(document: unknown): readonly Problem[] {
  try {
    parseDocument(serverDocument, document, 'server');
    return [];
  } catch (error) {
    if (error instanceof Fault) return error.problems;
    throw error;
  }
}

/** `spec.limits.bodyBytes` becomes the name under which the reader gave it. */
function renamer(nameOf: (row: ServerField) => string): (key: string) => string {
  return (key) => {
    const [whole = ''] = /\[[0-9]+\].*$/.exec(key) ?? [];
    const path = key.slice('spec.'.length, key.length - whole.length);
    const row = SERVER_FIELDS.find((each) => each.path === path);
    return row ? nameOf(row) + whole : key;
  };
}

function specFrom(textOf: (row: ServerField) => string | true | undefined): Spec {
  let spec: Spec = {};
  for (const row of SERVER_FIELDS) {
    const text = textOf(row);
    if (text !== undefined && text !== '') spec = withValue(spec, row.path, valueOf(row, text));
  }
  return spec;
}

function valueOf({ kind }: ServerField, text: string | true): unknown {
  if (text === true || kind === 'text') return text;
  if (kind === 'list') return partsOf(text);
  if (kind === 'budgets') return partsOf(text).map(readBudgetText);
  if (kind === 'number') return /^-?[0-9]+$/.test(text) ? Number(text) : text;
  return text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : text;
}

function partsOf(text: string): string[] {
  return text.split(',').map((part) => part.trim());
}

function merge(specs: readonly Spec[]): Spec {
  let merged: Spec = {};
  for (const spec of specs) {
    for (const { path } of SERVER_FIELDS) {
      const value = valueAt(spec, path);
      if (value !== undefined) merged = withValue(merged, path, value);
    }
  }
  return merged;
}

function valueAt(spec: Spec, path: string): unknown {
  const [head, rest] = splitPath(path);
  const value = spec[head];
  if (rest === '') return value;
  return isObject(value) ? valueAt(value, rest) : undefined;
}

function withValue(spec: Spec, path: string, value: unknown): Spec {
  const [head, rest] = splitPath(path);
  if (rest === '') return { ...spec, [head]: value };
  const below = spec[head];
  return { ...spec, [head]: withValue(isObject(below) ? below : {}, rest, value) };
}

function splitPath(path: string): [head: string, rest: string] {
  const [head = '', ...rest] = path.split('.');
  return [head, rest.join('.')];
}

function isObject(value: unknown): value is Spec {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
