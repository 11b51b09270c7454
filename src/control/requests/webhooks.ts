import { type AsyncRequest, type Delivery, makeRequestView } from '#domain/async-request.ts';
import type { Clock } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';
import {
  decideDelivery,
  DELIVERY_PACE,
  type DeliveryDecision,
  type DeliveryPace,
} from '#policies/requests/delivery.ts';
import type { DeliveryQueue, RequestQueue } from '#store/requests/requests.ts';
import { keepStoring } from './keep-storing.ts';
import { createLaneRunner, type LaneRunner } from './lanes.ts';
import type { Poster, Posted } from './post.ts';
import { makeWebhookSecret, signWebhook } from './signature.ts';

/** A receiver gets no more than this at once, and slow ones leave room for others. A webhook has hardly a kilobyte. */
const LIMITS = { perLane: 32, inAll: 128, bytes: Infinity };

/**
 * Tells webhooks what became of requests.
 *
 * Invariants:
 * 1. An attempt is stored before it is sent. What this process leaves unsettled is sent again by the next, with the same id.
 * 2. After an acknowledgement has been stored nothing is sent again.
 */
export function createWebhooks(options: {
  deliveries: DeliveryQueue;
  requests: Pick<RequestQueue, 'get'>;
  poster: Poster;
  platformSecret: Uint8Array;
  onSettled: (decision: DeliveryDecision['state']) => void;
  clock: Clock;
  /** Receivers refuse what is old by their clocks. */
  wall: Pick<Clock, 'now'>;
  log: Log;
  random: () => number;
  pace?: DeliveryPace;
}): LaneRunner {
  const { deliveries, requests, poster, platformSecret, clock, wall, log, random } = options;
  const { pace = DELIVERY_PACE } = options;

  async function send(delivery: Delivery, signal: AbortSignal): Promise<Posted> {
    const { id, namespace, url } = delivery;
    const request = await requests.get(delivery.request);
    const body = makeBody(request);
    const secret = makeWebhookSecret(platformSecret, namespace);
    const signed = signWebhook(secret, { id, at: wall.now(), body });
    return await poster.post(url, signed, body, signal);
  }

  async function run(delivery: Delivery, closing: AbortSignal): Promise<number> {
    const posted = await send(delivery, closing);
    const ageMs = clock.now() - delivery.createdAt;
    const { id, attempts } = delivery;
    const decision = decideDelivery({ ...posted, attempts, ageMs, roll: random() }, pace);
    const { state, why } = decision;
    const at = clock.now() + (state === 'waiting' ? decision.afterMs : 0);
    const outcome = { state, at, reason: why };
    const settled = await keepStoring(() => deliveries.settle(id, attempts, outcome), {
      id,
      closing,
      clock,
      log,
    });
    if (settled) options.onSettled(state);
    return 0;
  }

  return createLaneRunner({
    ...options,
    source: deliveries,
    bytesOf: () => 0,
    run,
    limits: LIMITS,
  });
}

/** As Standard Webhooks has it. Without the answer: who may read that fetches it. */
function makeBody(request: AsyncRequest | undefined): string {
  if (!request) return JSON.stringify({ type: 'request.forgotten', data: {} });
  const { webhook: _webhook, ...data } = makeRequestView(request);
  const timestamp = new Date(request.endedAt ?? request.createdAt).toISOString();
  return JSON.stringify({ type: `request.${request.state}`, timestamp, data });
}
