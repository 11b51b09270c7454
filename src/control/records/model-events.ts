import { isDeepStrictEqual } from 'node:util';
import type { ModelInput } from '#domain/model.ts';
import { partsOfModelKey } from '#domain/names.ts';
import type { Actor } from '#domain/records.ts';
import { formatMatch } from '#domain/traffic-text.ts';
import type { ApplyPlan } from './apply.ts';
import type { ModelEntry } from './catalog.ts';
import type { NewEvent } from './journal.ts';

/** What a change of a model tells, in the order in which a reader wants it. */
export function makeModelEvents(change: {
  key: string;
  before: ModelEntry | undefined;
  plan: ApplyPlan;
  actor: Actor;
  now: number;
  waitingFor: readonly string[];
}): NewEvent[] {
  const { key, before, plan, actor, now, waitingFor } = change;
  const { namespace, model } = partsOfModelKey(key);
  const event = (type: string, why: string, revision?: string): NewEvent => {
    const named = revision === undefined ? {} : { revision };
    return { at: now, namespace, model, ...named, type, why, actor };
  };
  const events: NewEvent[] = [];
  const keys = changedKeys(before?.stored.value.document, plan.document);
  if (!before) events.push(event('ModelCreated', `created by ${actor.id}`));
  else if (keys.length > 0) {
    events.push(event('ModelChanged', `${keys.join(', ')} changed by ${actor.id}`));
  }
  for (const { name } of plan.created) {
    events.push(event('RevisionCreated', `created by ${actor.id}`, name));
  }
  for (const { name } of plan.retried) {
    events.push(event('RevisionRetried', `tried again: applied by ${actor.id}`, name));
  }
  if (before && plan.setsTraffic) {
    events.push(event('TrafficChanged', `${describeSplit(plan.document)}, set by ${actor.id}`));
  }
  if (waitingFor.length > 0) {
    const why = `the split takes effect when ${waitingFor.join(', ')} is Ready; until then the one before serves`;
    events.push(event('TrafficWaits', why));
  }
  return events;
}

function describeSplit({ spec }: ModelInput): string {
  if (!spec.traffic) return 'all to the latest ready revision';
  return spec.traffic
    .map(({ revision = 'latest', percent = 0, tag, match }) => {
      const tagged = tag === undefined ? '' : ` (tag ${tag})`;
      const share = match ? `${revision} ${formatMatch(match)}` : `${revision}=${percent}`;
      return share + tagged;
    })
    .join(' ');
}

function changedKeys(before: ModelInput | undefined, after: ModelInput): string[] {
  if (!before) return [];
  const changed: string[] = isDeepStrictEqual(before.metadata, after.metadata) ? [] : ['metadata'];
  const keys = new Set([...Object.keys(before.spec), ...Object.keys(after.spec)]);
  for (const key of keys) {
    const values = [Reflect.get(before.spec, key), Reflect.get(after.spec, key)] as const;
    if (!isDeepStrictEqual(values[0], values[1])) changed.push(`spec.${key}`);
  }
  return changed;
}
