import { quote } from '../quote.ts';
import { type Refusal, refusal } from '../refusal.ts';
import type { ModelRoute, RevisionRoute } from '../routes.ts';

/**
 * The revision that is spoken of where none has to serve: the one asked for, by `name` ('': none) or by `tag`, or the
 * one with the largest part of the split.
 */
export function revisionShown(
  model: ModelRoute,
  name: string,
  tag: string | undefined,
): RevisionRoute | undefined {
  if (name !== '') return model.revisions.get(name);
  if (tag !== undefined) return revisionTagged(model, tag);
  let shown: RevisionRoute | undefined;
  let most = -1;
  for (const { percent, revision } of model.routing.targets) {
    const route = percent > most ? model.revisions.get(revision) : undefined;
    if (!route) continue;
    shown = route;
    most = percent;
  }
  return shown ?? [...model.revisions.values()].at(-1);
}

export function revisionTagged(model: ModelRoute, tag: string): RevisionRoute | undefined {
  const target = model.routing.targets.find((row) => row.tag === tag);
  return target && model.revisions.get(target.revision);
}

/** The refusal for a revision that the model does not have. */
export function noRevision(model: ModelRoute, name: string): Refusal {
  const known = [...model.revisions.keys()].join(', ') || 'none';
  const detail = `Model ${model.routing.name} has no revision ${quote(name)}; it has: ${known}.`;
  return refusal('not_found', detail);
}
