import type { SelectionSpec } from '#domain/selection.ts';
import { Fault } from '#lib/fault.ts';
import type { Catalog, ModelEntry } from '../records/catalog.ts';
import { requireModel } from '../records/checks.ts';
import { specOf } from '../records/facts.ts';
import { requireRole } from '../roles.ts';
import type { Selection } from '../selection/selection.ts';
import type { UseCases } from './usecases.ts';

export function createSelectionUseCases(options: {
  catalog: Catalog;
  selection: Selection;
}): Pick<UseCases, 'getSelection' | 'select'> {
  const { catalog, selection } = options;

  function viewOf(entry: ModelEntry) {
    const view = selection.view(entry.key);
    if (!view) throw refuse(entry);
    return view;
  }

  return {
    async getSelection(actor, namespace, model) {
      requireRole(actor, 'read');
      return viewOf(requireModel(catalog, namespace, model));
    },
    async select(actor, namespace, model, wanted) {
      requireRole(actor, 'deploy');
      const entry = requireModel(catalog, namespace, model);
      const spec = specOf(entry).selection;
      if (!spec) throw refuse(entry);
      checkRevision(entry, spec, wanted.revision);
      await selection.choose(entry.key, wanted, actor);
      return viewOf(entry);
    },
  };
}

function refuse({ key }: ModelEntry): Fault {
  return new Fault(
    'conflict',
    `model ${key} has no spec.selection: its traffic is as it was written`,
  );
}

function checkRevision(entry: ModelEntry, { candidates }: SelectionSpec, revision: string): void {
  const state = entry.revisions.get(revision)?.value.state;
  const what = `revision ${revision} of model ${entry.key}`;
  if (state === undefined) throw new Fault('not_found', `there is no ${what}`);
  if (state !== 'Ready') throw new Fault('conflict', `${what} is ${state}, expected Ready`);
  if (!candidates || candidates.includes(revision)) return;
  throw new Fault(
    'conflict',
    `${what} is none of the candidates of its selection: ${candidates.join(', ')}`,
  );
}
