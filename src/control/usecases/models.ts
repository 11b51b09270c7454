import { isDeepStrictEqual } from 'node:util';
import { type ModelInput, type TrafficTarget, traffic as trafficSchema } from '#domain/model.ts';
import { keyPrefix, modelKey, revisionKey } from '#domain/names.ts';
import { parseDocument, parseModel } from '#domain/parse.ts';
import type { Actor, RevisionRecord } from '#domain/records.ts';
import { MAX_PAGE } from '#domain/page.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import type { Runtime } from '#runtime/runtime.ts';
import type { Artifacts } from '#store/artifacts.ts';
import type { Write } from '#store/store.ts';
import { type ApplyPlan, planApply } from '../records/apply.ts';
import { type Catalog, type ModelEntry, heldKey, makeSplitWrite } from '../records/catalog.ts';
import {
  checkLabels,
  checkMatch,
  checkNamed,
  requireModel,
  resolveSources,
} from '../records/checks.ts';
import type { Journal } from '../records/journal.ts';
import { makeKept } from '../records/kept-split.ts';
import { MAX_MODELS } from '../limits.ts';
import { makeModelEvents } from '../records/model-events.ts';
import { checkOwner, ownerOf } from '../records/owner.ts';
import { resolveTraffic, sharesOf } from '../records/resolve.ts';
import type { Retention } from '../retention/retention.ts';
import { requireRole } from '../roles.ts';
import type { Turns } from '../records/turns.ts';
import type { Applied, ModelPage, ModelView, UseCases } from './usecases.ts';
import { makeView, type ViewOptions } from './view.ts';

export interface ModelOptions {
  catalog: Catalog;
  journal: Journal;
  artifacts: Artifacts;
  runtime: Runtime;
  clock: Clock;
  about: ViewOptions;
  retention: Pick<Retention, 'deletions' | 'rulesFor'>;
  alone: Turns;
}

type ModelUseCases = Pick<
  UseCases,
  'applyModel' | 'getModel' | 'listModels' | 'deleteModel' | 'setTraffic' | 'setOwner'
>;

export function createModelUseCases(options: ModelOptions): ModelUseCases {
  const { catalog, journal, artifacts, runtime, clock, about, retention, alone } = options;

  async function apply(actor: Actor, input: ModelInput, ifMatch?: number): Promise<Applied> {
    const parsed = parseModel(input);
    const { namespace, name } = parsed.metadata;
    const found = await resolveSources(parsed, artifacts);
    const key = modelKey(namespace, name);
    const before = catalog.model(key);
    checkMatch(`model ${key}`, before?.stored.version, ifMatch);
    checkOwner(before, actor);
    checkFirst(before, parsed.spec.revision ?? parsed.spec.revisions?.[0]);
    const now = clock.now();
    const plan = planApply(before, { input, parsed, artifacts: found, actor, now });
    checkLabels(catalog, namespace, name, parsed.spec.traffic ?? []);
    checkNamed(parsed.spec, namesOf(before, plan));
    const changed = plan.documentChanged || plan.created.length + plan.retried.length > 0;
    if (changed) await save(key, before, plan, actor);
    const outcome = before ? (changed ? 'changed' : 'unchanged') : 'created';
    const newRevisions = plan.created.map((revision) => revision.name);
    return { view: viewOf(namespace, name), outcome, newRevisions };
  }

  function checkFirst(before: ModelEntry | undefined, declared: unknown): void {
    if (before) return;
    if (declared === undefined) {
      const problem = { key: 'spec.revision', value: 'nothing', expected: 'what a new model runs' };
      throw new Fault('invalid', 'a new model needs spec.revision', { problems: [problem] });
    }
    if (catalog.size < MAX_MODELS) return;
    throw new Fault('conflict', `there are ${MAX_MODELS} models, which is the limit`);
  }

  async function save(
    key: string,
    before: ModelEntry | undefined,
    plan: ApplyPlan,
    actor: Actor,
  ): Promise<void> {
    const now = clock.now();
    const owner = ownerOf(actor);
    const { generation = 0, createdAt = now, restoredAt } = before?.stored.value ?? {};
    const value = {
      document: plan.document,
      generation: generation + (plan.documentChanged ? 1 : 0),
      createdAt,
      ...(restoredAt !== undefined && { restoredAt }),
      updatedAt: now,
      updatedBy: actor,
      ...(owner && { owner }),
    };
    const writes: Write[] = [
      { kind: 'model', key, expected: before?.stored.version ?? 0, value },
      ...[...plan.created, ...plan.retried].map((revision) => makeRevisionWrite(before, revision)),
    ];
    const revisions = mergeRevisions(before, plan);
    const held = holdSplit(before, plan.document.spec.traffic, revisions);
    if (held) writes.push(held.write);
    if (before && endsSplit(before, plan)) writes.push(makeSplitWrite(key, undefined));
    const kept = before && keepServing(before, plan);
    if (kept) writes.push(kept);
    const waitingFor = held?.waitingFor ?? [];
    await journal.commit(writes, makeModelEvents({ key, before, plan, actor, now, waitingFor }));
  }

  async function setTraffic(
    actor: Actor,
    entry: ModelEntry,
    targets: readonly TrafficTarget[],
  ): Promise<void> {
    const stored = entry.stored.value.document;
    const document: ModelInput = { ...stored, spec: { ...stored.spec, traffic: [...targets] } };
    const documentChanged = !isDeepStrictEqual(document, stored);
    if (!documentChanged && !entry.split) return;
    const plan = { document, documentChanged, setsTraffic: true, created: [], retried: [] };
    await save(entry.key, entry, plan, actor);
  }

  function viewOf(namespace: string, name: string): ModelView {
    return makeView(requireModel(catalog, namespace, name), runtime, about);
  }

  function listEntries(
    prefix: string,
    limit: number,
    { after, ofJobs = false }: ModelPage,
  ): ModelEntry[] {
    const found: ModelEntry[] = [];
    let last = after;
    while (found.length < limit) {
      const place = { prefix, ...(last !== undefined && { after: last }) };
      const keys = catalog.keys({ ...place, limit: limit - found.length });
      if (keys.length === 0) break;
      last = keys.at(-1);
      const entries = keys.flatMap((key) => catalog.model(key) ?? []);
      found.push(...entries.filter(({ stored }) => ofJobs || stored.value.job === undefined));
    }
    return found;
  }

  return {
    async applyModel(actor, input, ifMatch) {
      requireRole(actor, 'deploy');
      return await alone(() => apply(actor, input, ifMatch));
    },
    async getModel(actor, namespace, model) {
      requireRole(actor, 'read');
      return viewOf(namespace, model);
    },
    async listModels(actor, namespace, page = {}) {
      requireRole(actor, 'read');
      const limit = Math.min(page.limit ?? MAX_PAGE, MAX_PAGE);
      return listEntries(keyPrefix(namespace), limit, page).map((entry) =>
        makeView(entry, runtime, about),
      );
    },
    async deleteModel(actor, namespace, model, { ifMatch, now = false } = {}) {
      requireRole(actor, 'deploy');
      await alone(async () => {
        const entry = requireModel(catalog, namespace, model);
        checkMatch(`model ${entry.key}`, entry.stored.version, ifMatch);
        checkOwner(entry, actor);
        const undo = now ? 0 : retention.rulesFor(entry).undo;
        await retention.deletions.model(entry, { actor, why: `deleted by ${actor.id}`, undo });
      });
    },
    async setTraffic(actor, namespace, model, targets, ifMatch) {
      requireRole(actor, 'deploy');
      const rows = parseDocument(trafficSchema, targets, 'traffic');
      return await alone(async () => {
        const entry = requireModel(catalog, namespace, model);
        checkMatch(`model ${entry.key}`, entry.stored.version, ifMatch);
        checkOwner(entry, actor);
        checkLabels(catalog, namespace, model, rows);
        checkNamed({ traffic: rows }, new Set(entry.revisions.keys()));
        await setTraffic(actor, entry, rows);
        return viewOf(namespace, model);
      });
    },
    async setOwner(actor, namespace, model, owner) {
      requireRole(actor, 'deploy');
      await alone(async () => {
        const { key, stored } = requireModel(catalog, namespace, model);
        const { owner: before, ...rest } = stored.value;
        if (before === owner) return;
        const value = {
          ...rest,
          updatedAt: clock.now(),
          updatedBy: actor,
          ...(owner && { owner }),
        };
        const why = owner
          ? 'its Model object keeps it from now on'
          : 'it is kept by way of the API from now on';
        const event = { at: clock.now(), namespace, model, type: 'OwnerChanged', why, actor };
        await journal.commit([{ kind: 'model', key, expected: stored.version, value }], [event]);
      });
    },
  };
}

