import { type Bins, binOf } from './bins.ts';
import {
  type Calibration,
  calibrate,
  FEATURES,
  learnCalibration,
  makeCalibration,
} from './calibration.ts';
import {
  countArrivals,
  type History,
  learnGap,
  levelHazard,
  makeHistory,
  RECENT_MS,
  shapeHazard,
} from './history.ts';
import { STATES } from './programme.ts';
import { contextOf, learnPooled, makePooled, type Pooled, pooledHazard } from './pooled.ts';

/**
 * How likely does the next request of an idle model come now: by bin of idle time, given that it has not come
 * before. Four layers, each shrunk to the one before: all models, this model's level, its shape, calibration.
 * Each bin that passes without a request teaches as one in which it came: who is still idle teaches, too.
 *
 * The memory is large, and is changed in place:
 * 1. Only what has happened by `now` is in it.
 * 2. A history is between `beginIdle` and `learnArrival`, or it is busy and learns nothing.
 * 3. While a model idles, its own history does not change: the hazard of a bin is learned from the features
 *    from which it was planned.
 */
export interface Fleet {
  readonly bins: Bins;
  readonly pooled: Pooled;
  readonly calibration: Calibration;
  /** Decayed counts of all models' arrivals over an hour and a day, and when they began; NaN: nothing has come. */
  hour: number;
  day: number;
  countedAt: number;
  readonly since: number;
  /** Scratch: features of one bin. */
  readonly features: Float64Array;
  /** Hazards of the model that became idle last, by bin, and how many of them matter. */
  readonly hazards: Float64Array;
  reached: number;
  /** Scratch: choices of the programme. */
  readonly choices: Uint8Array;
  /** By bin: what is left at its beginning of what was when the model became idle. */
  readonly left: readonly Float64Array[];
}

const [, HOUR_MS, DAY_MS] = RECENT_MS;
const MINUTE_MS = 60_000;
/** Before two days are seen, the hour of the day says nothing that repeats. */
const TIME_OF_DAY_FROM_MS = 2 * DAY_MS;
/** Hazards stay this far from 0 and 1: nothing is certain. */
const SURELY = 1e-6;
/** In a day without any the count of an hour fades by so much. */
const LEAST_ACTIVITY = -DAY_MS / HOUR_MS;
/** A bin that is reached less often than this does not matter for the plan. */
const REACHED = 1e-4;

export function makeFleet(bins: Bins, now: number): Fleet {
  const left = RECENT_MS.map((span) => bins.from.map((from) => Math.exp(-from / span)));
  return {
    bins,
    pooled: makePooled(bins),
    calibration: makeCalibration(),
    hour: 0,
    day: 0,
    countedAt: now,
    since: now,
    features: new Float64Array(FEATURES),
    hazards: new Float64Array(bins.count),
    reached: 0,
    choices: new Uint8Array(bins.count * STATES),
    left,
  };
}

export function makeModelHistory({ bins }: Fleet): History {
  return makeHistory(bins);
}

/** It has become idle: leaves its hazards, from now on, in `fleet.hazards`. In place. */
export function beginIdle(fleet: Fleet, history: History, now: number): void {
  countArrivals(history, now, 0);
  countFleet(fleet, now, 0);
  history.activity = activityOf(fleet, now);
  history.idleSince = now;
  history.nextBin = 0;
  foresee(fleet, history, 0);
}

/** Learns from the bins that an idle model has passed by `now` without a request. In place. */
export function learnSurvival(fleet: Fleet, history: History, now: number): void {
  const { bins } = fleet;
  const idle = now - history.idleSince;
  while (history.nextBin < bins.count && bins.to[history.nextBin]! < idle) {
    learnBin(fleet, history, history.nextBin, false);
    history.nextBin++;
  }
}

/** The same, but the fleet has learned from these bins already: what is left is this model's part. In place. */
export function skipSurvival({ bins, pooled }: Fleet, history: History, now: number): void {
  const idle = now - history.idleSince;
  for (; history.nextBin < bins.count && bins.to[history.nextBin]! < idle; history.nextBin++) {
    const ageClass = bins.ageClass[history.nextBin]!;
    history.expectedNow[ageClass]! += pooledHazard(pooled, history.context, history.nextBin);
  }
}

/** A request has come to a model that was idle, or to one that had none before. In place. */
export function learnArrival(fleet: Fleet, history: History, now: number): void {
  if (!Number.isNaN(history.idleSince)) endIdle(fleet, history, now);
  countArrivals(history, now, 1);
  countFleet(fleet, now, 1);
}

