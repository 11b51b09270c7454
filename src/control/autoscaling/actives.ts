import { modelOf } from '#domain/names.ts';
import type { Clock } from '#lib/clock.ts';
import type { Workload } from '#runtime/runtime.ts';
import { type Active, makeActive, makeLostFacts } from './active.ts';
import type { Catalog } from '../records/catalog.ts';
import { type RevisionFacts, factsOfKey } from '../records/facts.ts';

/** Revisions with instances, load or a floor, also by model. Sleeping ones are not here, and cost nothing. */
export interface Actives {
  readonly all: ReadonlyMap<string, Active>;
  /** Keys; what is removed while they are walked through is not given any more. */
  ofModel(model: string): Iterable<string>;
  /** Active from now on, if it is not yet; undefined: the catalog does not know it. */
  ensure(key: string): Active | undefined;
  /** The same for what runs and the catalog does not know any more. */
  addLost(workload: Workload): Active;
  /** Its facts are those of the catalog from now on; undefined: it is not active. */
  refresh(key: string): Active | undefined;
  remove(one: Active): void;
}

export function createActives({ catalog, clock }: { catalog: Catalog; clock: Clock }): Actives {
  const all = new Map<string, Active>();
  const byModel = new Map<string, Set<string>>();

  function add(facts: RevisionFacts, deleted: boolean): Active {
    const fresh = makeActive(facts, deleted, clock.now());
    all.set(facts.key, fresh);
    const model = modelOf(facts.key);
    byModel.set(model, (byModel.get(model) ?? new Set()).add(facts.key));
    return fresh;
  }

  return {
    all,
    ofModel: (model) => byModel.get(model) ?? [],
    ensure(key) {
      const known = all.get(key);
      if (known) return known;
      const facts = factsOfKey(catalog, key);
      return facts && add(facts, false);
    },
    addLost: (workload) => add(makeLostFacts(workload), true),
    refresh(key) {
      const one = all.get(key);
      if (!one) return undefined;
      const facts = factsOfKey(catalog, key);
      one.deleted = facts === undefined;
      if (facts) one.facts = facts;
      return one;
    },
    remove(one) {
      all.delete(one.key);
      const model = modelOf(one.key);
      const siblings = byModel.get(model);
      siblings?.delete(one.key);
      if (siblings?.size === 0) byModel.delete(model);
    },
  };
}
