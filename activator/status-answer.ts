import type { ToStatus } from './address.ts';
import type { Answer } from './answers.ts';
import type { RequestHead } from './http/request-head.ts';
import type { Plane } from './plane.ts';
import type { Refusal } from './refusal.ts';
import { TOO_MANY_WATCHES } from './refusals.ts';
import type { RevisionRoute } from './routes.ts';
import { noRevision, revisionShown } from './shown-revision.ts';
import { parseStatusQuestion, type StatusQuestion } from './wait-fields.ts';
import type { Following, Stream } from './watches.ts';

interface Asked {
  readonly route: RevisionRoute;
  readonly question: StatusQuestion;
}

/** What a request to a status address asks for. */
export function findStatus(
  { model, revision, tag }: ToStatus,
  head: RequestHead,
  plane: Plane,
): Asked | Refusal {
  const question = parseStatusQuestion(head);
  if ('detail' in question) return question;
  const route = revisionShown(model, revision, tag);
  if (!route) return noRevision(model, revision);
  return question.asEvents && plane.watches.isFull ? TOO_MANY_WATCHES : { route, question };
}

/** As server-sent events to `client`, or as one answer. */
export function startStatus(
  { route, question }: Asked,
  client: Stream,
  plane: Plane,
  { onAnswer, onEnd }: { onAnswer: (answer: Answer) => void; onEnd: () => void },
): Following {
  if (question.asEvents) return plane.watches.add(client, route, question, plane.now(), onEnd);
  return plane.watches.ask(route, question.requestId, plane.now(), (status) =>
    onAnswer({ status: 200, type: 'application/json', body: JSON.stringify(status) }),
  );
}
