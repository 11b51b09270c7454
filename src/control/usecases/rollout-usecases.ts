import { modelKey } from '#domain/names.ts';
import type { RolloutRecord } from '#domain/rollout.ts';
import type { RolloutView } from '#domain/views.ts';
import { Fault } from '#lib/fault.ts';
import { stepsOf } from '#policies/rollout/decide.ts';
import type { Catalog, ModelEntry } from '../records/catalog.ts';
import { requireModel } from '../records/checks.ts';
import { specOf } from '../records/facts.ts';
import { requireRole } from '../roles.ts';
import type { UseCases } from './usecases.ts';
import type { Rollouts } from '../rollout/rollouts.ts';

export function createRolloutUseCases(options: {
  catalog: Catalog;
  rollouts: Pick<Rollouts, 'get' | 'act'>;
}): Pick<UseCases, 'getRollout' | 'actOnRollout'> {
  const { catalog, rollouts } = options;
  return {
    async getRollout(actor, namespace, model) {
      requireRole(actor, 'read');
      const entry = requireModel(catalog, namespace, model);
      const record = rollouts.get(entry.key);
      if (!record) throw new Fault('not_found', `model ${entry.key} has had no rollout`);
      return makeRolloutView(entry, record);
    },
    async actOnRollout(actor, namespace, model, action) {
      requireRole(actor, 'deploy');
      const entry = requireModel(catalog, namespace, model);
      const record = await rollouts.act(modelKey(namespace, model), action, actor);
      return makeRolloutView(entry, record);
    },
  };
}

function makeRolloutView(entry: ModelEntry, record: RolloutRecord): RolloutView {
  const { memory, made: _, ...rest } = record;
  const { rollout } = specOf(entry);
  const { step, stepAt } = memory;
  return { ...rest, step, stepAt, steps: rollout ? [...stepsOf(rollout)] : [] };
}
