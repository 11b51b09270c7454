import { formatDuration } from '#domain/units.ts';
import type { RequestHead } from './http/request-head.ts';
import type { RevisionRoute } from './routes.ts';
import { expectedByEnvoy, holdOf } from './wait-fields.ts';

/** How long something may take, ms, and where that is set, in words for who is refused by it. */
interface TimeLimit {
  readonly ms: number;
  readonly words: string;
}

/** What ends the wait for an instance. `callMs`: what the call itself allows for all. */
export function holdLimitOf(head: RequestHead, route: RevisionRoute, callMs: number): string {
  const expectedMs = expectedByEnvoy(head);
  const limits = [
    makeHoldLimit(head, route),
    { ms: expectedMs, words: `x-envoy-expected-rq-timeout-ms: ${expectedMs}` },
    ...overallLimits(route, callMs),
  ];
  return nearest(limits).words;
}

/** What ends the wait for an answer. */
export function runLimitOf(route: RevisionRoute, callMs: number): string {
  const { run } = route.routing.timeouts;
  return nearest([makeModelLimit('run', run), ...overallLimits(route, callMs)]).words;
}

function makeHoldLimit(head: RequestHead, route: RevisionRoute): TimeLimit {
  const ms = holdOf(head, route);
  if (head.rouseHold === '') return makeModelLimit('hold', ms);
  return { ms, words: `Rouse-Hold of the request, which allows ${formatDuration(ms)}` };
}

function overallLimits({ routing }: RevisionRoute, callMs: number): TimeLimit[] {
  const { total } = routing.timeouts;
  const call = { ms: callMs, words: `grpc-timeout of the call, ${formatDuration(callMs)}` };
  return total === undefined ? [call] : [call, makeModelLimit('total', total)];
}

function makeModelLimit(name: string, ms: number): TimeLimit {
  return { ms, words: `timeouts.${name} of the model, ${formatDuration(ms)}` };
}

function nearest(limits: readonly TimeLimit[]): TimeLimit {
  return limits.reduce((best, limit) => (limit.ms < best.ms ? limit : best));
}
