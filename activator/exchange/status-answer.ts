import type { ToStatus } from '../addressing.ts';
import type { Answer } from './answers.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { Plane } from '../plane.ts';
import type { Refusal } from '../refusal.ts';
import { makeTooManyOfCaller, TOO_MANY_WATCHES } from './refusals.ts';
import { mustRefuse, type RevisionRoute } from '../routes.ts';
import { noRevision, revisionShown } from './shown-revision.ts';
import { parseStatusQuestion, type StatusQuestion } from './wait-fields.ts';
import type { Asker } from '../status/inquiry.ts';
import type { Stream } from '../status/event-stream.ts';
import { type Following, MAX_WATCHES_OF_CALLER } from '../status/watches.ts';

interface Asked {
  readonly route: RevisionRoute;
  readonly question: StatusQuestion;
  readonly asker: Asker;
}

/** What a request to a status address asks for. */
export function findStatus(
  { model, revision, tag }: ToStatus,
  head: RequestHead,
  callerId: string,
  plane: Plane,
): Asked | Refusal {
  const question = parseStatusQuestion(head);
  if ('detail' in question) return question;
  const route = revisionShown(model, revision, tag);
  if (!route) return noRevision(model, revision);
  if (question.asEvents) {
    const { watches } = plane;
    if (watches.isFullFor(callerId)) return makeTooManyOfCaller(MAX_WATCHES_OF_CALLER);
    if (watches.isFull) return TOO_MANY_WATCHES;
  }
  return { route, question, asker: { callerId, requestId: question.requestId } };
}

/** As server-sent events to `client`, or as one answer. */
export function startStatus(
  { route, question, asker }: Asked,
  client: Stream,
  plane: Plane,
  { onAnswer, onEnd }: { onAnswer: (answer: Answer) => void; onEnd: () => void },
): Following {
  const { asEvents, wakes } = question;
  if (asEvents) return plane.watches.add(client, route, { asker, wakes }, plane.now(), onEnd);
  if (wakes && !route.gate.isWarm && !mustRefuse(route, plane.now())) route.gate.poke();
  let isWanted = true;
  plane.inquiry.ask(route, asker, plane.now(), (status) => {
    if (isWanted) {
      onAnswer({ status: 200, type: 'application/json', body: JSON.stringify(status) });
    }
  });
  return {
    onWritable: () => {},
    stop: () => {
      isWanted = false;
    },
  };
}