function namesOf(before: ModelEntry | undefined, { created }: ApplyPlan): Set<string> {
  return new Set([...(before?.revisions.keys() ?? []), ...created.map(({ name }) => name)]);
}

function mergeRevisions(before: ModelEntry | undefined, plan: ApplyPlan): RevisionRecord[] {
  const merged = new Map<string, RevisionRecord>();
  for (const [name, { value }] of before?.revisions ?? []) merged.set(name, value);
  for (const revision of [...plan.created, ...plan.retried]) merged.set(revision.name, revision);
  return [...merged.values()];
}

function makeRevisionWrite(before: ModelEntry | undefined, value: RevisionRecord): Write {
  const key = revisionKey(value.namespace, value.model, value.name);
  const expected = before?.revisions.get(value.name)?.version ?? 0;
  return { kind: 'revision', key, expected, value };
}

/** What serves now is kept until the new split can serve: see `resolve.ts`. */
function holdSplit(
  before: ModelEntry | undefined,
  traffic: Parameters<typeof resolveTraffic>[0],
  revisions: readonly RevisionRecord[],
): { write: Write; waitingFor: readonly string[] } | undefined {
  if (!before) return undefined;
  const serving = sharesOf(before.resolved.targets);
  const { waitingFor } = resolveTraffic(traffic, revisions, serving);
  if (waitingFor.length > 0 && serving.length > 0) {
    const value = { targets: serving };
    return { write: { kind: 'memory', key: heldKey(before.key), value }, waitingFor };
  }
  if (before.held.length === 0) return undefined;
  return { write: { kind: 'memory', key: heldKey(before.key), value: undefined }, waitingFor };
}

/** People's word counts: a split that they write ends what a part has set, and so does the end of its own key. */
function endsSplit({ split }: ModelEntry, { document, setsTraffic }: ApplyPlan): boolean {
  return split !== undefined && (setsTraffic || Reflect.get(document.spec, split.by) === undefined);
}

/** With a selection what serves goes on, and what gets ready is a candidate and no more. */
function keepServing(before: ModelEntry, { document, setsTraffic }: ApplyPlan): Write | undefined {
  const isKept = document.spec.selection && !before.split && !setsTraffic;
  return isKept ? makeKept(before) : undefined;
}
