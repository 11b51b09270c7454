import { keyPrefix, modelKey, partsOfModelKey, tombstoneKey } from '#domain/names.ts';
import type { Actor } from '#domain/records.ts';
import { MAX_PAGE } from '#domain/page.ts';
import type { Fate } from '#policies/retention/retention.ts';
import type { Runtime } from '#runtime/runtime.ts';
import type { Catalog, ModelEntry } from '../records/catalog.ts';
import type { JobSweep } from '../jobs/sweep.ts';
import { requireModel } from '../records/checks.ts';
import type { Deleted } from '../retention/deleted.ts';
import type { Retention } from '../retention/retention.ts';
import { requireRole } from '../roles.ts';
import type { Turns } from '../records/turns.ts';
import { pageOf } from './page-of.ts';
import type { CollectionRow, DeletedView, ModelView, UseCases } from './usecases.ts';
import { makeView, type ViewOptions } from './view.ts';

type RetentionUseCases = Pick<
  UseCases,
  'restoreModel' | 'restoreRevision' | 'listDeleted' | 'planCollection' | 'collect'
>;

export function createRetentionUseCases(options: {
  catalog: Catalog;
  runtime: Runtime;
  retention: Retention;
  /** Absent: there are no jobs here. */
  jobs: JobSweep | undefined;
  about: ViewOptions;
  alone: Turns;
}): RetentionUseCases {
  const { catalog, runtime, retention, jobs, about, alone } = options;

  function viewOf(namespace: string, name: string): ModelView {
    return makeView(requireModel(catalog, namespace, name), runtime, about);
  }

  function modelsIn(namespace: string | undefined, after: string, limit: number): string[] {
    return catalog.keys({ prefix: keyPrefix(namespace), after, limit });
  }

  function makeDeletedView(each: Deleted): DeletedView {
    const { namespace, model: name } = partsOfModelKey(each.model);
    const { model, deletedAt, deletedBy, why, whole, revisions } = each;
    const id = tombstoneKey(model, deletedAt);
    const until = retention.goesAt(each);
    const about = { id, namespace, name, deletedAt, deletedBy, why };
    return { ...about, restorableUntil: until, whole, revisions };
  }

  function makeRows(entry: ModelEntry): CollectionRow[] {
    const { model, revisions } = retention.fatesOf(entry);
    return [
      makeRow('model', entry.key, model),
      ...revisions.map(({ name, fate }) => makeRow('revision', `${entry.key}/${name}`, fate)),
    ];
  }

  function makeJobRows(namespace: string | undefined): CollectionRow[] {
    const prefix = keyPrefix(namespace);
    const fates = (jobs?.look() ?? []).filter(({ key }) => key.startsWith(prefix));
    return fates.map(({ key, fate }) => makeRow('job', key, fate));
  }

  async function makeRestRows(): Promise<CollectionRow[]> {
    const deleted = Array.from(retention.deleted.all(), (each): CollectionRow => {
      const why = `deleted by ${each.deletedBy}, can be restored until then`;
      return { kind: 'deleted', key: each.model, keep: true, why, goesAt: retention.goesAt(each) };
    });
    const found = await retention.artifacts.look();
    const free = found.map(({ digest, size, fate }) =>
      makeRow('artifact', `sha256:${digest}`, fate, size),
    );
    return [...free, ...deleted].slice(0, MAX_PAGE);
  }

  return {
    async restoreModel(actor, namespace, model) {
      requireRole(actor, 'deploy');
      return await alone(async () => {
        await retention.deletions.restoreModel(modelKey(namespace, model), actor);
        return viewOf(namespace, model);
      });
    },
    async restoreRevision(actor, key) {
      requireRole(actor, 'deploy');
      return await alone(async () => {
        await retention.deletions.restoreRevision(key, actor);
        const [namespace = '', model = ''] = key.split('/');
        return viewOf(namespace, model);
      });
    },
    async listDeleted(actor, namespace, page) {
      requireRole(actor, 'read');
      const views = Array.from(retention.deleted.all(), makeDeletedView);
      return pageOf(views, ({ id }) => id, namespace, page);
    },
    async planCollection(actor, namespace, { after = '', limit = MAX_PAGE } = {}) {
      requireRole(actor, 'read');
      const most = Math.min(limit, MAX_PAGE);
      const models = modelsIn(namespace, after, most);
      const rows = models.flatMap((key) => {
        const entry = catalog.model(key);
        return entry ? makeRows(entry) : [];
      });
      const next = models.length === most ? models.at(-1) : undefined;
      if (next !== undefined) return { rows, next };
      const rest = namespace === undefined ? await makeRestRows() : [];
      return { rows: [...rows, ...makeJobRows(namespace), ...rest] };
    },
    async collect(actor: Actor, namespace) {
      requireRole(actor, 'deploy');
      const gone = await retention.collect(modelsIn(namespace, '', catalog.size));
      const ended = (await jobs?.sweep(namespace)) ?? [];
      const collected = ended.map(
        ({ key, fate }) => ({ kind: 'job', key, why: fate.why }) as const,
      );
      const rest = namespace === undefined ? await retention.collectRest() : [];
      return [...gone, ...collected, ...rest];
    },
  };
}

function makeRow(
  kind: CollectionRow['kind'],
  key: string,
  { keep, why, goesAt }: Fate,
  bytes?: number,
): CollectionRow {
  const size = bytes === undefined ? {} : { bytes };
  return { kind, key, keep, why, ...(goesAt !== undefined && { goesAt }), ...size };
}
