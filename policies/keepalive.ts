import type { KeepAliveSpec } from '#domain/model.ts';
import { formatDuration } from '#domain/units.ts';

/** What `adaptive` means until the policy engine is there. */
const ADAPTIVE_IDLE_MS = 60_000;

export interface KeepAliveSeen {
  /** When the last request ended or came, ms since the epoch; undefined: none since it was started. */
  readonly lastRequestAt: number | undefined;
  /** Starting or ready: keeping is not starting. */
  readonly instances: number;
  readonly parked: number;
  /** For how long the oldest of them has been parked, in ms. */
  readonly parkedFor: number;
}

export interface KeepAlive {
  readonly keep: boolean;
  /** What is not kept may be frozen, and what is frozen may stay so. */
  readonly park: boolean;
}

/** Whether an instance that nobody uses now is worth its memory, and then whether it is frozen or ended. */
export function decideKeepAlive(
  spec: KeepAliveSpec,
  seen: KeepAliveSeen,
  now: number,
): { decision: KeepAlive; why: string } {
  const idle = spec.policy === 'fixed' ? spec.idle : ADAPTIVE_IDLE_MS;
  const park = spec.policy === 'fixed' ? spec.park : 0;
  const policy = `keep-alive is ${describe(spec.policy, idle, park)}`;
  if (seen.lastRequestAt === undefined) {
    const why = `no request has come that would be worth keeping it for, ${policy}`;
    return { decision: { keep: false, park: false }, why };
  }
  if (seen.instances + seen.parked === 0) {
    const why = `nobody waits, and nothing runs that could be kept, ${policy}`;
    return { decision: { keep: false, park: false }, why };
  }
  const quiet = Math.max(0, now - seen.lastRequestAt);
  const left = seen.parked > 0 ? park - seen.parkedFor : idle + park - quiet;
  const why = `idle for ${formatDuration(quiet)}, ${policy}`;
  return {
    decision: { keep: seen.instances > 0 && quiet < idle, park: park > 0 && left > 0 },
    why,
  };
}

function describe(policy: KeepAliveSpec['policy'], idle: number, park: number): string {
  const then = park > 0 ? `, then parked for ${formatDuration(park)}` : '';
  const fixed = `fixed ${formatDuration(idle)}${then}`;
  if (policy === 'fixed') return fixed;
  return `adaptive, which stands for ${fixed} until the policy engine is there`;
}
