import { formatDuration } from '#domain/units.ts';
import type { RequestHead } from '../http/request-head.ts';
import { NEVER } from '../never.ts';
import type { TimeLimit } from '../refusal.ts';
import type { RevisionRoute } from '../routes.ts';
import { ENVOY_FIELD, expectedByEnvoy, holdOf } from './wait-fields.ts';

/** What ends the wait for an instance. `callMs`: what the call itself allows for all. */
export function holdLimitOf(head: RequestHead, route: RevisionRoute, callMs: number): TimeLimit {
  const expectedMs = expectedByEnvoy(head);
  const limits = [
    makeHoldLimit(head, route),
    { ms: expectedMs, name: ENVOY_FIELD, words: `${ENVOY_FIELD}: ${expectedMs}` },
    ...overallLimits(route, callMs),
  ];
  return nearest(limits);
}

/** What ends the wait for an answer. */
export function runLimitOf(route: RevisionRoute, callMs: number): string {
  const { timeouts, responseStart = NEVER } = route.routing;
  const start = {
    ms: responseStart,
    name: 'responseStart',
    words: `the time in which the response has to begin, ${formatDuration(responseStart)}`,
  };
  return nearest([makeModelLimit('run', timeouts.run), start, ...overallLimits(route, callMs)])
    .words;
}

function makeHoldLimit(head: RequestHead, route: RevisionRoute): TimeLimit {
  const ms = holdOf(head, route);
  if (head.rouseHold === '') return makeModelLimit('hold', ms);
  return {
    ms,
    name: 'Rouse-Hold',
    words: `Rouse-Hold of the request, which allows ${formatDuration(ms)}`,
  };
}

function overallLimits({ routing }: RevisionRoute, callMs: number): TimeLimit[] {
  const { total } = routing.timeouts;
  const words = `grpc-timeout of the call, ${formatDuration(callMs)}`;
  const call = { ms: callMs, name: 'grpc-timeout', words };
  return total === undefined ? [call] : [call, makeModelLimit('total', total)];
}

function makeModelLimit(timeout: string, ms: number): TimeLimit {
  const name = `timeouts.${timeout}`;
  return { ms, name, words: `${name} of the model, ${formatDuration(ms)}` };
}

function nearest(limits: readonly TimeLimit[]): TimeLimit {
  return limits.reduce((best, limit) => (limit.ms < best.ms ? limit : best));
}
