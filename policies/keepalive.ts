import type { KeepAliveSpec } from '#domain/model.ts';
import { formatDuration } from '#domain/units.ts';

/** What `adaptive` means until the policy engine is there. */
const ADAPTIVE_IDLE_MS = 60_000;

export interface KeepAliveSeen {
  /** When the last request ended or came, ms since the epoch; undefined: none since it was started. */
  readonly lastRequestAt: number | undefined;
  /** Starting or ready: keeping is not starting. */
  readonly instances: number;
}

/** `until`: when to ask again; undefined when nothing is kept. */
export interface KeepAliveDecision {
  readonly keep: boolean;
  readonly until: number | undefined;
}

/** Whether an instance that nobody uses now is worth its memory. */
export function decideKeepAlive(
  spec: KeepAliveSpec,
  seen: KeepAliveSeen,
  now: number,
): { decision: KeepAliveDecision; why: string } {
  const idle = spec.policy === 'fixed' ? spec.idle : ADAPTIVE_IDLE_MS;
  const policy =
    spec.policy === 'fixed'
      ? `fixed ${formatDuration(idle)}`
      : `adaptive, which stands for fixed ${formatDuration(idle)} until the policy engine is there`;
  if (seen.lastRequestAt === undefined) {
    return {
      decision: { keep: false, until: undefined },
      why: `no request has come that would be worth keeping it for (keep-alive ${policy})`,
    };
  }
  if (seen.instances === 0) {
    return {
      decision: { keep: false, until: undefined },
      why: `nobody waits, and nothing runs that could be kept (keep-alive ${policy})`,
    };
  }
  const until = seen.lastRequestAt + idle;
  const quiet = formatDuration(Math.max(0, now - seen.lastRequestAt));
  const keep = now < until;
  return {
    decision: { keep, until: keep ? until : undefined },
    why: `idle for ${quiet}, ${keep ? 'kept' : 'no longer kept'} (keep-alive ${policy})`,
  };
}
