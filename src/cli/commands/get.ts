import type { Command } from 'commander';
import {
  type ModelAnswer,
  readAsyncRequests,
  readDeleted,
  readDeliveries,
  readEvents,
  readInstances,
  readJob,
  readKeys,
  readModel,
  readRevisions,
} from '#domain/read-views.ts';
import { formatTraffic } from '#domain/traffic-text.ts';
import { formatTime } from '#domain/units.ts';
import { formatSize } from '#domain/format-size.ts';
import { Fault } from '#lib/fault.ts';
import { type Client, modelPath, namespacePath } from '../client.ts';
import type { Io } from '../io.ts';
import { makeMeasuredRow, MEASURED_HEAD, readMeasured } from '../measured.ts';
import { jobPath, listJobs, makeJobRows } from '../jobs.ts';
import { listModels, modelClientFor } from '../models.ts';
import {
  listSchedules,
  makeRunRows,
  makeScheduleRows,
  readRunsOf,
  readScheduleOf,
} from '../schedules.ts';
import { clientFor, type Common, namespaceOf, parseCount } from '../options.ts';
import { listAll, listFirst } from '../pages.ts';
import { KEYS_PATH, makeKeyRows } from './key.ts';
import { formatAge, print } from '../print.ts';

/** What was asked for, and how a table shows it. */
interface Listing {
  readonly value: unknown;
  readonly rows: readonly (readonly string[])[];
  /** There are more than these. */
  readonly more?: boolean;
}

interface Question {
  readonly client: Client;
  /** Undefined: all, and rows say which. */
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  /** Of those that are many. */
  readonly limit: number;
  readonly now: number;
}

const DELETED_PATH = '/api/v1/deleted';
/** More nobody reads on a terminal. */
const DEFAULT_LIMIT = 100;

const KINDS: Readonly<Record<string, (question: Question) => Promise<Listing>>> = {
  models: getModels,
  revisions: getRevisions,
  instances: getInstances,
  jobs: getJobs,
  schedules: getSchedules,
  runs: getRuns,
  measures: getMeasures,
  events: getEvents,
  requests: getRequests,
  deliveries: getDeliveries,
  keys: getKeys,
};

/** What is named for these is no model. */
const NOT_OF_MODELS: ReadonlySet<unknown> = new Set([getJobs, getSchedules, getRuns]);
/** There may be very many of these. */
const LIMITED: ReadonlySet<unknown> = new Set([getRequests, getDeliveries]);

export function addGet(program: Command, io: Io): void {
  const kinds = Object.keys(KINDS).join(', ');
  program
    .command('get')
    .description('show what there is')
    .argument('<kind>', kinds)
    .argument('[name]', 'one model, or the model that they belong to; one job or schedule')
    .option('-A, --all-namespaces', 'of all namespaces')
    .option('--deleted', 'models: those that can be restored')
    .option(
      '--limit <count>',
      `requests and deliveries: how many, ${DEFAULT_LIMIT} by default`,
      parseCount,
    )
    .action(async (kind: string, name: string | undefined, _options, command: Command) => {
      const options = command.optsWithGlobals<
        Common & { allNamespaces?: boolean; deleted?: boolean; limit?: number }
      >();
      const all = options.allNamespaces === true;
      if (all && name !== undefined) {
        command.error('error: --all-namespaces lists all: leave out the name');
      }
      const isDeleted = options.deleted === true;
      const known =
        KINDS[kind] ??
        KINDS[`${kind}s`] ??
        command.error(`error: ${kind}: expected one of ${kinds}`);
      if (isDeleted && (known !== getModels || name !== undefined)) {
        command.error('error: --deleted lists models: get models --deleted');
      }
      const { limit = DEFAULT_LIMIT } = options;
      if (options.limit !== undefined && (limit === 0 || !LIMITED.has(known))) {
        command.error('error: --limit is how many requests or deliveries, 1 or more');
      }
      const get = isDeleted ? getDeleted : known;
      const client =
        name === undefined || NOT_OF_MODELS.has(known)
          ? clientFor(io, options)
          : modelClientFor(io, options, name);
      const namespace = all ? undefined : namespaceOf(options);
      const question = { client, namespace, name, limit, now: io.clock.now() };
      const { value, rows, more = false } = await get(question);
      if (rows.length > 1 || options.output !== 'table') {
        print(io.stdout, options.output, value, () => rows);
      } else
        io.stderr.write(
          `no ${isDeleted ? 'deleted ' : ''}${kind} in ${all ? 'any namespace' : `namespace ${namespace}`}\n`,
        );
      if (more) io.stderr.write(`There are more: --limit ${limit * 10} shows more of them.\n`);
    });
}

async function getModels(question: Question): Promise<Listing> {
  const { client, namespace, name } = question;
  if (name !== undefined && namespace !== undefined) {
    const model = await client.call({ path: modelPath(namespace, name) }, readModel);
    return { value: model, rows: makeModelRows([model], question) };
  }
  const models = await listModels(client, namespace);
  return { value: models, rows: makeModelRows(models, question) };
}

