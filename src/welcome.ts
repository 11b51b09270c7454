import { quote } from '#cli/example.ts';
import type { ModelAnswer } from '#domain/read-views.ts';

const DEPLOY = 'npx rouse deploy mine ./model.onnx';

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

/**
 * What was applied, and what to try next, with commands that can be pasted.
 *
 * @param examples by model: a file with a request for it, as it is named from here.
 */
export function formatModels(
  models: readonly ModelAnswer[],
  examples: ReadonlyMap<string, string>,
): string {
  if (models.length === 0) return `No models yet. Deploy one:\n  ${DEPLOY}\n`;
  const rows = models.map((model) => rowOf(model));
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  const lines = rows.map(([name, rest]) => `  ${name.padEnd(width)}${rest}\n`);
  const tries = triesOf(models, examples).map((line) => `  ${line}\n`);
  return `${countOf(models)}\n${lines.join('')}Try:\n${tries.join('')}`;
}

function countOf(models: readonly ModelAnswer[]): string {
  const many = models.length === 1 ? '1 model' : `${models.length} models`;
  const asleep = models.filter(({ status }) => status.state === 'Asleep').length;
  if (asleep === models.length) return `${many}, ${models.length === 1 ? 'asleep' : 'all asleep'}:`;
  return `${many}, ${asleep} asleep:`;
}

function rowOf({ metadata, status }: ModelAnswer): [name: string, rest: string] {
  const name =
    metadata.namespace === 'default' ? metadata.name : `${metadata.namespace}/${metadata.name}`;
  const runtime = (status.revisions.at(-1)?.runtime ?? '').padEnd(10);
  const failed = status.revisions.find(({ state }) => state === 'Failed');
  if (failed) return [name, `${runtime}${failed.name} failed: ${failed.reason.split('\n')[0]}`];
  const { traffic } = status;
  const only = traffic.length === 1 ? traffic[0]?.revision : undefined;
  const split = traffic.map(({ revision, percent }) => `${revision} ${percent} %`).join(' · ');
  return [name, runtime + (only ?? split)];
}

function triesOf(models: readonly ModelAnswer[], examples: ReadonlyMap<string, string>): string[] {
  const shown = models.find(({ metadata }) => examples.has(metadata.name)) ?? models[0];
  if (!shown) return [];
  const { addresses } = shown.status;
  const { name } = shown.metadata;
  const example = examples.get(name);
  const call = example
    ? `curl -s ${addresses.infer} -d @${quote(example)}`
    : `curl -s ${addresses.path}`;
  return [call, `npx rouse get models          npx rouse why ${name}`, DEPLOY];
}
