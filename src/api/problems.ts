import { STATUS_CODES } from 'node:http';
import type { ProblemView } from '#domain/views.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import type { ApiContext } from './context.ts';

/** What is shown for a Fault, as RFC 9457 asks. */
function makeProblem(fault: Fault): ProblemView {
  const problem = {
    type: 'about:blank',
    title: STATUS_CODES[fault.status] ?? 'Unknown',
    status: fault.status,
    code: fault.code,
    detail: fault.message,
  };
  return fault.problems.length === 0 ? problem : { ...problem, problems: [...fault.problems] };
}

/** Turns whatever was thrown into a response; what nobody foresaw is logged and not shown. */
export function answerProblem(context: ApiContext, error: unknown, log: Log): Response {
  const fault = error instanceof Fault ? error : hideError(context, error, log);
  const headers: Record<string, string> = { 'content-type': 'application/problem+json' };
  if (fault.retryAfter !== undefined) headers['retry-after'] = String(Math.ceil(fault.retryAfter));
  if (fault.code === 'unauthorized') headers['www-authenticate'] = 'Bearer realm="rouse"';
  context.status(fault.status);
  return context.body(JSON.stringify(makeProblem(fault)), undefined, headers);
}

function hideError(context: ApiContext, error: unknown, log: Log): Fault {
  const requestId = context.get('requestId');
  const stack = error instanceof Error ? error.stack : undefined;
  log.error({ requestId, error: messageOf(error), stack }, 'a request failed');
  return new Fault('internal', `an internal error; the log has more under request ${requestId}`);
}
