import { jitteredMs, type Pace } from './pace.ts';

/** Statuses by which a model says that another time would do. */
const AGAIN = new Set([429, 502, 503, 504]);
/** After so many the model's answer is taken as it is, and what costs an instance each time is given up. */
export const MOST_ATTEMPTS = 8;
/** A start of a model takes seconds; whoever waits here is in no hurry. */
export const ATTEMPT_PACE: Pace = { firstMs: 500, longestMs: 30_000 };

/** What came of sending a request, once more or for the first time. Times in ms. */
export interface Attempted {
  /** This one counted. */
  readonly attempts: number;
  /**
   * `answered`: by the model. `refused`: by Rouse, before the model had it. `lost`: the model had it, and gave no answer
   * that is one. `final`: Rouse refused it, and would again.
   */
  readonly how: 'answered' | 'refused' | 'lost' | 'final';
  /** 0: there was no answer at all. */
  readonly status: number;
  /** What the answer asks for; 0: nothing. */
  readonly retryAfterMs: number;
  /** Uniform in [0, 1). */
  readonly roll: number;
}

export type AttemptDecision =
  | { readonly state: 'done' | 'failed'; readonly why: string }
  | {
      readonly state: 'waiting';
      /** From now. */
      readonly afterMs: number;
      /** Others of the same model would fare the same until then. */
      readonly pauses: boolean;
      readonly why: string;
    };

/** Whether a request has its answer, is sent again, or is given up. Its deadline is not looked at here. */
export function decideAttempt(attempted: Attempted, pace = ATTEMPT_PACE): AttemptDecision {
  const { attempts, how, status, retryAfterMs, roll } = attempted;
  if (how === 'final') return { state: 'failed', why: `refused with ${status}` };
  const isLast = attempts >= MOST_ATTEMPTS;
  if (how === 'answered') {
    if (!AGAIN.has(status)) return { state: 'done', why: `answered with ${status}` };
    if (isLast) return { state: 'done', why: `answered with ${status} ${attempts} times` };
  } else if (how === 'lost' && isLast) {
    return { state: 'failed', why: `lost ${attempts} times` };
  }
  const afterMs = Math.max(retryAfterMs, jitteredMs(attempts, pace, roll));
  const why = status === 0 ? 'not answered' : `${how} with ${status}`;
  return { state: 'waiting', afterMs, pauses: how !== 'lost', why };
}
