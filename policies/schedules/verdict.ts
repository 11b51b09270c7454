import type { ProbeSpec } from '#domain/schedule.ts';
import { saysTheSame } from '../shadow.ts';

export interface ProbeAnswer {
  readonly status: number;
  readonly body: string;
}

/** Characters of a body that are quoted. */
const MOST_QUOTED = 200;

/** Whether a model has answered what it is known to answer; `why` is for who reads that it has not. */
export function decideVerdict(
  expected: ProbeSpec['expect'],
  { status, body }: ProbeAnswer,
): { decision: 'healthy' | 'unhealthy'; why: string } {
  const quoted = body.length > MOST_QUOTED ? `${body.slice(0, MOST_QUOTED)}…` : body;
  if (status !== expected.status) {
    return fail(`status ${status}, expected ${expected.status}: ${quoted}`);
  }
  if (expected.body !== undefined && !isBody(expected, body)) {
    return fail(`another body than expected: ${quoted}`);
  }
  return { decision: 'healthy', why: `status ${status}, as expected` };
}

function isBody(expected: ProbeSpec['expect'], body: string): boolean {
  if (body === expected.body) return true;
  try {
    return saysTheSame(expected.body, JSON.parse(body), expected);
  } catch {
    return false;
  }
}

function fail(why: string): { decision: 'unhealthy'; why: string } {
  return { decision: 'unhealthy', why };
}
