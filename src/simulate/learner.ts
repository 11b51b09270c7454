import { type Bins, makeMinuteBins, makeSecondBins } from '#policies/keepalive/bins.ts';
import {
  type Fleet,
  learnArrival,
  learnSurvival,
  makeFleet,
  makeModelHistory,
} from '#policies/keepalive/hazard.ts';
import type { History } from '#policies/keepalive/history.ts';
import type { Trace } from './trace.ts';

const MINUTE_MS = 60_000;

/** What the learned policies share: all that a trace has taught so far. */
export interface Learner {
  readonly fleet: Fleet;
  readonly histories: readonly History[];
  readonly tick: (now: number) => void;
  readonly arrive: (model: number, idle: number | undefined, now: number) => void;
}

export function createLearner(trace: Trace): Learner {
  const fleet = makeFleet(binsOf(trace), trace.from);
  const histories = trace.models.map(() => makeModelHistory(fleet));
  return {
    fleet,
    histories,
    tick(now) {
      for (const history of histories) learnSurvival(fleet, history, now);
    },
    arrive(model, _, now) {
      learnArrival(fleet, histories[model]!, now);
    },
  };
}

export function binsOf({ resolution }: Trace): Bins {
  return resolution < MINUTE_MS ? makeSecondBins() : makeMinuteBins();
}
