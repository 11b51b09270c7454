import { curl } from '#cli/example.ts';
import { suggest } from '#cli/suggest.ts';
import { DEFAULT_NAMESPACE } from '#domain/names.ts';
import { quote } from '#lib/command.ts';
import type { ModelAnswer } from '#domain/read-views.ts';
import type { CurlWay } from '#domain/views.ts';
import type { Started } from './apply-at-start.ts';

/** Where everything is: the first line that is printed. */
export function formatStart(where: {
  version: string;
  dataPlane: string;
  control: string;
  data: string;
}): string {
  const { version, dataPlane, control, data } = where;
  return `Rouse ${version} · requests ${dataPlane} · control ${control} · state ${data}\n`;
}

interface Surroundings {
  /** By model: a file with a request for it, as it is named from here. */
  readonly examples: ReadonlyMap<string, string>;
  /** The address of control. */
  readonly control: string;
  /** To the data plane. */
  readonly way: CurlWay;
}

/** What was applied, and what to try next, with commands that can be pasted. */
export function formatModels({ models, others, problems }: Started, where: Surroundings): string {
  const seen =
    problems === 0 ? '' : `${countOf(problems, 'problem')} with model files: see above.\n`;
  const server = where.control;
  const deploy = suggest(['deploy', 'NAME', 'FILE'], { server, namespace: DEFAULT_NAMESPACE });
  const get = suggest(['get', 'models'], { server, namespace: DEFAULT_NAMESPACE });
  if (models.length === 0 && others > 0)
    return `${seen}${countOf(others, 'model')} in the state: ${get}\n`;
  if (models.length === 0)
    return `${seen}No models yet. Deploy one, such as ./model.onnx:\n  ${deploy}\n`;
  const rows = models.map((model) => rowOf(model));
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  const lines = rows.map(([name, rest]) => `  ${name.padEnd(width)}${rest}\n`);
  if (others > 0) lines.push(`  and ${others} more in the state: ${get}\n`);
  const tries = [...triesOf(models, where), deploy].map((line) => `  ${line}\n`);
  const missing = 'why' in where.way ? `No request to paste: ${where.way.why}.\n` : '';
  return `${seen}${stateOf(models)}\n${lines.join('')}Try:\n${tries.join('')}${missing}`;
}

function countOf(count: number, noun: string): string {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`;
}

function stateOf(models: readonly ModelAnswer[]): string {
  const asleep = models.filter(({ status }) => status.state === 'Asleep').length;
  const many = countOf(models.length, 'model');
  if (asleep === models.length) return `${many}, ${models.length === 1 ? 'asleep' : 'all asleep'}:`;
  return `${many}, ${asleep} asleep:`;
}

function rowOf({ metadata, status }: ModelAnswer): [name: string, rest: string] {
  const name =
    metadata.namespace === 'default' ? metadata.name : `${metadata.namespace}/${metadata.name}`;
  const newest = status.revisions.at(-1);
  const runtime = (newest?.runtime ?? '').padEnd(10);
  // An older one that nobody is sent to is history.
  const inUse = new Set([newest?.name, ...status.traffic.map(({ revision }) => revision)]);
  const failed = status.revisions.find((each) => each.state === 'Failed' && inUse.has(each.name));
  if (failed) return [name, `${runtime}${failed.name} failed: ${failed.reason.split('\n')[0]}`];
  const { traffic } = status;
  const only = traffic.length === 1 ? traffic[0]?.revision : undefined;
  const split = traffic.map(({ revision, percent }) => `${revision} ${percent} %`).join(' · ');
  return [name, runtime + (only ?? split)];
}

function triesOf(models: readonly ModelAnswer[], where: Surroundings): string[] {
  const { examples, control, way } = where;
  const working = models.filter(({ status }) => status.state !== 'Failed');
  const shown = working.find(({ metadata }) => examples.has(metadata.name)) ?? models[0];
  if (!shown) return [];
  const { name, namespace } = shown.metadata;
  const get = suggest(['get', 'models'], { server: control, namespace });
  const why = suggest(['why', name], { server: control, namespace });
  const call = 'why' in way ? [] : [requestOf(shown, way, examples.get(name))];
  return [...call, `${get}          ${why}`];
}

/** `example`: a file with a body for it. */
function requestOf(
  { status }: ModelAnswer,
  way: Exclude<CurlWay, { why: string }>,
  example: string | undefined,
): string {
  const address = way.origin + new URL(status.addresses.infer).pathname;
  if (example === undefined) return curl(address.replace(/\/infer$/, ''), way);
  return `${curl(address, way)} -d @${quote(example)}`;
}
