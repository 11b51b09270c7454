import type { ModelInput, RevisionSpecInput } from '#domain/model.ts';
import { partsOfModelKey, partsOfRevisionKey } from '#domain/names.ts';
import { readApplied, readAppliedSchedule } from '#domain/read-views.ts';
import { formatTime } from '#domain/units.ts';
import { Fault } from '#lib/fault.ts';
import { type Client, modelPath } from './client.ts';
import { type Found, type ModelSource, problemAt, type ScheduleSource } from './documents.ts';
import type { Output } from './io.ts';
import { formatTable } from './print.ts';
import { schedulePath } from './schedules.ts';
import { localSource, localSourcesIn } from './sources.ts';
import { checkSource, upload } from './upload.ts';

/** What applying one document did. */
export interface AppliedModel {
  readonly namespace: string;
  readonly name: string;
  readonly outcome: 'created' | 'changed' | 'unchanged';
  /** The revisions that the document describes. */
  readonly revisions: readonly string[];
}

/** Throws all that is wrong with what was found. */
export function refuseProblems({ problems }: Found): void {
  if (problems.length === 0) return;
  const texts = problems.map(({ text }) => text);
  const title = texts.length === 1 ? '' : `${texts.length} problems, nothing was applied:\n`;
  throw new Fault('invalid', title + texts.join('\n'));
}

/** Adds what is wrong with the sources: a file that is not there is a problem of the document. */
export async function checkSources(found: Found): Promise<Found> {
  const problems = [...found.problems];
  for (const { value: document, file, folder, lineOf } of found.documents) {
    for (const { key, given, path } of localSourcesIn(document, folder)) {
      await checkSource(path).catch(() => {
        const value = JSON.stringify(given);
        const problem = { key, value, expected: 'a file or folder that is there' };
        problems.push({ file, text: problemAt(file, lineOf, problem) });
      });
    }
  }
  return { ...found, problems };
}

export async function applyModel(
  client: Client,
  model: ModelSource,
  progress: Output,
): Promise<AppliedModel> {
  const { namespace, model: name } = partsOfRevisionKey(model.key);
  const json = await withUploads(client, model, progress);
  const call = { method: 'PUT', path: modelPath(namespace, name), json } as const;
  const { applied, status } = await callFor(model.file, client.call(call, readApplied));
  const { revision, revisions: listed = [] } = model.input.spec;
  const named = [revision, ...listed].flatMap((spec) => spec?.name ?? []);
  const latest = status.revisions.at(-1)?.name;
  const all = [...new Set([...named, ...applied.newRevisions])];
  const revisions = all.length > 0 || latest === undefined ? all : [latest];
  return { namespace, name, outcome: applied.outcome, revisions };
}

/** One line: `nightly  created  next 2026-11-23T03:00:00Z`. */
export async function applySchedule(client: Client, schedule: ScheduleSource): Promise<string> {
  const { namespace, model: name } = partsOfModelKey(schedule.key);
  const call = {
    method: 'PUT',
    path: schedulePath(namespace, name),
    json: schedule.input,
  } as const;
  const { applied, status } = await callFor(schedule.file, client.call(call, readAppliedSchedule));
  const { nextAt } = status;
  const next = nextAt === undefined ? 'suspended' : `next ${formatTime(nextAt)}`;
  return formatTable([[name, applied.outcome.padEnd(9), next]]);
}

/** Its refusal names the file. */
async function callFor<T>(file: string, call: Promise<T>): Promise<T> {
  return await call.catch((error: unknown) => {
    if (!(error instanceof Fault)) throw error;
    throw new Fault(error.code, `${file}: ${error.message}`, { problems: error.problems });
  });
}

/** Files and folders of this machine that a model is made of. */
export function localSourcesOf(model: ModelSource): string[] {
  return localSourcesIn(model.input, model.folder).map(({ path }) => path);
}

/** The document with each local source replaced by its digest. */
async function withUploads(
  client: Client,
  model: ModelSource,
  progress: Output,
): Promise<ModelInput> {
  const { input } = model;
  const replace = async (spec: RevisionSpecInput): Promise<RevisionSpecInput> => {
    const source = localSource(spec, model.folder);
    return source === undefined
      ? spec
      : { ...spec, source: await upload(client, source, progress) };
  };
  const { revision, revisions } = input.spec;
  const spec = { ...input.spec };
  if (revision) spec.revision = await replace(revision);
  if (revisions) {
    spec.revisions = [];
    for (const each of revisions) spec.revisions.push(await replace(each));
  }
  return { ...input, spec };
}