function makeModelRows(models: readonly ModelAnswer[], question: Question): string[][] {
  const rows = models.map(({ metadata, status }) => [
    ...ofNamespace(question, metadata.namespace),
    metadata.name,
    [...new Set(status.revisions.map(({ runtime }) => runtime))].join(','),
    status.state,
    formatTraffic(status.traffic, status.shadow) || '-',
    String(status.instances.length),
    formatAge(question.now, status.createdAt),
    reasonOf(status),
  ]);
  const header = ['NAME', 'RUNTIME', 'STATE', 'TRAFFIC', 'INSTANCES', 'AGE', 'REASON'];
  return [[...ofNamespace(question, 'NAMESPACE'), ...header], ...rows];
}

/** The first cell of a row, where rows of several namespaces stand together. */
function ofNamespace({ namespace }: Pick<Question, 'namespace'>, cell: string): string[] {
  return namespace === undefined ? [cell] : [];
}

/** Why no request is served, of the newest revision that says so. */
function reasonOf({ state, revisions }: ModelAnswer['status']): string {
  if (state !== 'Failed' && state !== 'Preparing') return '';
  const [line = ''] = revisions.at(-1)?.reason.split('\n') ?? [];
  return line;
}

async function getRevisions(question: Question): Promise<Listing> {
  const { client, now } = question;
  const items = [];
  const rows: string[][] = [];
  for (const { namespace, model } of await modelsOf(question)) {
    const path = modelPath(namespace, model, 'revisions');
    const page = await client.call({ path }, readRevisions);
    items.push(...page.items);
    for (const item of page.items) {
      const { name, spec, state, coldStartSeconds, createdAt, lineage, reason } = item;
      const cold = coldStartSeconds === 0 ? '-' : `${coldStartSeconds.toFixed(2)}s`;
      const age = formatAge(now, createdAt);
      const [why = ''] = reason.split('\n');
      const first = ofNamespace(question, namespace);
      const from = lineage ? `${lineage.parent} by ${lineage.job}` : '-';
      rows.push([...first, model, name, spec.runtime, state, cold, age, from, why]);
    }
  }
  const header = ['MODEL', 'NAME', 'RUNTIME', 'STATE', 'COLD START', 'AGE', 'FROM', 'REASON'];
  return { value: items, rows: [[...ofNamespace(question, 'NAMESPACE'), ...header], ...rows] };
}

async function getInstances(question: Question): Promise<Listing> {
  const { client, now } = question;
  const items = [];
  const rows: string[][] = [];
  for (const { namespace, model } of await modelsOf(question)) {
    const path = modelPath(namespace, model, 'instances');
    const page = await client.call({ path }, readInstances);
    items.push(...page.items);
    for (const { id, revision, state, memoryBytes, cpuSeconds, askedAt } of page.items) {
      const memory = memoryBytes === 0 ? '-' : formatSize(memoryBytes);
      const age = formatAge(now, askedAt);
      const first = ofNamespace(question, namespace);
      rows.push([...first, id, model, revision, state, memory, `${cpuSeconds.toFixed(1)}s`, age]);
    }
  }
  const header = ['ID', 'MODEL', 'REVISION', 'STATE', 'MEMORY', 'CPU', 'AGE'];
  return { value: items, rows: [[...ofNamespace(question, 'NAMESPACE'), ...header], ...rows] };
}

async function getMeasures(question: Question): Promise<Listing> {
  const items = [];
  const rows: string[][] = [];
  for (const { namespace, model } of await modelsOf(question)) {
    for (const measured of await readMeasured(question.client, namespace, model)) {
      items.push({ namespace, model, ...measured });
      const row = makeMeasuredRow(measured, question.now);
      rows.push([...ofNamespace(question, namespace), model, ...row]);
    }
  }
  const header = [...ofNamespace(question, 'NAMESPACE'), 'MODEL', ...MEASURED_HEAD];
  return { value: items, rows: [header, ...rows] };
}

async function getJobs({ client, namespace, name, now }: Question): Promise<Listing> {
  if (name !== undefined && namespace !== undefined) {
    const job = await client.call({ path: jobPath(namespace, name) }, readJob);
    return { value: job, rows: makeJobRows([job], namespace, now) };
  }
  const jobs = await listJobs(client, namespace);
  return { value: jobs, rows: makeJobRows(jobs, namespace, now) };
}

async function getSchedules({ client, namespace, name, now }: Question): Promise<Listing> {
  if (name !== undefined && namespace !== undefined) {
    const schedule = await readScheduleOf(client, namespace, name);
    return { value: schedule, rows: makeScheduleRows([schedule], namespace, now) };
  }
  const schedules = await listSchedules(client, namespace);
  return { value: schedules, rows: makeScheduleRows(schedules, namespace, now) };
}

