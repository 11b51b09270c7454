import { jitteredMs, type Pace } from './pace.ts';

export interface DeliveryPace extends Pace {
  /** From the end of the request, or from when its delivery was asked for again. */
  readonly giveUpMs: number;
}

/** A receiver that is deployed anew is back in minutes, one that is broken is looked at within a day. */
export const DELIVERY_PACE: DeliveryPace = {
  firstMs: 1000,
  longestMs: 3_600_000,
  giveUpMs: 24 * 3_600_000,
};

/** A receiver says so when it does not want to hear of this any more. */
const GONE = 410;

/** Times in ms. */
export interface Sent {
  /** 0: there was no answer. */
  readonly status: number;
  /** Why there was none. */
  readonly failure: string;
  /** It may never be sent there: trying again does not help. */
  readonly isForbidden: boolean;
  readonly attempts: number;
  readonly ageMs: number;
  /** What the answer asks for; 0: nothing. */
  readonly retryAfterMs: number;
  /** Uniform in [0, 1). */
  readonly roll: number;
}

export type DeliveryDecision =
  | { readonly state: 'delivered' | 'dead'; readonly why: string }
  | { readonly state: 'waiting'; readonly afterMs: number; readonly why: string };

/** Whether a webhook has been taken, is sent again, or is given up. */
export function decideDelivery(sent: Sent, pace = DELIVERY_PACE): DeliveryDecision {
  const { status, failure, attempts, ageMs, roll } = sent;
  if (status >= 200 && status < 300) return { state: 'delivered', why: '' };
  const why = status === 0 ? failure : `answered with ${status}`;
  if (sent.isForbidden || status === GONE) return { state: 'dead', why };
  if (ageMs >= pace.giveUpMs) return { state: 'dead', why: `${why}, after ${attempts} attempts` };
  const wanted = Math.min(sent.retryAfterMs, pace.longestMs);
  return { state: 'waiting', afterMs: Math.max(wanted, jitteredMs(attempts, pace, roll)), why };
}
