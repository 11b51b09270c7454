import type { ModelDocument, ModelSpec, RevisionSpec, TrafficTarget } from '#domain/model.ts';
import { hostLabel, modelKey } from '#domain/names.ts';
import type { ArtifactRef } from '#domain/records.ts';
import { Fault, formatProblem, type Problem } from '#lib/fault.ts';
import type { ProgramSpec } from '#domain/program-job.ts';
import type { Artifacts } from '#store/artifacts.ts';
import type { Catalog, ModelEntry } from './catalog.ts';
import { digestOf, findSourceProblem, pushedFor } from './source.ts';

/** A DNS label has no more. */
const LABEL_LIMIT = 63;

type Row = Pick<TrafficTarget, 'revision' | 'tag'>;

/** Addresses that a document asks for and that are taken, or cannot be. */
export function checkLabels(
  catalog: Catalog,
  namespace: string,
  model: string,
  rows: readonly Row[],
): void {
  const tags = rows.flatMap((row) => (row.tag === undefined ? [] : [row.tag]));
  for (const tag of [undefined, ...tags]) {
    const label = hostLabel(model, tag);
    const what = tag === undefined ? `model ${model}` : `tag ${tag} of model ${model}`;
    const owner = catalog.ownerOf(namespace, label);
    if (owner && owner.model !== model) {
      throw new Fault(
        'conflict',
        `${what} would have the address ${label}.${namespace}, which is that of ${owner.what}: choose another name`,
      );
    }
    if (label.length > LABEL_LIMIT) {
      throw new Fault(
        'conflict',
        `${what} would have the address ${label}.${namespace}: ${label.length} characters, at most ${LABEL_LIMIT} fit into a host name`,
      );
    }
  }
}

/** Rows, a shadow, or a threshold that name what does not exist. */
export function checkNamed(
  { traffic = [], shadow, selection }: Pick<ModelSpec, 'traffic' | 'shadow' | 'selection'>,
  names: ReadonlySet<string>,
): void {
  const known = [...names].sort();
  const expected = known.length === 0 ? 'a revision, of which there is none' : oneOf(known);
  const threshold = selection?.strategy === 'threshold' ? selection : undefined;
  const named = [
    ...traffic.map(({ revision }, index) => ({ key: `traffic[${index}].revision`, revision })),
    { key: 'shadow.revision', revision: shadow?.revision },
    { key: 'selection.to', revision: threshold?.to },
    { key: 'selection.otherwise', revision: threshold?.otherwise },
  ];
  const problems = named.flatMap(({ key, revision }) =>
    revision === undefined || names.has(revision)
      ? []
      : [{ key: `spec.${key}`, value: JSON.stringify(revision), expected }],
  );
  refuse(problems, 'revisions are named that do not exist');
}

/** The stored content that a document's sources name. */
export async function resolveSources(
  parsed: ModelDocument,
  artifacts: Artifacts,
): Promise<Map<string, ArtifactRef>> {
  const found = new Map<string, ArtifactRef>();
  const problems: Problem[] = [];
  for (const { spec, key } of listSources(parsed)) {
    const problem = findSourceProblem(spec, key);
    if (problem) problems.push(problem);
    const digest = digestOf(spec);
    if (digest === undefined) continue;
    // From here on it is not cleared away, though nothing refers to it yet.
    const artifact = await artifacts.touch(digest);
    if (artifact) found.set(digest, artifact);
    else problems.push(missing(key, digest));
  }
  refuse(problems, `model ${parsed.metadata.name}: its source cannot be used`);
  return found;
}

/** What was pushed for the program of a schedule is there; from here on it is not cleared away. */
export async function checkPushed(
  schedule: string,
  program: Pick<ProgramSpec, 'source' | 'data'>,
  artifacts: Pick<Artifacts, 'touch'>,
): Promise<void> {
  const problems: Problem[] = [];
  for (const { key, digest } of pushedFor(program)) {
    if (!(await artifacts.touch(digest))) problems.push(missing(`spec.program.${key}`, digest));
  }
  refuse(problems, `schedule ${schedule}: its program cannot be run`);
}

/** Fault `precondition_failed` when the caller has read another version than the one stored. */
export function checkMatch(what: string, stored: number | undefined, ifMatch?: number): void {
  if (ifMatch === undefined || ifMatch === (stored ?? 0)) return;
  const is = stored === undefined ? 'does not exist' : `is at version ${stored}`;
  const was = ifMatch === 0 ? 'must not exist' : `was read at version ${ifMatch}`;
  throw new Fault('precondition_failed', `${what} ${is}, but ${was}: read it again`);
}

export function requireModel(catalog: Catalog, namespace: string, model: string): ModelEntry {
  const entry = catalog.model(modelKey(namespace, model));
  if (!entry) throw new Fault('not_found', `there is no model ${namespace}/${model}`);
  return entry;
}

function listSources({ spec }: ModelDocument): { spec: RevisionSpec; key: string }[] {
  if (spec.revision) return [{ spec: spec.revision, key: 'spec.revision.source' }];
  return (spec.revisions ?? []).map((one, index) => ({
    spec: one,
    key: `spec.revisions[${index}].source`,
  }));
}

function missing(key: string, digest: string): Problem {
  return { key, value: `"sha256:${digest}"`, expected: 'content that was uploaded before' };
}

function refuse(problems: readonly Problem[], summary: string): void {
  if (problems.length === 0) return;
  const lines = problems.map((problem) => `  ${formatProblem(problem)}`);
  throw new Fault('invalid', `${summary}:\n${lines.join('\n')}`, { problems });
}

function oneOf(names: readonly string[]): string {
  const shown = names.slice(0, 20).join(', ');
  return `one of ${shown}${names.length > 20 ? ', …' : ''}`;
}
