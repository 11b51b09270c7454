import type { ToStatus } from './address.ts';
import type { Answer } from './answers.ts';
import type { RequestHead } from './http/request-head.ts';
import type { Plane } from './plane.ts';
import { type Refusal, TOO_MANY_WATCHES } from './refusals.ts';
import type { RevisionRoute } from './routes.ts';
import { noRevision } from './split.ts';
import { findRevision } from './status.ts';
import { parseStatusQuestion, type StatusQuestion } from './wait-fields.ts';

/** Its caller follows the status, as server-sent events. */
interface Watched {
  readonly route: RevisionRoute;
  readonly question: StatusQuestion;
}

/** What a request to a status address gets. */
export function makeStatusAnswer(
  { model, revision, tag }: ToStatus,
  head: RequestHead,
  plane: Plane,
): Answer | Refusal | Watched {
  const question = parseStatusQuestion(head);
  if ('detail' in question) return question;
  const route = findRevision(model, revision, tag);
  if (!route) return noRevision(model, revision);
  if (question.asEvents) return plane.watches.isFull ? TOO_MANY_WATCHES : { route, question };
  const status = plane.watches.status(route, question.requestId, plane.now());
  return { status: 200, type: 'application/json', body: JSON.stringify(status) };
}
