import type { ScaleDecision } from '#policies/scale.ts';
import {
  type WeightedDecision,
  type WeightedSeen,
  decideWeighted,
} from '#policies/scaling/weighted.ts';
import type { Active } from '../active.ts';
import type { Readings } from './readings.ts';
import { makeSignalSpecs } from './signal-specs.ts';

/** How many the load needs, whoever has counted. */
export interface LoadDecision {
  readonly count: number;
  readonly mode: ScaleDecision['mode'] | WeightedDecision['mode'];
  readonly why: string;
}

/**
 * The number by the model's signals in the place of the one by concurrency, where it has any. On trial it is only told
 * beside the other.
 */
export function decideBySignals(
  one: Active,
  seen: Pick<WeightedSeen, 'ready' | 'woken' | 'instances'> & { queued: number; inFlight: number },
  byLoad: LoadDecision,
  readings: Pick<Readings, 'sightings'>,
  now: number,
): LoadDecision {
  const { scaling } = one.facts;
  if (scaling.signals.length === 0) return byLoad;
  const spec = { signals: makeSignalSpecs(one.facts), behavior: scaling.behavior };
  const about = {
    signals: readings.sightings(one.facts),
    ready: seen.ready,
    woken: seen.woken,
    instances: seen.instances,
    isBusy: seen.queued + seen.inFlight > 0,
    load: byLoad.count,
  };
  const { decision, memory, why } = decideWeighted(spec, about, one.weighted, now);
  one.weighted = memory;
  one.trial = scaling.dryRun ? { count: decision.count, why } : undefined;
  return scaling.dryRun ? byLoad : { ...decision, why };
}
