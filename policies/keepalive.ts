import type { KeepAliveSpec } from '#domain/keep-alive.ts';
import { formatDuration } from '#domain/units.ts';
import type { Temperature } from './keepalive/plan.ts';

/** What the plan of an adaptive model says for now. */
export interface Planned {
  readonly state: Temperature;
  /** Hot because a request is expected, not because one has come. */
  readonly ahead: boolean;
  readonly why: string;
}

export interface KeepAliveSeen {
  /** When the last request ended or came, ms since the epoch; undefined: none since it was started. */
  readonly lastRequestAt: number | undefined;
  /** When it became ready for the first time, if others of its model were in use then. */
  readonly provenAt?: number | undefined;
  /** Starting or ready: keeping is not starting. */
  readonly instances: number;
  readonly parked: number;
  /** For how long the oldest of them has been parked, in ms. */
  readonly parkedFor: number;
  /** Absent: nothing is planned. */
  readonly planned?: Planned | undefined;
  /** What speaks against loading it ahead of a request; undefined: nothing. */
  readonly notAhead?: string | undefined;
}

export interface KeepAlive {
  readonly keep: boolean;
  /** What is not kept may be frozen, and what is frozen may stay so. */
  readonly park: boolean;
  /** It is kept, or started, before a request comes. */
  readonly ahead: boolean;
}

type Decided = { readonly decision: KeepAlive; readonly why: string };

/** Traffic of a model that is in use comes to a new revision at once, or with the first step of a rollout. */
const HANDOVER_MS = 60_000;

const NOTHING: KeepAlive = { keep: false, park: false, ahead: false };

/** Whether an instance that nobody uses now is worth its memory, and then whether it is frozen or ended. */
export function decideKeepAlive(spec: KeepAliveSpec, seen: KeepAliveSeen, now: number): Decided {
  if (isAwaited(seen, now)) {
    const why = 'its model is in use: its first request is about to come';
    return { decision: { keep: true, park: false, ahead: false }, why };
  }
  return spec.policy === 'fixed' ? decideFixed(spec, seen, now) : followPlan(seen, now);
}

function isAwaited({ provenAt, lastRequestAt, instances }: KeepAliveSeen, now: number): boolean {
  if (provenAt === undefined || lastRequestAt !== undefined || instances === 0) return false;
  return now - provenAt < HANDOVER_MS;
}

function decideFixed(
  { idle, park }: Extract<KeepAliveSpec, { policy: 'fixed' }>,
  seen: KeepAliveSeen,
  now: number,
): Decided {
  const then = park > 0 ? `, then parked for ${formatDuration(park)}` : '';
  const policy = `keep-alive is fixed ${formatDuration(idle)}${then}`;
  if (seen.lastRequestAt === undefined) return unused(policy);
  if (seen.instances + seen.parked === 0) return gone(policy);
  const quiet = Math.max(0, now - seen.lastRequestAt);
  const left = seen.parked > 0 ? park - seen.parkedFor : idle + park - quiet;
  const decision = {
    keep: seen.instances > 0 && quiet < idle,
    park: park > 0 && left > 0,
    ahead: false,
  };
  return { decision, why: `idle for ${formatDuration(quiet)}, ${policy}` };
}

function followPlan(seen: KeepAliveSeen, now: number): Decided {
  const { planned, lastRequestAt, instances, parked, notAhead } = seen;
  if (!planned) return unused('keep-alive is adaptive');
  const policy = `keep-alive is adaptive: ${planned.why}`;
  const idle = lastRequestAt === undefined ? undefined : Math.max(0, now - lastRequestAt);
  const quiet = idle === undefined ? '' : `idle for ${formatDuration(idle)}, `;
  if (planned.state === 'hot' && planned.ahead) {
    if (instances > 0 || notAhead === undefined) {
      const why = `loaded ahead of a request, ${quiet}${policy}`;
      return { decision: { keep: true, park: false, ahead: true }, why };
    }
    return { decision: { ...NOTHING, park: parked > 0 }, why: `${notAhead}, ${quiet}${policy}` };
  }
  if (instances + parked === 0) return gone(policy);
  const [keep, park] = [planned.state === 'hot' && instances > 0, planned.state === 'parked'];
  return { decision: { keep, park, ahead: false }, why: `${quiet}${policy}` };
}

function unused(policy: string): Decided {
  return {
    decision: NOTHING,
    why: `no request has come that would be worth keeping it for, ${policy}`,
  };
}

function gone(policy: string): Decided {
  return { decision: NOTHING, why: `nobody waits, and nothing runs that could be kept, ${policy}` };
}
