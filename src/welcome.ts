import { quote } from '#cli/example.ts';
import type { ModelAnswer } from '#domain/read-views.ts';

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

/** What was applied, and what to try next, with commands that can be pasted. */
export function formatModels(
  models: readonly ModelAnswer[],
  where: { control: string; example: string | undefined },
): string {
  if (models.length === 0) {
    return 'No models yet. Deploy one:\n  npx rouse deploy mine ./model.onnx\n';
  }
  const rows = models.map((model) => rowOf(model));
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  const lines = rows.map(([name, rest]) => `  ${name.padEnd(width)}${rest}\n`);
  return `${countOf(models)}\n${lines.join('')}Try:\n${triesOf(models, where).join('')}`;
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

function triesOf(
  models: readonly ModelAnswer[],
  { control, example }: { control: string; example: string | undefined },
): string[] {
  const [first] = models;
  const name = first?.metadata.name ?? 'NAME';
  const call =
    example === undefined
      ? `curl -s ${quote(first?.status.addresses.path ?? '')}`
      : `curl -s ${first?.status.addresses.infer ?? ''} -d @${quote(example)}`;
  return [
    `  ${call}\n`,
    `  npx rouse get models          npx rouse why ${name}\n`,
    `  curl -s ${control}/metrics\n`,
  ];
}
