import type { Command } from 'commander';
import {
  type ModelAnswer,
  readEvents,
  readInstances,
  readKeys,
  readModel,
  readRevisions,
} from '#domain/read-views.ts';
import { formatTraffic } from '#domain/traffic-text.ts';
import { formatSize } from '#domain/units.ts';
import { type Client, modelPath } from '../client.ts';
import type { Io } from '../io.ts';
import { listModels, modelClientFor } from '../models.ts';
import { clientFor, type Common, namespaceOf } from '../options.ts';
import { KEYS_PATH, makeKeyRows } from './key.ts';
import { formatAge, formatTime, print } from '../print.ts';

/** What was asked for, and how a table shows it. */
interface Listing {
  readonly value: unknown;
  readonly rows: readonly (readonly string[])[];
}

interface Question {
  readonly client: Client;
  readonly namespace: string;
  readonly name: string | undefined;
  readonly now: number;
}

const KINDS: Readonly<Record<string, (question: Question) => Promise<Listing>>> = {
  models: getModels,
  revisions: getRevisions,
  instances: getInstances,
  events: getEvents,
  keys: getKeys,
};

export function addGet(program: Command, io: Io): void {
  const kinds = Object.keys(KINDS).join(', ');
  program
    .command('get')
    .description('show what there is')
    .argument('<kind>', kinds)
    .argument('[name]', 'one model, or the model that they belong to')
    .action(async (kind: string, name: string | undefined, _options, command: Command) => {
      const options = command.optsWithGlobals<Common>();
      const get =
        KINDS[kind] ??
        KINDS[`${kind}s`] ??
        command.error(`error: ${kind}: expected one of ${kinds}`);
      const client =
        name === undefined ? clientFor(io, options) : modelClientFor(io, options, name);
      const namespace = namespaceOf(options);
      const { value, rows } = await get({ client, namespace, name, now: io.clock.now() });
      if (rows.length > 1 || options.output !== 'table') {
        print(io.stdout, options.output, value, () => rows);
      } else io.stderr.write(`no ${kind} in namespace ${namespace}\n`);
    });
}

async function getModels(question: Question): Promise<Listing> {
  const { client, namespace, name, now } = question;
  if (name !== undefined) {
    const model = await client.call({ path: modelPath(namespace, name) }, readModel);
    return { value: model, rows: makeModelRows([model], now) };
  }
  const models = await listModels(client, namespace);
  return { value: models, rows: makeModelRows(models, now) };
}

function makeModelRows(models: readonly ModelAnswer[], now: number): string[][] {
  const rows = models.map(({ metadata, status }) => [
    metadata.name,
    [...new Set(status.revisions.map(({ runtime }) => runtime))].join(','),
    status.state,
    formatTraffic(status.traffic) || '-',
    String(status.instances.length),
    formatAge(now, status.createdAt),
    reasonOf(status),
  ]);
  return [['NAME', 'RUNTIME', 'STATE', 'TRAFFIC', 'INSTANCES', 'AGE', 'REASON'], ...rows];
}

/** Why no request is served, of the newest revision that says so. */
function reasonOf({ state, revisions }: ModelAnswer['status']): string {
  if (state !== 'Failed' && state !== 'Preparing') return '';
  const [line = ''] = revisions.at(-1)?.reason.split('\n') ?? [];
  return line;
}

async function getRevisions({ client, namespace, name, now }: Question): Promise<Listing> {
  const models = await namesOf(client, namespace, name);
  const items = [];
  const rows: string[][] = [];
  for (const model of models) {
    const path = modelPath(namespace, model, 'revisions');
    const page = await client.call({ path }, readRevisions);
    items.push(...page.items);
    for (const { name, spec, state, coldStartSeconds, createdAt, reason } of page.items) {
      const cold = coldStartSeconds === 0 ? '-' : `${coldStartSeconds.toFixed(2)}s`;
      const age = formatAge(now, createdAt);
      const [why = ''] = reason.split('\n');
      rows.push([model, name, spec.runtime, state, cold, age, why]);
    }
  }
  const header = ['MODEL', 'NAME', 'RUNTIME', 'STATE', 'COLD START', 'AGE', 'REASON'];
  return { value: items, rows: [header, ...rows] };
}

async function getInstances({ client, namespace, name, now }: Question): Promise<Listing> {
  const models = await namesOf(client, namespace, name);
  const items = [];
  const rows: string[][] = [];
  for (const model of models) {
    const path = modelPath(namespace, model, 'instances');
    const page = await client.call({ path }, readInstances);
    items.push(...page.items);
    for (const { id, revision, state, memoryBytes, cpuSeconds, askedAt } of page.items) {
      const memory = memoryBytes === 0 ? '-' : formatSize(memoryBytes);
      const age = formatAge(now, askedAt);
      rows.push([id, model, revision, state, memory, `${cpuSeconds.toFixed(1)}s`, age]);
    }
  }
  const header = ['ID', 'MODEL', 'REVISION', 'STATE', 'MEMORY', 'CPU', 'AGE'];
  return { value: items, rows: [header, ...rows] };
}

async function namesOf(client: Client, namespace: string, name?: string): Promise<string[]> {
  if (name !== undefined) return [name];
  return (await listModels(client, namespace)).map(({ metadata }) => metadata.name);
}

async function getKeys({ client }: Question): Promise<Listing> {
  const { items } = await client.call({ path: KEYS_PATH }, readKeys);
  return { value: items, rows: makeKeyRows(items) };
}

async function getEvents({ client, namespace, name }: Question): Promise<Listing> {
  const path = name === undefined ? '/api/v1/events' : modelPath(namespace, name, 'events');
  const query = { newest: 'true', ...(name === undefined && { namespace }) };
  const { items } = await client.call({ path, query }, readEvents);
  const rows = items.map(({ at, model, revision, type, actor, why }) => [
    formatTime(at),
    revision === undefined ? model : `${model} ${revision}`,
    type,
    actor.id,
    why.split('\n')[0] ?? '',
  ]);
  return { value: items, rows: [['TIME', 'MODEL', 'TYPE', 'BY', 'WHY'], ...rows] };
}
