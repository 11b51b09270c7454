import type { AsyncRequest } from '#domain/async-request.ts';
import type { Clock } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';
import { ATTEMPT_PACE, decideAttempt } from '#policies/requests/attempt.ts';
import type { Pace } from '#policies/requests/pace.ts';
import type { Outcome, RequestQueue, Taken } from '#store/requests/requests.ts';
import { keepStoring } from './keep-storing.ts';
import { createLaneRunner, type LaneRunner } from './lanes.ts';
import { createRoom } from './room.ts';
import type { Sender, Sent } from './send.ts';

/**
 * More than the instances of a model take at once, mostly: the rest waits in the model's own queue, behind all that is not
 * asynchronous, while the disk takes what has ended. Their bodies are in memory until they have ended.
 */
const LIMITS = { perLane: 128, inAll: 256, bytes: 64 * 2 ** 20 };
/** Of their answers, until they are stored: the others are not read on meanwhile. */
const ANSWER_BYTES = 64 * 2 ** 20;

export interface Dispatcher extends LaneRunner {
  /** It is not wanted any more: breaks it off, if it runs here. */
  stop(id: string): void;
}

/**
 * Sends requests to their models and stores what they answer, each answer once.
 *
 * Invariant: an attempt is stored as running before it is sent, and its outcome counts only while it is; what this process
 * leaves unsettled is sent again by the next.
 */
export function createDispatcher(options: {
  queue: Pick<RequestQueue, 'lanes' | 'take' | 'settle'>;
  sender: Pick<Sender, 'send'>;
  onChange: (request: AsyncRequest) => void;
  clock: Clock;
  log: Log;
  random: () => number;
  pace?: Pace;
}): Dispatcher {
  const { queue, sender, onChange, clock, log, random, pace = ATTEMPT_PACE } = options;
  const running = new Map<string, AbortController>();
  const answers = createRoom(ANSWER_BYTES);

  async function run(taken: Taken, closing: AbortSignal): Promise<number> {
    const { id } = taken.request;
    const stopping = new AbortController();
    const place = answers.enter();
    running.set(id, stopping);
    onChange(taken.request);
    try {
      const sent = await sender.send(taken, place, AbortSignal.any([closing, stopping.signal]));
      return await settle(taken.request, sent, closing);
    } catch (error) {
      if (!closing.aborted && !stopping.signal.aborted) throw error;
      return 0;
    } finally {
      running.delete(id);
      place.leave();
    }
  }

  async function settle(
    { id, attempts }: AsyncRequest,
    sent: Sent,
    closing: AbortSignal,
  ): Promise<number> {
    const now = clock.now();
    const decision = decideAttempt({ ...sent, attempts, roll: random() }, pace);
    const reason = sent.reason === '' ? decision.why : sent.reason;
    const isAgain = decision.state === 'waiting';
    const outcome: Outcome = isAgain
      ? { state: 'waiting', at: now + decision.afterMs, reason }
      : {
          state: decision.state,
          reason: decision.state === 'done' ? '' : reason,
          answer: sent.answer,
        };
    const settled = await keepStoring(() => queue.settle(id, attempts, outcome, clock.now()), {
      id,
      closing,
      clock,
      log,
    });
    if (settled) onChange(settled);
    // What one of them was told to wait for need not be what all would be.
    return isAgain && decision.pauses ? Math.min(decision.afterMs, pace.longestMs) : 0;
  }

  const runner = createLaneRunner({ ...options, source: queue, bytesOf, run, limits: LIMITS });
  return {
    ...runner,
    stop: (id) => running.get(id)?.abort(),
  };
}

function bytesOf({ content }: Taken): number {
  return content.fields.length + content.body.length;
}
