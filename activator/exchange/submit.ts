import type { Submission } from '#bus/requests.ts';
import { PRIORITIES } from '#domain/priority.ts';
import type { Caller } from '#domain/records.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { Plane } from '../plane.ts';
import type { Refusal } from '../refusal.ts';
import type { ModelRoute } from '../routes.ts';
import type { Following } from '../status/watches.ts';
import { makeAccepted, makeRefused, makeStored, type Told } from './later-answers.ts';
import { followRequest, type State } from './follow-request.ts';
import type { Wishes } from './wishes.ts';

/** How it ends: with one of these, once. */
export interface LaterEvents {
  readonly onTold: (told: Told) => void;
  readonly onRefusal: (refusal: Refusal) => void;
}

/** A request whose caller does not wait, with its whole body. */
export interface LaterRequest {
  readonly model: ModelRoute;
  readonly head: RequestHead;
  readonly caller: Caller;
  readonly priority: number;
  readonly wishes: Wishes;
  readonly body: Buffer;
}

/** Hands it to control. When that has it, the caller is told where; or, if it waits for so long, what the model answered. */
export function submitLater(
  request: LaterRequest,
  plane: Plane,
  { onTold, onRefusal }: LaterEvents,
): Following {
  const { caller, wishes } = request;
  let stop = plane.desk.submit(makeSubmission(request), (reply) => {
    if (reply.what === 'fault') onRefusal(makeRefused(reply));
    else if (reply.what === 'state') {
      if (wishes.waitMs === 0) onTold(makeAccepted(reply));
      else wait(reply);
    }
  });

  function wait(accepted: State): void {
    const asked = { request: accepted.view.id, caller };
    stop = followRequest(plane, asked, plane.now() + wishes.waitMs, {
      onState(state, isLast) {
        if (state.view.answer !== undefined) stop = fetchAnswer(state);
        else if (isLast) onTold(makeAccepted(state));
      },
      // It is stored all the same.
      onFailure: () => onTold(makeAccepted(accepted)),
    });
  }

  function fetchAnswer(state: State): () => void {
    const inquiry = { request: state.view.id, caller, about: 'answer' } as const;
    return plane.desk.inquire(inquiry, (reply) =>
      onTold(reply.what === 'answer' ? makeStored(reply) : makeAccepted(state)),
    );
  }

  return { onWritable: () => {}, stop: () => stop() };
}

function makeSubmission({ model, head, caller, priority, wishes, body }: LaterRequest): Submission {
  const { idempotencyKey, webhook, deadline } = wishes;
  const asked = head.rousePriority === '' ? undefined : PRIORITIES[priority];
  return {
    namespace: model.routing.namespace,
    model: model.routing.name,
    caller,
    method: head.method,
    target: head.target,
    host: head.host,
    fields: head.laterFields(),
    body: body.toString('base64'),
    ...(asked && { priority: asked }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(webhook !== undefined && { webhook }),
    ...(deadline !== undefined && { deadline }),
  };
}
