import { partsOfRevisionKey } from '#domain/names.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import type { Stored } from '#store/store.ts';
import type { Catalog } from './catalog.ts';
import { checkMatch, requireModel } from './checks.ts';
import type { Journal } from './journal.ts';
import { requireRole } from './roles.ts';
import type { UseCases } from './usecases.ts';

type RevisionUseCases = Pick<UseCases, 'getRevision' | 'deleteRevision'>;

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
