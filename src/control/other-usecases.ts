import { partsOfRevisionKey } from '#domain/names.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import type { Runtime } from '#runtime/runtime.ts';
import type { Artifacts } from '#store/artifacts.ts';
import type { Store, Stored } from '#store/store.ts';
import { type Catalog, revisionKeys } from './catalog.ts';
import { checkMatch, requireModel } from './checks.ts';
import type { Journal } from './journal.ts';
import { MAX_ARTIFACT_BYTES, MAX_PAGE } from './limits.ts';
import { requireRole } from './roles.ts';
import type { UseCases } from './usecases.ts';

type RevisionUseCases = Pick<UseCases, 'getRevision' | 'deleteRevision'>;
type ReadUseCases = Pick<UseCases, 'logs' | 'events' | 'watchEvents' | 'usage'>;
type ArtifactUseCases = Pick<UseCases, 'statArtifact' | 'putArtifact'>;

export function createRevisionUseCases(options: {
  catalog: Catalog;
  journal: Journal;
  clock: Clock;
  alone: <T>(work: () => Promise<T>) => Promise<T>;
}): RevisionUseCases {
  const { catalog, journal, clock, alone } = options;

  function requireRevision(key: string): Stored<'revision'> {
    const stored = catalog.revision(key);
    if (!stored) throw new Fault('not_found', `there is no revision ${key}`);
    return stored;
  }

  /** What is served now, or will be once it is ready, may not lose its revision. */
  function refuseUsed(key: string): void {
    const { namespace, model, revision } = partsOfRevisionKey(key);
    const { resolved, stored } = requireModel(catalog, namespace, model);
    const rows = [...resolved.targets, ...(stored.value.document.spec.traffic ?? [])];
    if (!rows.some((row) => row.revision === revision)) return;
    throw new Fault(
      'conflict',
      `traffic or a tag leads to revision ${key}: move it elsewhere first`,
    );
  }

  return {
    async getRevision(actor, key) {
      requireRole(actor, 'read');
      return requireRevision(key);
    },
    async deleteRevision(actor, key, ifMatch) {
      requireRole(actor, 'deploy');
      await alone(async () => {
        const stored = requireRevision(key);
        checkMatch(`revision ${key}`, stored.version, ifMatch);
        refuseUsed(key);
        const why = `deleted by ${actor.id}`;
        const parts = partsOfRevisionKey(key);
        const event = { ...parts, at: clock.now(), type: 'RevisionDeleted', why, actor };
        const write = {
          kind: 'revision',
          key,
          expected: stored.version,
          value: undefined,
        } as const;
        await journal.commit([write], [event]);
      });
    },
  };
}

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
  };
}

export function createArtifactUseCases(artifacts: Artifacts): ArtifactUseCases {
  return {
    async statArtifact(actor, digest) {
      requireRole(actor, 'deploy');
      return await artifacts.stat(digest);
    },
    async putArtifact(actor, digest, content, { name, kind }) {
      requireRole(actor, 'deploy');
      const options = { name, kind, expected: digest, maxBytes: MAX_ARTIFACT_BYTES };
      return await artifacts.put(content, options);
    },
  };
}
