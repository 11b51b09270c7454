import { type AppliedModel, applyModel, applySchedule, checkSources } from '#cli/apply.ts';
import { type Client, modelPath } from '#cli/client.ts';
import { findDocuments } from '#cli/documents.ts';
import { listModels } from '#cli/models.ts';
import { watchFolder } from '#cli/watch.ts';
import { waitUntilSettled } from '#cli/wait.ts';
import { DEFAULT_NAMESPACE } from '#domain/names.ts';
import { type ModelAnswer, readModel } from '#domain/read-views.ts';
import type { Clock } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';

export interface Started {
  /** Those that were applied, once they are ready or have failed. */
  readonly models: readonly ModelAnswer[];
  /** How many more there are in the default namespace. */
  readonly others: number;
  /** How many things were wrong with the others; each has been told. */
  readonly problems: number;
}

/**
 * Applies the folder that `rouse serve --apply` names, waits until its models are ready or have failed, and
 * follows it with `--watch`. What is wrong with one file is told and keeps no other from being served.
 * Resolves with nothing when it was interrupted: what failed then is nobody's mistake.
 */
export async function applyAtStart(options: {
  client: Client;
  folder: string;
  /** It was, before control came back: only its edits are followed. */
  applied: boolean;
  watch: boolean;
  clock: Clock;
  signal: AbortSignal;
}): Promise<Started | undefined> {
  const { client, folder, applied, watch, clock, signal } = options;
  const { stdout, stderr } = process;
  const io = { cwd: process.cwd(), clock, signal, stdout, stderr };
  let problems = 0;

  function tell(text: string): void {
    problems += 1;
    if (!signal.aborted) stderr.write(`rouse: ${text}\n`);
  }

  function giveUp(error: unknown): undefined {
    tell(messageOf(error));
    return undefined;
  }

  async function settle(model: AppliedModel): Promise<ModelAnswer> {
    await waitUntilSettled(client, model, io);
    return await client.call({ path: modelPath(model.namespace, model.name) }, readModel);
  }

  // Before it is applied, so that no edit falls between the two.
  if (watch) {
    const watching = await watchFolder(client, folder, io);
    signal.addEventListener('abort', () => void watching.close(), { once: true });
  }
  if (applied) return { models: [], others: 0, problems: 0 };
  const found = await checkSources(await findDocuments([folder], io));
  const broken = new Set(found.problems.map(({ file }) => file));
  // The watch has told them already.
  if (watch) problems += found.problems.length;
  else for (const { text } of found.problems) tell(text);
  const settling: Promise<ModelAnswer | undefined>[] = [];
  for (const model of found.models) {
    if (broken.has(model.file)) continue;
    const made = await applyModel(client, model, stderr).catch(giveUp);
    if (made) settling.push(settle(made).catch(giveUp));
  }
  for (const schedule of found.schedules) {
    if (!broken.has(schedule.file)) await applySchedule(client, schedule).catch(giveUp);
  }
  const settled = await Promise.all(settling);
  if (signal.aborted) return undefined;
  const models = settled.filter((model) => model !== undefined);
  return { models, others: await countOthers(client, models), problems };
}

async function countOthers(client: Client, models: readonly ModelAnswer[]): Promise<number> {
  const own = models.filter(({ metadata }) => metadata.namespace === DEFAULT_NAMESPACE);
  const names = new Set(own.map(({ metadata }) => metadata.name));
  const all = await listModels(client, DEFAULT_NAMESPACE);
  return all.filter(({ metadata }) => !names.has(metadata.name)).length;
}
