import { MAX_PAGE } from '#domain/page.ts';
import type { Runtime } from '#runtime/runtime.ts';
import type { Store } from '#store/store.ts';
import { type Catalog, revisionKeys } from '../records/catalog.ts';
import { requireModel } from '../records/checks.ts';
import type { Journal } from '../records/journal.ts';
import { MAX_USAGE_PAGE } from '../limits.ts';
import { requireRole } from '../roles.ts';
import type { UseCases } from './usecases.ts';

type ReadUseCases = Pick<UseCases, 'logs' | 'events' | 'watchEvents' | 'usage' | 'usageLog'>;

export function createReadUseCases(options: {
  store: Store;
  catalog: Catalog;
  journal: Journal;
  runtime: Runtime;
}): ReadUseCases {
  const { store, catalog, journal, runtime } = options;
  return {
    async logs(actor, namespace, model, limit) {
      requireRole(actor, 'read');
      const most = Math.min(limit, MAX_PAGE);
      const keys = revisionKeys(requireModel(catalog, namespace, model));
      const pages = await Promise.all(keys.map((key) => runtime.logs(key, most)));
      return pages
        .flat()
        .sort((a, b) => a.at - b.at)
        .slice(-most);
    },
    async events(actor, query) {
      requireRole(actor, 'read');
      return await store.events({ ...query, limit: Math.min(query.limit, MAX_PAGE) });
    },
    watchEvents(actor, query, listener, signal) {
      requireRole(actor, 'read');
      journal.watch(query, listener, signal);
    },
    async usage(actor, query) {
      requireRole(actor, 'read');
      return await store.usage(query);
    },
    async usageLog(actor, query) {
      requireRole(actor, 'read');
      return await store.usageLog({ ...query, limit: Math.min(query.limit, MAX_USAGE_PAGE) });
    },
  };
}