function endIdle(fleet: Fleet, history: History, now: number): void {
  const gap = now - history.idleSince;
  learnSurvival(fleet, history, now);
  const bin = binOf(fleet.bins, gap);
  if (bin < fleet.bins.count) learnBin(fleet, history, bin, true);
  learnGap(history, fleet.bins, bin);
  history.gaps++;
  history.gapBefore = history.lastGap;
  history.lastGap = gap;
  history.context = contextOf(gap);
  history.idleSince = Number.NaN;
}

function learnBin(fleet: Fleet, history: History, bin: number, came: boolean): void {
  const { pooled, calibration, features, bins } = fleet;
  const ageClass = bins.ageClass[bin]!;
  const hazard = hazardAt(fleet, history, bin);
  learnCalibration(calibration, ageClass, features, hazard - (came ? 1 : 0));
  history.expectedNow[ageClass]! += pooledHazard(pooled, history.context, bin);
  learnPooled(pooled, history.context, bin, came);
}

/** Leaves the hazards of an idle model in `fleet.hazards`, from this bin on, as far as they matter. In place. */
export function foresee(fleet: Fleet, history: History, from: number): void {
  let reached = 1;
  fleet.reached = fleet.bins.count;
  for (let bin = from; bin < fleet.bins.count; bin++) {
    const hazard = hazardAt(fleet, history, bin);
    fleet.hazards[bin] = hazard;
    reached *= 1 - hazard;
    if (reached >= REACHED) continue;
    fleet.reached = bin + 1;
    return;
  }
}

/** Leaves the features in `fleet.features`. */
function hazardAt(fleet: Fleet, history: History, bin: number): number {
  const { bins, pooled, calibration, features } = fleet;
  const ageClass = bins.ageClass[bin]!;
  const all = pooledHazard(pooled, history.context, bin);
  const level = levelHazard(history, ageClass, clip(all));
  const shape = shapeHazard(history, bin, level);
  const [ofAll, ofLevel, ofShape] = [logit(all), logit(level), logit(shape)];
  features[0] = 1;
  features[1] = ofAll;
  features[2] = ofLevel - ofAll;
  features[3] = ofShape - ofLevel;
  fillRest(fleet, history, bin);
  return clip(calibrate(calibration, ageClass, features));
}

function fillRest(fleet: Fleet, history: History, bin: number): void {
  const { features, left, bins } = fleet;
  const { recent, gapBefore, idleSince } = history;
  for (let each = 0; each < recent.length; each++) {
    features[4 + each] = Math.log1p(recent[each]! * left[each]![bin]!);
  }
  features[7] = history.activity * left[1]![bin]!;
  features[8] = Number.isNaN(gapBefore) ? 0 : Math.log1p(gapBefore / MINUTE_MS);
  if (idleSince - fleet.since < TIME_OF_DAY_FROM_MS) return;
  const angle = (2 * Math.PI * (idleSince + bins.from[bin]!)) / DAY_MS;
  features[9] = Math.sin(angle);
  features[10] = Math.cos(angle);
  features[11] = Math.sin(2 * angle);
  features[12] = Math.cos(2 * angle);
}

/** Log of the fleet's arrivals per time over the last hour to those over the last day, after a day without any at least. */
function activityOf({ hour, day, since }: Fleet, now: number): number {
  const seen = now - since;
  if (seen < MINUTE_MS || day === 0) return 0;
  const perHour = hour / (HOUR_MS * -Math.expm1(-seen / HOUR_MS));
  const perDay = day / (DAY_MS * -Math.expm1(-seen / DAY_MS));
  // Who is asked all the time for a month is never idle, and nothing is counted meanwhile: the hour's count fades to 0.
  return Math.max(LEAST_ACTIVITY, Math.log(perHour / perDay));
}

function countFleet(fleet: Fleet, now: number, arrivals: number): void {
  const passed = now - fleet.countedAt;
  fleet.hour = fleet.hour * Math.exp(-passed / HOUR_MS) + arrivals;
  fleet.day = fleet.day * Math.exp(-passed / DAY_MS) + arrivals;
  fleet.countedAt = now;
}

function clip(hazard: number): number {
  return Math.min(Math.max(hazard, SURELY), 1 - SURELY);
}

function logit(hazard: number): number {
  const sure = clip(hazard);
  return Math.log(sure / (1 - sure));
}
