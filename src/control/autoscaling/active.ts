import { modelSpec, revisionSpec } from '#domain/model.ts';
import type { Wanted, Workload } from '#runtime/runtime.ts';
import type { Bound } from '#policies/desired.ts';
import { CALM, makeAdoptedScale, type ScaleMemory } from '#policies/scale.ts';
import {
  UNWEIGHTED,
  type WeightedMemory,
  makeAdoptedWeighted,
} from '#policies/scaling/weighted.ts';
import { type LoadWindow, makeLoadWindow } from '#policies/window.ts';
import type { RevisionFacts } from '../records/facts.ts';

/** The decision that was told last, as far as it was carried out. */
export interface Told {
  readonly desired: number;
  readonly parked: number;
  readonly reason: string;
}

/** What the autoscaler remembers of a revision with instances, load or a floor. */
export interface Active {
  readonly key: string;
  facts: RevisionFacts;
  deleted: boolean;
  /** It has to become ready once. */
  proof: boolean;
  /** When that was over, if others of its model were in use then. */
  provenAt: number | undefined;
  readonly window: LoadWindow;
  scale: ScaleMemory;
  /** Of its signals, if it has any. */
  weighted: WeightedMemory;
  /** What its signals would have, while they do not steer. */
  trial: { readonly count: number; readonly why: string } | undefined;
  /** As many as its load needs, while it is in use. */
  load: number;
  /** Its share of a budget, while that is less than it needs. */
  share: Bound | undefined;
  /** While one of its model's schedules runs. */
  scheduled: Bound | undefined;
  lastRequestAt: number | undefined;
  /** Instances that the memory budget has room for, at most as many as desired. */
  granted: number;
  /** Since when it has had less than desired, for want of memory. */
  waitingSince: number | undefined;
  /** Why its memory is taken away, until nothing of it runs. */
  evicted: string | undefined;
  /** When that was last; undefined: nothing of it is on its way out. */
  gaveWayAt: number | undefined;
  ordered: Wanted | undefined;
  told: Told;
  deciding: boolean;
  asked: boolean;
}

export function makeActive(facts: RevisionFacts, deleted: boolean, now: number): Active {
  return {
    key: facts.key,
    facts,
    deleted,
    proof: false,
    provenAt: undefined,
    window: makeLoadWindow(now),
    scale: CALM,
    weighted: UNWEIGHTED,
    trial: undefined,
    load: 0,
    share: undefined,
    scheduled: undefined,
    lastRequestAt: undefined,
    granted: 0,
    waitingSince: undefined,
    evicted: undefined,
    gaveWayAt: undefined,
    ordered: undefined,
    told: { desired: 0, parked: 0, reason: 'idle' },
    deciding: false,
    asked: false,
  };
}

/** So many ran and so many were parked before control was there: that stands until its load is known. */
export function markAdopted(one: Active, running: number, parked: number, now: number): void {
  one.granted = running;
  one.told = { desired: running, parked, reason: 'keep-alive' };
  one.lastRequestAt = now;
  one.scale = makeAdoptedScale(running, now);
  one.weighted = makeAdoptedWeighted(running, now);
}

export function floorsOf({ facts, proof, deleted, scheduled }: Active): Bound[] {
  if (deleted) return [];
  const floors: Bound[] = [];
  const { min, initial } = facts.scaling;
  if (proof) floors.push(makeProofFloor(Math.max(1, initial)));
  if (!facts.routed || facts.state !== 'Ready') return floors;
  if (min > 0) floors.push({ source: 'min', count: min, why: `scaling.min is ${min}` });
  if (scheduled) floors.push(scheduled);
  return floors;
}

function makeProofFloor(count: number): Bound {
  const who = count === 1 ? 'it has' : `${count} instances have`;
  return { source: 'proof', count, why: `${who} to become ready once` };
}

export function ceilingsOf({ facts, proof, deleted, share }: Active): Bound[] {
  if (deleted) return [{ source: 'deleted', count: 0, why: 'the revision is deleted' }];
  const { max } = facts.scaling;
  const ceilings: Bound[] = [{ source: 'max', count: max, why: `scaling.max is ${max}` }];
  if (share) ceilings.push(share);
  if (facts.state !== 'Ready' && !proof) {
    ceilings.push({ source: 'state', count: 0, why: `the revision is ${facts.state}` });
  }
  return ceilings;
}

/** Enough for an order that nothing of it shall run: what is stored of it has gone. */
export function makeLostWorkload(key: string): Workload {
  return { key, spec: revisionSpec.parse({ runtime: 'url', source: 'http://localhost/' }) };
}

/** Of a workload that runs and that the catalog does not know any more. */
export function makeLostFacts(workload: Workload): RevisionFacts {
  return {
    key: workload.key,
    state: 'Failed',
    workload,
    scaling: modelSpec.parse({ scaling: { max: 1, initial: 0 } }).scaling,
    keepAlive: { policy: 'fixed', idle: 0, park: 0 },
    routed: false,
  };
}
