import { partsOfRevisionKey } from '#domain/names.ts';
import { Fault } from '#lib/fault.ts';
import type { Stored } from '#store/store.ts';
import type { Catalog } from '../records/catalog.ts';
import { checkMatch, requireModel } from '../records/checks.ts';
import type { Retention } from '../retention/retention.ts';
import { requireRole } from '../roles.ts';
import type { Turns } from '../records/turns.ts';
import type { UseCases } from './usecases.ts';

type RevisionUseCases = Pick<UseCases, 'getRevision' | 'deleteRevision'>;

export function createRevisionUseCases(options: {
  catalog: Catalog;
  retention: Pick<Retention, 'deletions' | 'rulesFor'>;
  alone: Turns;
}): RevisionUseCases {
  const { catalog, retention, alone } = options;

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
    const { shadow } = stored.value.document.spec;
    if (shadow?.revision === revision) {
      throw new Fault('conflict', `revision ${key} is a shadow: change spec.shadow first`);
    }
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
    async deleteRevision(actor, key, { ifMatch, now = false } = {}) {
      requireRole(actor, 'deploy');
      await alone(async () => {
        const stored = requireRevision(key);
        checkMatch(`revision ${key}`, stored.version, ifMatch);
        refuseUsed(key);
        const { namespace, model } = partsOfRevisionKey(key);
        const entry = requireModel(catalog, namespace, model);
        const undo = now ? 0 : retention.rulesFor(entry).undo;
        const why = `deleted by ${actor.id}`;
        await retention.deletions.revision(entry, stored, { actor, why, undo });
      });
    },
  };
}
