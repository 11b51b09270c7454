import { shadow as shadowSchema } from '#domain/shadow.ts';
import type { RoutingShadow } from '#domain/routing.ts';
import type { ModelEntry } from '../records/catalog.ts';
import { specOf } from '../records/facts.ts';

/**
 * Who gets copies of a model's requests now. Undefined: nobody, as where the revision is not Ready, or has a share of the
 * requests: it is no shadow then.
 */
export function shadowOf(entry: ModelEntry): RoutingShadow | undefined {
  const { document } = entry.stored.value;
  if (!document.spec.shadow && !document.spec.rollout) return undefined;
  const { shadow: written, rollout } = specOf(entry);
  const shadow = inRollout(entry, rollout?.shadow, written) ?? written;
  if (!shadow || entry.revisions.get(shadow.revision)?.value.state !== 'Ready') return undefined;
  const serves = entry.resolved.targets.some(
    ({ revision, percent }) => revision === shadow.revision && percent > 0,
  );
  return serves ? undefined : shadow;
}

/** A canary that has no share yet: it is to be judged by copies, and is woken for them. */
function inRollout(
  { split }: ModelEntry,
  percent: number | undefined,
  written: RoutingShadow | undefined,
): RoutingShadow | undefined {
  const canary = split?.targets.find((target) => target.percent === 0)?.revision;
  if (percent === undefined || canary === undefined) return undefined;
  const { tolerance, ignore } = written ?? {};
  return shadowSchema.parse({ revision: canary, percent, wake: true, tolerance, ignore });
}