/** Of one schedule, or of all, the newest first. */
async function getRuns({ client, namespace, name, now }: Question): Promise<Listing> {
  const of =
    name !== undefined && namespace !== undefined
      ? [{ namespace, name }]
      : (await listSchedules(client, namespace)).map(({ metadata }) => metadata);
  const runs = [];
  for (const { namespace: its, name: schedule } of of) {
    runs.push(...(await readRunsOf(client, its, schedule)));
  }
  const newest = runs.toSorted((a, b) => b.scheduledAt - a.scheduledAt);
  return { value: newest, rows: makeRunRows(newest, namespace, now) };
}

async function getDeleted({ client, namespace, now }: Question): Promise<Listing> {
  const items = await listAll(client, { path: DELETED_PATH, query: { namespace } }, readDeleted);
  const rows = items.map((each) => [
    ...ofNamespace({ namespace }, each.namespace),
    each.name,
    each.whole ? 'model' : 'revision',
    each.revisions.join(',') || '-',
    formatAge(now, each.deletedAt),
    formatTime(each.restorableUntil),
    each.deletedBy,
    each.why.split('\n')[0] ?? '',
  ]);
  const header = ['NAME', 'KIND', 'REVISIONS', 'DELETED', 'RESTORABLE UNTIL', 'BY', 'WHY'];
  return { value: items, rows: [[...ofNamespace({ namespace }, 'NAMESPACE'), ...header], ...rows] };
}

async function modelsOf({
  client,
  namespace,
  name,
}: Question): Promise<{ readonly namespace: string; readonly model: string }[]> {
  if (name !== undefined && namespace !== undefined) return [{ namespace, model: name }];
  const models = await listModels(client, namespace);
  return models.map(({ metadata }) => ({ namespace: metadata.namespace, model: metadata.name }));
}

/** The newest, or the newest of one model. */
async function getRequests(question: Question): Promise<Listing> {
  const { client, name, limit, now } = question;
  const namespace = oneNamespace(question);
  const path = namespacePath(namespace, 'requests');
  const call = { path, query: { model: name } };
  const { items, more } = await listFirst(client, call, readAsyncRequests, limit);
  const rows = items.map(({ id, model, state, status, attempts, createdAt, reason }) => [
    id,
    model,
    state,
    String(status ?? '-'),
    String(attempts),
    formatAge(now, createdAt),
    reason.split('\n')[0] ?? '',
  ]);
  const header = ['ID', 'MODEL', 'STATE', 'STATUS', 'ATTEMPTS', 'AGE', 'REASON'];
  return { value: items, rows: [header, ...rows], more };
}

/** Those that were given up first of all. */
async function getDeliveries(question: Question): Promise<Listing> {
  const { client, limit, now } = question;
  const path = namespacePath(oneNamespace(question), 'deliveries');
  const found = [];
  for (const state of ['dead', 'waiting', 'sending'] as const) {
    const call = { path, query: { state } };
    found.push(...(await listFirst(client, call, readDeliveries, limit + 1 - found.length)).items);
    if (found.length > limit) break;
  }
  const items = found.slice(0, limit);
  const rows = items.map(({ id, request, state, attempts, createdAt, url, reason }) => [
    id,
    request,
    state,
    String(attempts),
    formatAge(now, createdAt),
    url,
    reason.split('\n')[0] ?? '',
  ]);
  const header = ['ID', 'REQUEST', 'STATE', 'ATTEMPTS', 'AGE', 'URL', 'REASON'];
  return { value: items, rows: [header, ...rows], more: found.length > limit };
}

function oneNamespace({ namespace }: Question): string {
  if (namespace !== undefined) return namespace;
  throw new Fault('bad_request', 'these are listed by namespace: -n NAMESPACE');
}

async function getKeys({ client }: Question): Promise<Listing> {
  const { items } = await client.call({ path: KEYS_PATH }, readKeys);
  return { value: items, rows: makeKeyRows(items) };
}

async function getEvents(question: Question): Promise<Listing> {
  const { client, namespace, name } = question;
  const isOne = name !== undefined && namespace !== undefined;
  const path = isOne ? modelPath(namespace, name, 'events') : '/api/v1/events';
  const query = { newest: 'true', ...(!isOne && namespace !== undefined && { namespace }) };
  const { items } = await client.call({ path, query }, readEvents);
  const rows = items.map(({ at, namespace: its, model, revision, type, actor, why }) => [
    ...ofNamespace(question, its),
    formatTime(at),
    revision === undefined ? model : `${model} ${revision}`,
    type,
    actor.id,
    why.split('\n')[0] ?? '',
  ]);
  const header = [...ofNamespace(question, 'NAMESPACE'), 'TIME', 'MODEL', 'TYPE', 'BY', 'WHY'];
  return { value: items, rows: [header, ...rows] };
}
